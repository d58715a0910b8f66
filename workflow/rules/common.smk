# What the rules share: the grid that the settings name, and functions of wildcards.

import json
import hashlib
import os
import shlex
import sys
from functools import cache
from subprocess import CalledProcessError
from dataclasses import replace
from pathlib import Path

from snakemake.exceptions import WorkflowError

from tsd.cli.untracked import summaries_are_untracked, untracked
from tsd.cluster.gpu_plan import of_this_machine, tell_jobs
from tsd.cluster.leftovers import end_leftovers, work_alone
from tsd.cluster.mps import start_mps
from tsd.cluster.orphans import end_orphans
from tsd.cluster.site import (
    ATTEMPTS_VARIABLE,
    PACK,
    check,
    open_site,
    pack_size,
    packed_requests,
    requests,
)
from tsd.experiments.data_formats import format_of
from tsd.experiments.figure_kinds import FIGURE_KINDS, extractions
from tsd.experiments.compile import content_of_dataset
from tsd.experiments.grid import dataset_files, possible
from tsd.experiments.look_files import Look
from tsd.experiments.looks import files_of_look, require_decidable
from tsd.experiments.length import variants
from tsd.experiments.settings import open_grid
from tsd.experiments.reading import DeclarationError
from tsd.experiments.planning import (
    about_other_data,
    absent,
    impossible,
    lacking_weights,
    unknown_target,
    unused_weights,
)
from tsd.data.version import GENERATOR_VERSION
from tsd.results.collected import ResultsError
from tsd.results.data_check import CHECK_VERSION
from tsd.results.records import RecordError
from tsd.liveness import name_workflow
from tsd.tracking.uri import redact, tracking_uri

try:
    # Of profiles/slurm; without it jobs run on this machine.
    SITE = open_site(config.pop("site", None))
    GRID = open_grid(config)
except DeclarationError as error:
    raise WorkflowError(str(error)) from error

if lacking := lacking_weights(GRID):
    raise WorkflowError(lacking)


def warn(line):
    """Tell a person who waits something, apart from what a dry run prints."""
    print(line, file=sys.stderr, flush=True)


GRID_OPTIONS = shlex.join(GRID.command_line_options)
TARGET_OPTIONS = shlex.join(GRID.target_options)
REPORT_OPTIONS = shlex.join(GRID.report_options)
DATASETS = GRID.datasets
COCO = "data/coco"
LOGS = f"results/{GRID.name}/logs"
REPORT = str(GRID.report_folder)

if SITE:
    shell.prefix(SITE.prologue)


def asking(gpus=None, packed=False):
    """What a job that computes gets from where it runs, more of it with each attempt.

    All of it is a resource, the command that starts Python too: for the sake of a parameter that
    changed Snakemake would train again.
    """

    def of_attempt(name):
        return lambda wildcards, attempt: asked(attempt)[name]

    def asked(attempt):
        if packed:
            return packed_requests(SITE, GRID.scale.resources, attempt)
        return requests(SITE, GRID.scale.resources, attempt, gpus)

    return {name: of_attempt(name) for name in asked(1)}


# How many trainings share a job of a cluster; 1 if each has its own.
TRAININGS_A_JOB = pack_size(SITE, GRID.scale.resources)
# How often a job of a cluster is tried. It learns that by its environment (see onstart).
ATTEMPTS = os.environ.get(ATTEMPTS_VARIABLE, "1")

TRAINING = asking(packed=TRAININGS_A_JOB > 1)
INFERENCE = asking(min(GRID.scale.resources.gpus, 1))


# The GPUs of this machine that jobs share, where Snakemake runs jobs here; None without GPUs.
GPUS = None
if workflow.is_main_process and not SITE and workflow.resource_settings.nodes is None:
    try:
        GPUS = of_this_machine(GRID.scale.resources, warn)
    except DeclarationError as error:
        raise WorkflowError(str(error)) from error
if GPUS is not None:
    # No more jobs start than there are places: one that waits for a place would hold a core. The user
    # may have said `--resources gpu_slots=2`.
    asked = workflow.global_resources.get("gpu_slots").value
    most = GPUS.jobs if asked is None else min(GPUS.jobs, asked)
    workflow.register_resource("gpu_slots", most)

# The MPS that this workflow has started, if it has.
MPS = []


def tell_mlflow_what_it_missed():
    """Bring in what could not be brought in while its store was away; it never fails the workflow."""
    try:
        grid = asked_grid()
        if any(refused for _, refused in untracked(grid)) or summaries_are_untracked(
            grid
        ):
            options = shlex.join(grid.report_options)
            shell("python -m tsd track-missing {options}", options=options)
    except (CalledProcessError, DeclarationError, RecordError, ResultsError) as error:
        warn(f"MLflow was not told what it has missed: {error}")


# Run → its jobs, of the runs that the targets turn out to need as the workflow is planned.
ASKED_FOR = {}

# Ids of the runs behind the targets, also of those that do not exist at the scale or on the data.
BEHIND_TARGETS = set()

# What was said of runs that do not exist at the scale.
ABSENT = []


def plan(grid, target=None):
    """Note the jobs behind a target, or behind all that a grid wants; say what cannot be made.

    Each run is told once, with the reason. The workflow goes on with the others. Processes that only
    run a job of the plan are silent.
    """
    targets = None if target is None else [target]
    jobs = grid.wanted if target is None else grid.jobs_for(target)
    for name in grid.wanted_targets if target is None else targets:
        BEHIND_TARGETS.update(grid.experiments.runs_for(name))
    new = [job for job in jobs if job.run.id not in ASKED_FOR]
    for job in new:
        ASKED_FOR.setdefault(job.run.id, []).append(job)
    not_there = [text for text in absent(grid, targets) if text not in ABSENT]
    ABSENT.extend(not_there)
    if workflow.is_main_process:
        for text in [*impossible(new), *not_there]:
            print(text, file=sys.stderr, flush=True)


def files_of_report(wildcards):
    """The results of all that is asked for, what its data are, and the looks that chose its seeds."""
    looks, grid = looks_taken(), asked_grid()
    plan(grid)
    return [*grid.wanted_files, *checks_behind(possible(grid.wanted)), *looks]


def files_of_target(wildcards):
    """The results that a table or figure is made from, what its data are, and the looks."""
    looks, grid = looks_taken(), asked_grid()
    plan(grid, wildcards.target)
    return [
        *grid.files_behind(wildcards.target),
        *checks_behind(possible(grid.jobs_for(wildcards.target))),
        *looks,
    ]


def what_may_be_meant(wildcards):
    """Nothing, for a file that is there; else no target has this name, and the nearest is told."""
    if not Path(wildcards.asked).exists():
        raise WorkflowError(unknown_target(GRID, wildcards.asked))
    return []


def sum_of(files):
    """Tells one list of files from another."""
    return hashlib.sha256("\n".join(files).encode()).hexdigest()[:10]


def results_of_variants():
    """What has been measured at other lengths of the trainings; no edge of the workflow leads there."""
    names = [
        replace(GRID, scale=scale).name
        for scale in variants(GRID.experiments, GRID.scale)
    ]
    found = (
        path
        for name in names
        for path in sorted(Path("results", name).glob("*/*/seed*/metrics.json"))
    )
    return [f"{path} {path.stat().st_mtime_ns}" for path in found]


def made_from(target):
    """The files that the results behind a table or figure are gathered from."""
    grid = asked_grid()
    figure = grid.experiments.figures.get(target)
    if figure and FIGURE_KINDS[figure.kind].gathers_lengths:
        return [*grid.files_behind(target), *results_of_variants()]
    return grid.files_behind(target)


def files_for_servers(wildcards):
    """The detections of all that is asked for, packed for evaluation servers."""
    looks, grid = looks_taken(), asked_grid()
    plan(grid)
    jobs = possible(grid.wanted)
    return [*(f"results/{job.key}/submission.zip" for job in jobs), *looks]


def options_of_what_there_is():
    """Options of a report after a failure: it shows what this call asked for, or all of the grid."""
    names = [job.rule.name for job in workflow.dag.targetjobs]
    if all(name in GRID.experiments.targets for name in names):
        return shlex.join([*GRID.target_options, f"--only={','.join(names)}"])
    return REPORT_OPTIONS


def unpacked(*names):
    """The records which say that archives of COCO's are unpacked."""
    return [f"{COCO}/archives/{name}.json" for name in names]


def job_at(wildcards):
    """The job whose results folder a rule writes to."""
    try:
        return GRID.job_at(wildcards.key)
    except DeclarationError as error:
        raise WorkflowError(str(error)) from error


def job_options(wildcards):
    """Options of `python -m tsd` that name one job, quoted for the shell."""
    return shlex.join(job_at(wildcards).command_line_options)


def needed(*names):
    """Whether jobs of these rules are to run; known once the workflow starts."""
    return any(job.rule.name in names for job in workflow.dag.needrun_jobs())


def what_training_waits_for(wildcards):
    """The files that say that data set, model and MLflow's store are sound, before a job trains.

    A training that has ended waits for nothing: when its data set is checked again, for instance
    because the title was edited, neither it nor anything that rests on it is to be made again.
    """
    job = job_at(wildcards)
    if job.folder.is_trained:
        return []
    return [
        str(GRID.data_check(job.dataset.id)),
        job.folder.model,
        f"results/{GRID.name}/tracking-store",
    ]


def pack(wildcards):
    """The group of trainings that may share a job; `--group-components pack=6` has six share it.

    Snakemake learns how many do by its settings, which are not there yet when it reads the rules.
    """
    settings = workflow.group_settings
    settings.group_components = {PACK: TRAININGS_A_JOB, **settings.group_components}
    return PACK


def trainings_a_job():
    """How many trainings share a job in this call."""
    if TRAININGS_A_JOB == 1:
        return 1
    return workflow.group_settings.group_components.get(PACK, TRAININGS_A_JOB)


def what_was_tried(wildcards):
    """The file that says how a packed training ended; none of a training that has ended before."""
    job = job_at(wildcards)
    return [] if job.folder.is_trained else [f"results/{job.key}/attempt.json"]


def tell_of_missing_data():
    """Name the data sets to be checked that are not there, before other jobs run in vain.

    Where some are there, what needs these goes on, as it does beside a training that fails.
    """
    planned = {
        job.wildcards.dataset
        for job in workflow.dag.needrun_jobs()
        if job.rule.name == "check_data"
    }
    told = []
    for name in sorted(planned):
        wanted = format_of(DATASETS[name])
        if missing := wanted.missing:
            more = f" and {len(missing) - 1} more are" if len(missing) > 1 else " is"
            told.append(f"data set {name}: {missing[0]}{more} missing: {wanted.remedy}")
    if told and len(told) == len(planned):
        raise WorkflowError("\n".join(told))
    print(*told, sep="\n", end="\n" if told else "")


def open_gpus():
    """Deal this machine's GPUs out to the jobs, and have those that share one compute side by side."""
    if GPUS is None or not workflow.local_exec or workflow.touch:
        return
    tell_jobs(GPUS)
    sharing = ("train", "detect", "extract", "submit")
    wanting = sum(job.rule.name in sharing for job in workflow.dag.needrun_jobs())
    by_cores = (workflow.cores or 1) // GRID.scale.resources.threads
    places = workflow.global_resources["gpu_slots"].value
    if min(wanting, by_cores, places) > len(GPUS.shares):
        started = start_mps(list(GPUS.shares), warn, os.getpid())
        if started is not None:
            os.environ.update(started.variables)
            MPS.append(started)


def close_gpus():
    """End the MPS that this workflow has started; that it ends if we are killed is seen to elsewhere."""
    while MPS:
        MPS.pop().stop(warn)


def checks_behind(jobs):
    """The files that say what was found in the data of some jobs."""
    return list(dict.fromkeys(str(GRID.data_check(job.dataset.id)) for job in jobs))


def titled(kind):
    """By what Snakemake's own report lists a table or a figure: its title, and where it is from."""

    def labels(wildcards):
        declared = getattr(GRID.experiments, f"{kind}s")[getattr(wildcards, kind)]
        return {kind: declared.title, "from": declared.source}

    return labels

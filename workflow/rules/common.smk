# What the rules share: the grid that the settings name, and functions of wildcards.

import shlex
from pathlib import Path

from snakemake.exceptions import WorkflowError

from tsd.cluster.leftovers import end_leftovers, work_alone
from tsd.cluster.orphans import end_orphans
from tsd.cluster.site import check, open_site, requests
from tsd.experiments.data_formats import format_of
from tsd.experiments.figure_kinds import extractions
from tsd.experiments.grid import dataset_files, open_grid
from tsd.experiments.load import DeclarationError
from tsd.data.version import GENERATOR_VERSION
from tsd.liveness import name_workflow
from tsd.tracking.uri import redact, tracking_uri

try:
    # Of profiles/slurm; without it jobs run on this machine.
    SITE = open_site(config.pop("site", None))
    GRID = open_grid(config)
except DeclarationError as error:
    raise WorkflowError(str(error)) from error

GRID_OPTIONS = shlex.join(GRID.command_line_options)
REPORT_OPTIONS = shlex.join(GRID.report_options)
DATASETS = GRID.datasets
COCO = "data/coco"
LOGS = f"results/{GRID.name}/logs"
REPORT = str(GRID.report_folder)

if SITE:
    shell.prefix(SITE.prologue)


def asking(gpus=None):
    """What a job that computes gets from where it runs, more of it with each attempt.

    All of it is a resource, the command that starts Python too: for the sake of a parameter that
    changed Snakemake would train again.
    """

    def of_attempt(name):
        return lambda wildcards, attempt: asked(attempt)[name]

    def asked(attempt):
        return requests(SITE, GRID.scale.resources, attempt, gpus)

    return {name: of_attempt(name) for name in asked(1)}


TRAINING = asking()
INFERENCE = asking(min(GRID.scale.resources.gpus, 1))


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


def checked_data(wildcards):
    """The file that says that a job's data set is sound."""
    return f"results/{GRID.name}/datasets/{job_at(wildcards).dataset.id}.json"


def needed(*names):
    """Whether jobs of these rules are to run; known once the workflow starts."""
    return any(job.rule.name in names for job in workflow.dag.needrun_jobs())


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

"""Gathering what the runs' folders hold into the one file that reporting reads."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from tsd import provenance
from tsd.experiments.checkpoints import content_sum
from tsd.experiments.data_formats import format_of
from tsd.experiments.dataset_schema import Dataset
from tsd.experiments.deviations import Ledger
from tsd.experiments.figure_kinds import FIGURE_KINDS
from tsd.experiments.grid import Grid
from tsd.experiments.job import Job
from tsd.experiments.length import length_in_words, variants
from tsd.experiments.load import config_name
from tsd.experiments.metrics import METRICS
from tsd.experiments.network import network_name
from tsd.experiments.protocol_schema import Protocol
from tsd.experiments.schema import Figure, Run
from tsd.experiments.spending import errors_of_looks
from tsd.liveness import is_training
from tsd.reporting.image_noise import image_noise
from tsd.reporting.intervals import ERROR
from tsd.reporting.selection import selection_of
from tsd.reporting.wording import listed_once
from tsd.results.collected import (
    RESULTS_VERSION,
    CollectedData,
    CollectedDeviation,
    CollectedLength,
    CollectedLooks,
    CollectedProtocol,
    CollectedRun,
    CollectedScale,
    Results,
    State,
    Training,
)
from tsd.results.data_check import DataCheck
from tsd.results.own_records import read_own_records
from tsd.results.possible_values import Metrics
from tsd.results.records import RecordError
from tsd.results.status import read_status
from tsd.run_folder import RunFolder


def collect_all(grid: Grid) -> Results:
    """The results of a whole grid, for its report.

    What nobody asks for and has no results is shown as not run, and is not compiled.

    Args:
        grid: The grid.

    Raises:
        RecordError: The record of a data set's check is malformed.
    """
    shown = grid.shown
    results = collect(
        grid, shown, {job.run.id for job in grid.jobs} - {job.run.id for job in shown}
    )
    results.selection = selection_of(grid)
    return results


def collect(grid: Grid, jobs: Iterable[Job], not_run: Collection[str] = ()) -> Results:
    """The results of the given jobs with all that is needed to present them.

    A run that cannot be made from what is declared is shown with the reason.

    Args:
        grid: The jobs' grid.
        jobs: Those to gather; they are compiled.
        not_run: Ids of runs that are known not to have run; they are not compiled. Other runs
            without a job are left out, unless the scale does not have them, which a report says.

    Raises:
        RecordError: The record of a data set's check is malformed.
    """
    head, dirty = provenance.commit()
    experiments, scale, ledger = grid.experiments, grid.scale, Ledger(grid)
    runs = {run.id: _declared(grid, run) for run in experiments.runs.values() if not grid.has(run)}
    runs |= {name: _not_run(grid, experiments.run(name)) for name in not_run}
    for job in jobs:
        if job.run.id not in runs:
            runs[job.run.id] = _declared(grid, job.run, job)
            if job.mistake is None:
                runs[job.run.id].deviations = {
                    name: [CollectedDeviation(**asdict(one)) for one in found]
                    for name, found in ledger.deviations(job).items()
                }
        if job.mistake is None:
            runs[job.run.id].seeds[job.seed] = collect_job(job)
    in_order = {name: runs[name] for name in experiments.runs if name in runs}
    collected = Results(
        version=RESULTS_VERSION,
        name=grid.report_name,
        generated=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=head,
        dirty=dirty,
        scale=CollectedScale(
            id=scale.id,
            title=scale.title,
            note=scale.note,
            comparable=scale.comparable,
            is_paper=grid.is_paper,
        ),
        protocol=grid.protocol.id if grid.protocol else None,
        protocols={
            name: CollectedProtocol(
                title=protocol.title, note=protocol.note, is_reference=protocol.reference
            )
            for name, protocol in _protocols(grid).items()
        },
        decisions=experiments.decisions,
        sources=experiments.sources,
        dataset=grid.dataset,
        data=_data(grid, runs),
        metrics=METRICS,
        tables=list(experiments.tables.values()),
        figures=list(experiments.figures.values()),
        claims=list(grid.claims),
        inconsistencies=list(grid.inconsistencies),
        runs=in_order,
        golden=grid.golden,
        options=_options(grid),
        lengths=collect_lengths(grid, in_order),
        looks=_looks(grid),
    )
    collected.image_noise = image_noise(collected)
    return collected


def _looks(grid: Grid) -> CollectedLooks | None:
    """What the looks have come to; None where the number of seeds is fixed."""
    if grid.looks is None:
        return None
    taken = grid.looks.taken()
    return CollectedLooks(
        runs=list(dict.fromkeys(job.run.id for job in grid.wanted)),
        seeds=grid.scale.looks,
        errors=errors_of_looks(grid.scale.looks, ERROR),
        taken=len(taken),
        hours=taken[-1].hours if taken else 0.0,
        budget_hours=grid.scale.budget_hours,
        end=taken[-1].end if taken else None,
    )


def collect_lengths(grid: Grid, runs: Mapping[str, CollectedRun]) -> list[CollectedLength]:
    """The results of the runs in figures of gains over lengths, at each length that is declared.

    Those of other lengths are read from the results of their own grids, as far as they are there.

    Args:
        grid: The grid that is reported.
        runs: What was collected of it.
    """
    names = _names_in_lengths(grid.experiments.figures.values(), runs)
    others = variants(grid.experiments, grid.scale)
    if not names or not others:
        return []
    found = []
    for scale in sorted([grid.scale, *others], key=lambda scale: scale.length):
        one = replace(grid, scale=scale)
        jobs = {name: one.jobs_of(name)[0] for name in names}
        trainings = {
            name: runs[name].seeds if scale is grid.scale else seeds_found(job)
            for name, job in jobs.items()
            if job.mistake is None
        }
        words = [length_in_words(job.config) for job in jobs.values() if job.mistake is None]
        found.append(
            CollectedLength(
                scale=scale.id,
                grid=one.name,
                ratio=scale.length / grid.scale.length,
                trainings=listed_once(words),
                runs=_evaluated(trainings),
            )
        )
    return found


def results_at_own_length(
    figures: Iterable[Figure], runs: Mapping[str, CollectedRun]
) -> dict[str, dict[int, Metrics]]:
    """The results of the runs in figures of gains over lengths, at the length of their own grid.

    Args:
        figures: The declared figures.
        runs: The collected runs of the grid.

    Returns:
        Id of a run → seed → metrics, those left out that are not evaluated.
    """
    return _evaluated({name: runs[name].seeds for name in _names_in_lengths(figures, runs)})


def _names_in_lengths(figures: Iterable[Figure], runs: Mapping[str, CollectedRun]) -> list[str]:
    named = {
        run
        for figure in figures
        if FIGURE_KINDS[figure.kind].gathers_lengths
        for run in figure.runs
    }
    return [name for name in runs if name in named and runs[name].is_shown]


def _evaluated(
    trainings: Mapping[str, Mapping[int, Training]],
) -> dict[str, dict[int, Metrics]]:
    found = {
        name: {
            seed: training.metrics
            for seed, training in seeds.items()
            if training.state is State.EVALUATED
        }
        for name, seeds in trainings.items()
    }
    return {name: seeds for name, seeds in found.items() if seeds}


def seeds_found(job: Job) -> dict[int, Training]:
    """The trainings of a job's run by seed, of all seeds that anybody has asked for.

    Args:
        job: A training of the run; it is compiled.
    """
    names = [path.name.removeprefix("seed") for path in job.folder.path.parent.glob("seed*")]
    seeds = sorted(int(name) for name in names if name.isdecimal())  # and no "seed0.old"
    return {seed: collect_job(replace(job, seed=seed)) for seed in seeds}


def _protocols(grid: Grid) -> dict[str, Protocol]:
    """The declared protocols, and the one that the user names, by id."""
    named = {} if grid.protocol is None else {grid.protocol.id: grid.protocol}
    return {**grid.experiments.protocols, **named}


def _data(grid: Grid, runs: Iterable[str]) -> dict[str, CollectedData]:
    """The data sets of the grid and of some runs, by id, with what their check found."""
    declared = map(grid.experiments.run, runs)
    datasets = [grid.dataset, *(grid.dataset_of(run) for run in declared)]
    return {
        dataset.id: CollectedData(
            dataset=dataset,
            check=DataCheck.read_current(grid.data_check(dataset.id)),
            sums=_sums(dataset),
        )
        for dataset in {dataset.id: dataset for dataset in datasets}.values()
    }


def _sums(dataset: Dataset) -> dict[str, str]:
    """SHA-256 of each file that a data set's format names, as far as the files are there."""
    return {
        name: content_sum(path) for name, path in format_of(dataset).files.items() if path.is_file()
    }


def _not_run(grid: Grid, run: Run) -> CollectedRun:
    """A run of the scale with all its seeds not run, which takes no compiling."""
    declared = _declared(grid, run)
    not_run = {job.seed: Training(state=State.NOT_RUN) for job in grid.jobs_of(run.id)}
    return declared.model_copy(update={"at_scale": True, "seeds": not_run})


def _options(grid: Grid) -> dict[str, str]:
    """The settings that a grid was opened with: name → value."""
    pairs = (option.removeprefix("--").split("=", 1) for option in grid.command_line_options)
    return {name: value for name, value in pairs if name != "experiments"}


def _declared(grid: Grid, run: Run, job: Job | None = None) -> CollectedRun:
    """A run as it is declared, its seeds still to be filled in.

    Args:
        grid: The grid.
        run: The run.
        job: One of its trainings; None where the scale does not have the run.
    """
    papers_data = grid.dataset_of_paper(run)
    is_on_papers_data = grid.is_on_papers_data(run)
    mistake = job.mistake if job else None
    protocol = grid.protocol_of(run)
    return CollectedRun(
        why=run.why,
        base=run.base,
        base_file=config_name(run.base),
        backbone=run.backbone,
        protocol=protocol.id if protocol else None,
        network=network_name(job.config) if job and mistake is None else None,
        dataset=grid.dataset_of(run).id,
        papers_data=None if papers_data is None else papers_data.name,
        is_about_these_data=grid.is_about_these_data(run),
        is_on_papers_data=is_on_papers_data,
        is_comparable=grid.scale.comparable and is_on_papers_data,
        set=run.set,
        tables=grid.experiments.tables_of(run.id),
        digest=job.digest if job and mistake is None else None,
        at_scale=job is not None,
        mistake=mistake,
        seeds={},
    )


def collect_job(job: Job) -> Training:
    """State, metrics and provenance of one job."""
    return collect_folder(job.folder)


def collect_folder(folder: RunFolder) -> Training:
    """State, metrics and provenance of the training that a folder holds.

    Where a file of it cannot be believed, the training is refused with the reason, and the other
    trainings are reported nevertheless.
    """
    try:
        status, records = read_status(folder), read_own_records(folder)
    except RecordError as error:
        return Training(state=State.REFUSED, folder=str(folder.path), error=str(error))
    state = job_state(status, evaluated=records.evaluation is not None)
    return Training(
        state=state,
        folder=str(folder.path),
        files=folder.trail,
        error=status.get("error"),
        iteration=status.get("iteration"),
        max_iterations=status.get("max_iterations"),
        seconds_left=status.get("seconds_left") if state is State.RUNNING else None,
        scheduler_job=status.get("scheduler_job"),
        metrics=records.metrics if state is State.EVALUATED else {},
        per_class=records.evaluation.per_class if records.evaluation else {},
        train=records.train,
        detect=records.detect,
        milestones=records.milestones,
        latency=records.latency,
        tracking=records.tracking,
    )


def job_state(status: dict[str, Any], evaluated: bool) -> State:
    """How far a job has come.

    Args:
        status: Content of ``status.json``, empty where there is none.
        evaluated: Whether the evaluation is there.
    """
    step = status.get("state", State.NOT_RUN)
    if evaluated and step in ("done", "failed"):
        # A new training removes the evaluation when it starts, so that this evaluation belongs to
        # the present weights. The step that failed is a later one, such as the latency.
        return State.EVALUATED
    if step == "done":
        return State.TRAINED
    if step == "running":
        return State.RUNNING if is_training(status) else State.INTERRUPTED
    return State(step)

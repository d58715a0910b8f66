"""Gathering what the runs' folders hold into the one file that reporting reads."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from tsd import provenance
from tsd.experiments.grid import Grid
from tsd.experiments.job import Job
from tsd.experiments.load import config_name
from tsd.experiments.metrics import METRICS
from tsd.experiments.schema import Run
from tsd.liveness import is_training
from tsd.results.collected import (
    RESULTS_VERSION,
    CollectedRun,
    CollectedScale,
    Results,
    State,
    Training,
)
from tsd.results.records import read_records
from tsd.run_folder import read_json


def collect(grid: Grid, jobs: Iterable[Job]) -> Results:
    """The results of the given jobs with all that is needed to present them.

    Args:
        grid: The jobs' grid.
        jobs: Those to gather. Runs without a job among them are left out, unless the scale does
            not have them, which a report says.

    Raises:
        RecordError: A file of a training is malformed.
    """
    head, dirty = provenance.commit()
    experiments, scale = grid.experiments, grid.scale
    runs = {run.id: _declared(grid, run) for run in experiments.runs.values() if not grid.has(run)}
    for job in jobs:
        if job.run.id not in runs:
            runs[job.run.id] = _declared(grid, job.run, job.digest)
        runs[job.run.id].seeds[job.seed] = collect_job(job)
    return Results(
        version=RESULTS_VERSION,
        name=grid.name,
        generated=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=head,
        dirty=dirty,
        scale=CollectedScale(
            id=scale.id, title=scale.title, note=scale.note, is_paper=grid.is_paper
        ),
        dataset=grid.dataset,
        metrics=METRICS,
        tables=list(experiments.tables.values()),
        figures=list(experiments.figures.values()),
        claims=list(grid.claims),
        inconsistencies=list(grid.inconsistencies),
        runs=runs,
    )


def _declared(grid: Grid, run: Run, digest: str | None = None) -> CollectedRun:
    """A run as it is declared, its seeds still to be filled in.

    Without a digest it is a run that the scale does not have.
    """
    return CollectedRun(
        why=run.why,
        base=run.base,
        base_file=config_name(run.base),
        backbone=run.backbone,
        dataset=grid.dataset_of(run).id,
        set=run.set,
        tables=grid.experiments.tables_of(run.id),
        digest=digest,
        at_scale=digest is not None,
        seeds={},
    )


def collect_job(job: Job) -> Training:
    """State, metrics and provenance of one job."""
    folder = job.folder
    status = read_json(folder.status) or {}
    records = read_records(folder)
    state = job_state(status, evaluated=records.evaluation is not None)
    return Training(
        state=state,
        folder=str(folder.path),
        error=status.get("error"),
        iteration=status.get("iteration"),
        max_iterations=status.get("max_iterations"),
        seconds_left=status.get("seconds_left") if state is State.RUNNING else None,
        scheduler_job=status.get("scheduler_job"),
        metrics=records.metrics if state is State.EVALUATED else {},
        per_class=records.evaluation.per_class if records.evaluation else {},
        train=records.train,
        detect=records.detect,
        latency=records.latency,
        tracking=records.tracking,
    )


def job_state(status: dict[str, Any], evaluated: bool) -> State:
    """How far a job has come.

    Args:
        status: Content of ``status.json``, empty where there is none.
        evaluated: Whether the evaluation is there.
    """
    step = status.get("state", "pending")
    if evaluated and step in ("done", "failed"):
        # A new training removes the evaluation when it starts, so that this evaluation belongs to
        # the present weights. The step that failed is a later one, such as the latency.
        return State.EVALUATED
    if step == "done":
        return State.TRAINED
    if step == "running":
        return State.RUNNING if is_training(status) else State.INTERRUPTED
    return State(step)

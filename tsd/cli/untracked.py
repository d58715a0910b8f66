"""What MLflow could not be told while its store was away, and is to be told later."""

from collections.abc import Iterator
from pathlib import Path

from tsd.cli.summary_step import summaries_record
from tsd.experiments.grid import Grid, possible
from tsd.experiments.job import Job
from tsd.liveness import is_training
from tsd.results.records import SummariesRecord, TrackingRecord
from tsd.results.status import read_status


def untracked(grid: Grid) -> Iterator[tuple[Job, list[Path]]]:
    """Trainings that MLflow has to be told of, each with the records that say why it was not.

    Trainings that failed or were interrupted are among them, with no record: the workflow writes
    one once there are results.

    Args:
        grid: The grid; trainings that nobody asks for now are looked at too.
    """
    for job in possible(grid.found):
        folder = job.folder
        places = (folder.tracking, folder.retracking, folder.milestones_tracking)
        records = {place: TrackingRecord.read(place) for place in places}
        refused = [place for place, record in records.items() if record and record.error]
        never = records[folder.tracking] is None and folder.card.exists() and not _goes_on(job)
        if refused or never:
            yield job, refused


def summaries_are_untracked(grid: Grid) -> bool:
    """Whether the runs over their seeds could not be brought in, and are still there to be."""
    record = SummariesRecord.read(summaries_record(grid))
    collected = grid.report_folder / "results.json"
    return record is not None and record.error is not None and collected.exists()


def _goes_on(job: Job) -> bool:
    """Whether the job trains at present; then a process beside it tells MLflow of it."""
    return is_training(read_status(job.folder))

"""The record of a finished training, which is written once.

What a training was trained by, and how long it took, is true of the call that trained it and of no
later one. The record is therefore kept in ``trained.json`` beside the weights. Snakemake, which
deletes the outputs of a rule before it runs the rule again, only knows its copy ``train.json``.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from tsd.experiments.job import Job
from tsd.results.records import RecordError, TrainRecord
from tsd.run_folder import write_text


def finished_training(
    job: Job, announce: Callable[[str], None] = lambda _line: None
) -> TrainRecord | None:
    """Find the record of a job's training, if it has ended and its weights are as it left them.

    Args:
        job: The job.
        announce: Called with a line that says why a record is not believed.
    """
    record = recorded_training(job, announce)
    if record is None:
        return None
    weights = job.folder.weights
    if not weights.is_file():
        announce(f"{weights} is missing, although the training has ended: it is made again")
        return None
    if record.weights_sha256 not in (None, sha256(weights)):
        announce(f"{weights} is not what the training left: it is made again")
        return None
    return record


def recorded_training(
    job: Job, announce: Callable[[str], None] = lambda _line: None
) -> TrainRecord | None:
    """Read the record of a job's training, whatever became of its weights.

    Args:
        job: The job.
        announce: Called with a line that says why a record is not believed.
    """
    for path in (job.folder.trained, job.folder.train):
        try:
            record = TrainRecord.read(path)
        except RecordError as error:
            announce(f"the record of the training is not believed: {error}")
            continue
        if record is not None and (record.digest, record.seed) == (job.digest, job.seed):
            return record
    return None


def keep_record(job: Job) -> None:
    """Have both files of a job's record, the one that is there copied to the other."""
    trained, train = job.folder.trained, job.folder.train
    for present, missing in ((trained, train), (train, trained)):
        if present.is_file() and not missing.is_file():
            write_text(missing, present.read_text(encoding="utf-8"))


def sha256(path: Path) -> str:
    """Sum of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""The records of a folder, believed only if they are those of the folder's own training.

Every record names its training. A folder that was copied to another seed, or moved to another
digest, would otherwise pass for a training that nobody has made.
"""

from pathlib import Path

from tsd.results.records import DetectRecord, RecordError, Records, read_records
from tsd.run_folder import RunFolder

LEAST_BYTES = 20
"""A detection takes at least so many bytes in its file, for it has an image, a box and a score."""


def read_own_records(folder: RunFolder) -> Records:
    """Read what the steps of a folder's training have measured so far.

    Args:
        folder: The folder of the training, ``results/{grid}/{run}/{digest}/seed{n}``.

    Raises:
        RecordError: A file is malformed, is the record of another training, or does not agree with
            what lies beside it.
    """
    records = read_records(folder)
    train = records.train
    if train is not None:
        path = folder.train if folder.train.is_file() else folder.trained
        require_own(path, train.key)
        if not train.key.endswith(f"/{train.run}/{train.digest}/seed{train.seed}"):
            raise RecordError(
                f"{path}: key run, digest or seed: they are {train.run}, {train.digest} and "
                f"{train.seed}, but the key is {train.key}; {_anew(folder)}"
            )
    for path, record in (
        (folder.detect, records.detect),
        (folder.metrics, records.evaluation),
        (folder.milestones, records.milestones),
        (folder.latency, records.latency),
    ):
        if record is not None:
            require_own(path, record.key)
    if records.evaluation is not None:
        _require_what_evaluations_rest_on(folder, records)
    return records


def require_own(path: Path, key: str) -> None:
    """Refuse a record that is of another training than its folder.

    Args:
        path: The file of the record, in the folder of a training.
        key: The training that the record names.

    Raises:
        RecordError: It is; the message names both trainings and says what to do.
    """
    folder = RunFolder(path.parent)
    if key != folder.key:
        raise RecordError(
            f"{path}: key key: this is a record of the training {key}, but it lies in the folder "
            f"of {folder.key}; if the folder was moved, move it back, and if it was copied, "
            f"{_anew(folder)}"
        )


def _require_what_evaluations_rest_on(folder: RunFolder, records: Records) -> None:
    """Refuse an evaluation beside which that is missing which was evaluated.

    Weights and detections may be deleted to make room; what says where they were from may not.
    """
    for path, is_there in (
        (folder.status, folder.status.is_file()),
        (folder.train, records.train is not None),
    ):
        if not is_there:
            raise RecordError(
                f"{path}: is missing, though {folder.metrics.name} is there; put it back, or "
                f"{_anew(folder)}"
            )
    if records.detect is not None and folder.detections.is_file():
        _require_whole_detections(folder, records.detect)


def require_all_detections(folder: RunFolder) -> None:
    """Refuse detections that are not as many as were written, before they are measured.

    Every entry of the file has the key ``image_id`` once, so that nothing has to be parsed.

    Raises:
        RecordError: There are more or fewer; the message says how many.
    """
    detect = DetectRecord.read(folder.detect)
    if detect is None:
        return
    found = folder.detections.read_bytes().count(b'"image_id"')
    if found != detect.detections:
        raise RecordError(
            f"{folder.detections}: has {found} detections, but {folder.detect.name} tells of "
            f"{detect.detections}; delete {folder.detect.name} to have the images tested again"
        )


def _require_whole_detections(folder: RunFolder, detect: DetectRecord) -> None:
    """Compare the detections with their number, by their size alone, since they may be large."""
    size = folder.detections.stat().st_size
    if size < detect.detections * LEAST_BYTES:
        raise RecordError(
            f"{folder.detections}: has {size} bytes, too few for the {detect.detections} "
            f"detections that {folder.detect.name} tells of; delete {folder.detect.name} and "
            f"{folder.metrics.name}, and `snakemake` detects and evaluates anew"
        )


def _anew(folder: RunFolder) -> str:
    return f"delete {folder.path} to have this training made anew"

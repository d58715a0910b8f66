"""Files for the servers that keep a test set's annotations and measure what is sent to them.

These are COCO's server for test-dev and the leaderboard of the Open Images Challenge. Both take a
zip archive with one file in it. The server asks for the file's format and for how it is called.
"""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name
from tempfile import TemporaryDirectory
from typing import Any

from tsd.evaluation.openimages import open_split, write_submission
from tsd.experiments.compile import use_split
from tsd.experiments.data_formats import format_of
from tsd.experiments.dataset_schema import Split
from tsd.experiments.job import Job
from tsd.experiments.reading import DeclarationError
from tsd.training.build import runtime_config
from tsd.training.detect import find_objects


def submit(job: Job, out: Path, announce: Callable[[str], None]) -> None:
    """Detect on the data set's test split and pack the detections.

    Args:
        job: A trained job.
        out: The archive.
        announce: Takes a line for the person who waits.

    Raises:
        DeclarationError: If the data set declares no test split, or its list of images is missing.
    """
    dataset, split = job.dataset, _test_split(job)
    listed = Path(dataset.root) / split.annotations
    if not listed.is_file():
        raise DeclarationError(f"{dataset.origin}: key test: there is no {listed}")
    config = runtime_config(job)
    use_split(config.test_dataloader.dataset, dataset, split)
    augmentation = config.get("submission_augmentation") or config.get("test_time_augmentation")
    detections, _ = find_objects(job, config, augmentation, announce)
    write = resolve_name(format_of(dataset).write_submission)
    with TemporaryDirectory() as folder:
        file = write(job, detections, Path(folder))
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(file, file.name)


def write_for_coco(job: Job, detections: list[dict[str, Any]], folder: Path) -> Path:
    """Write boxes in COCO's results format, under a name as the server for test-dev asks for it.

    Args:
        job: The job that has detected.
        detections: In COCO's results format. Masks are left out, since boxes are what is measured.
        folder: Folder to write to.

    Returns:
        The JSON file.
    """
    file = folder / f"detections_test-dev2017_{_name(job)}_results.json"
    boxes = [{k: v for k, v in entry.items() if k != "segmentation"} for entry in detections]
    file.write_text(json.dumps(boxes), encoding="utf-8")
    return file


def write_for_openimages(job: Job, detections: list[dict[str, Any]], folder: Path) -> Path:
    """Write boxes as the Open Images Challenge's server takes them.

    Args:
        job: The job that has detected. The test split of its data set lists the images.
        detections: In COCO's results format, as :mod:`tsd.evaluation.openimages` says.
        folder: Folder to write to.

    Returns:
        The CSV file.
    """
    file = folder / f"{_name(job)}.csv"
    files = format_of(job.dataset).files
    listed = Path(job.dataset.root) / _test_split(job).annotations
    write_submission(open_split(listed, files["labels"], files["hierarchy"]), detections, file)
    return file


def _test_split(job: Job) -> Split:
    split = job.dataset.test
    if split is None:
        raise DeclarationError(
            f"{job.dataset.origin}: key test is missing: there is nothing to submit"
        )
    return split


def _name(job: Job) -> str:
    """What a file of a job's detections is called, so that it can be told from others."""
    return f"{job.run.id}_{job.digest}_seed{job.seed}"

"""Files for servers that keep a test set's annotations: COCO's test-dev, Open Images' leaderboard.

A zip archive with one file in it, in the format and under the kind of name that the server asks
for: COCO's results format in JSON, or the challenge's CSV.
"""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from tsd.evaluation.openimages import open_split, write_submission
from tsd.experiments.compile import use_split
from tsd.experiments.grid import Job
from tsd.experiments.load import DeclarationError
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
    dataset, split = job.dataset, job.dataset.test
    if split is None:
        raise DeclarationError(f"{dataset.origin}: key test is missing: there is nothing to submit")
    listed = Path(dataset.root) / split.annotations
    if not listed.is_file():
        raise DeclarationError(f"{dataset.origin}: key test: there is no {listed}")
    config = runtime_config(job)
    use_split(config.test_dataloader.dataset, dataset, split)
    augmentation = config.get("submission_augmentation") or config.get("test_time_augmentation")
    detections, _ = find_objects(job, config, augmentation, announce)
    name = f"{job.run.id}_{job.digest}_seed{job.seed}"
    with TemporaryDirectory() as folder:
        if dataset.openimages is None:
            file = Path(folder) / f"detections_test-dev2017_{name}_results.json"
            boxes = [
                {k: v for k, v in entry.items() if k != "segmentation"} for entry in detections
            ]
            file.write_text(json.dumps(boxes), encoding="utf-8")
        else:
            file = Path(folder) / f"{name}.csv"
            labels, hierarchy = dataset.openimages.labels, dataset.openimages.hierarchy
            images = open_split(listed, *(Path(dataset.root) / f for f in (labels, hierarchy)))
            write_submission(images, detections, file)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(file, file.name)

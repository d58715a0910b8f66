"""What a trained network finds in images of the validation set, for the contact sheet."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tsd.results.collected import Results, State
from tsd.run_folder import RunFolder

LEAST_SCORE = 0.5
"""Detections with a lower score are not drawn: a detector gives a hundred of them an image."""


@dataclass(frozen=True)
class Detector:
    """A trained network whose detections are drawn.

    Args:
        run: Id of the run.
        seed: Its seed.
        file: The detections, in COCO's results format.
    """

    run: str
    seed: int
    file: Path


def detector_of(results: Results) -> Detector | None:
    """Choose the training whose detections are drawn.

    It is the first seed with detections of the first run that the first claim compares, which is
    what the paper is about; where that has none, it is that of the first run that has.

    Args:
        results: The collected results.

    Returns:
        None where no training has left detections, or where they are on another machine.
    """
    first = [
        comparison.run
        for claim in results.claims[:1]
        for comparison in claim.test.comparisons()[:1]
    ]
    for name in [*first, *results.runs]:
        run = results.runs.get(name)
        if run is None or not run.is_shown or run.dataset != results.dataset.id:
            continue
        for seed, training in sorted(run.seeds.items()):
            if training.state is State.EVALUATED and training.folder is not None:
                file = RunFolder(Path(training.folder)).detections
                if file.is_file():
                    return Detector(name, seed, file)
    return None


def found_in(file: Path, images: Collection[int]) -> dict[int, list[tuple[int, list[float]]]]:
    """Read what was detected in some images with a score of :data:`LEAST_SCORE` or more.

    Args:
        file: The detections, in COCO's results format.
        images: Ids of the images.

    Returns:
        Id of an image → for each detection the id of its category and its box (x, y, w, h) in
        pixels, those with the highest score first.
    """
    content: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    wanted = set(images)
    found: dict[int, list[tuple[float, int, list[float]]]] = {image: [] for image in images}
    for one in content:
        if one["score"] >= LEAST_SCORE and one["image_id"] in wanted:
            found[one["image_id"]].append((one["score"], one["category_id"], one["bbox"]))
    return {
        image: [(category, box) for _, category, box in sorted(boxes, reverse=True)]
        for image, boxes in found.items()
    }

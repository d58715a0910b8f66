"""``results/{grid}/datasets/{id}.json``: what was found when a data set was checked.

The check writes the record before anything trains, and reports show it.
"""

from pathlib import Path
from typing import Literal, Self

from tsd.data.image_check import ImageReport
from tsd.data.split_report import SplitReport
from tsd.experiments.dataset_schema import Dataset
from tsd.results.records import Record
from tsd.run_folder import read_json

CHECK_VERSION: Literal[2] = 2
"""Raised when the record says other things than before."""


class Ceiling(Record):
    """The best that any detector can reach on the val split, since some objects are out of reach.

    ``max_detections`` is how many detections of an image count. ``objects_beyond`` is the number of
    objects beyond that, in ``images_beyond`` images. ``ap`` is the AP, in percent, of a detector
    that finds as many objects as count in each image, those of rare classes first, as exactly as
    they are annotated, but clipped to the image. It is None where there is no object.
    """

    max_detections: int
    objects_beyond: int
    images_beyond: int
    ap: float | None


class DataCheck(Record):
    """What a data set holds, and what a person should know before trusting results made with it.

    ``train`` and ``val`` say what becomes of each annotation, and ``pixels`` what the images of
    either split are, by "train" and "val". ``ceiling`` is None in formats whose
    evaluation has no such limit. ``classes_without_training_objects`` names the classes that
    nothing can be learnt of. ``images_in_both`` is the number of image files of val whose content
    is a training image too. ``notes`` are sentences, each about one of these or about one split.
    """

    version: Literal[2] = CHECK_VERSION
    dataset: Dataset
    train: SplitReport
    val: SplitReport
    pixels: dict[str, ImageReport]
    ceiling: Ceiling | None
    classes_without_training_objects: list[str]
    images_in_both: int
    notes: list[str]

    @classmethod
    def read_current(cls, path: Path) -> Self | None:
        """Read the record; None where there is none, or one of an earlier version of the check.

        Raises:
            RecordError: The file is malformed.
        """
        try:
            content = read_json(path)
        except ValueError:
            return cls.read(path)  # which says what is wrong with it
        if not isinstance(content, dict) or content.get("version") != CHECK_VERSION:
            return None
        return cls.read(path)

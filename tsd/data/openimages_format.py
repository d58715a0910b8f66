"""The files of the Open Images Challenge 2019, object detection: their names and their format.

``RAW`` names what the challenge publishes. :mod:`tsd.data.openimages_prepare` makes of it what
``PREPARED`` names, and this is what training and evaluation read:

* ``train.txt``, ``validation.txt`` and, where the images of the test set are there, ``test.txt``
  hold the boxes in the format of mmdet's ``OpenImagesChallengeDataset``. Each image has a line with
  its file name, a line with its width and height in pixels, a line with the number n of its boxes,
  and n lines ``id xmin ymin xmax ymax is_group_of``. Coordinates are in [0, 1], as published. mmdet
  skips the line with the size and reads a pickle of all sizes instead, which we do not need.
* ``cls-label-description.csv`` holds label, name and id of each class. Ids count from 1.
* ``class_label_tree.npy`` holds the matrix of :mod:`tsd.data.openimages_hierarchy`.
* ``validation-image-labels.csv`` says which classes a person has looked for in an image.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tsd.data.coco_format import DatasetError, near_names


@dataclass(frozen=True)
class RawFiles:
    """Names of the challenge's files, all below https://storage.googleapis.com/openimages/."""

    classes: str = "challenge-2019-classes-description-500.csv"
    hierarchy: str = "challenge-2019-label500-hierarchy.json"
    train_boxes: str = "challenge-2019-train-detection-bbox.csv"
    validation_boxes: str = "challenge-2019-validation-detection-bbox.csv"
    validation_labels: str = "challenge-2019-validation-detection-human-imagelabels.csv"


@dataclass(frozen=True)
class PreparedFiles:
    """Names of the files that ``tsd.data.openimages_prepare.prepare`` writes."""

    classes: str = "cls-label-description.csv"
    relations: str = "class_label_tree.npy"
    train: str = "train.txt"
    validation: str = "validation.txt"
    validation_labels: str = "validation-image-labels.csv"
    test: str = "test.txt"


RAW, PREPARED = RawFiles(), PreparedFiles()

Box = tuple[int, float, float, float, float, int]
"""The class (from 1), then xmin, ymin, xmax, ymax in [0, 1], then 1 for a group and 0 otherwise."""


def read_boxes(file: Path, classes: int) -> Iterator[tuple[str, tuple[int, int], list[Box]]]:
    """Yield the file name, (width, height) in pixels and the boxes of each image of a split.

    Args:
        file: A prepared split, such as ``train.txt``.
        classes: The number of classes.

    Raises:
        DatasetError: The file is missing, ends too early, or a line is not of the format.
    """
    with opened(file) as content:
        lines = enumerate(content, start=1)
        for at, name in lines:
            try:
                width, height = map(int, next(lines)[1].split())
                boxes = [_box(next(lines)[1], classes) for _ in range(int(next(lines)[1]))]
                if min(width, height) < 1:
                    raise ValueError(f"size {width} × {height}")
            except StopIteration:
                raise DatasetError(f"{file}: ends within the image of line {at}") from None
            except ValueError as error:
                raise DatasetError(
                    f"{file}: image {name.strip()!r} of line {at}: {error}; prepare the data again"
                ) from None
            yield name.strip(), (width, height), boxes


def _box(line: str, classes: int) -> Box:
    number, *corners, is_group = line.split()
    if not 1 <= int(number) <= classes or is_group not in ("0", "1") or not is_box(corners):
        raise ValueError(f"no box of one of {classes} classes: {line.strip()!r}")
    x1, y1, x2, y2 = map(float, corners)
    return int(number), x1, y1, x2, y2, int(is_group)


def is_box(corners: Sequence[str]) -> bool:
    """Tell whether the texts are xmin, ymin, xmax, ymax of a box within [0, 1]."""
    try:
        x1, y1, x2, y2 = map(float, corners)
    except ValueError:
        return False
    return 0 <= x1 <= x2 <= 1 and 0 <= y1 <= y2 <= 1


@contextmanager
def opened(file: Path) -> Iterator[IO[str]]:
    """Open a text file for reading.

    Raises:
        DatasetError: There is no such file. Names those in its folder that are called alike.
    """
    if not file.is_file():
        folder = file.parent
        there = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        raise DatasetError(f"{file}: no such file; in its folder, {near_names(file.name, there)}")
    with file.open(encoding="utf-8", newline="") as content:
        yield content

"""Checks of a prepared split of the Open Images Challenge, made before anything trains.

``check_split`` reads the files that :mod:`tsd.data.openimages_prepare` has written and the listing
of the image folder. It either counts what is there or raises one ``DatasetError`` that says what
is wrong, where, and what to do.
"""

import csv
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tsd.data.coco_format import DatasetError, some_of
from tsd.data.openimages_format import opened, read_boxes


@dataclass(frozen=True)
class OpenImagesReport:
    """What one prepared split holds.

    Attributes:
        annotation_file: The file that was checked.
        images: Number of images.
        annotations: Number of boxes, group boxes included.
        group_of: Number of group boxes: such a box encloses more than five instances that touch.
        zero_area: Number of boxes below one pixel in width or height, which training leaves out.
        per_class: Number of boxes of each class, as annotated: the hierarchy is not applied.
            A name that two classes have is followed by the label.
        images_without_objects: Number of images without a box.
    """

    annotation_file: str
    images: int
    annotations: int
    group_of: int
    zero_area: int
    per_class: dict[str, int]
    images_without_objects: int


def check_split(
    annotation_file: Path, image_dir: Path, classes: Sequence[str], class_file: Path
) -> OpenImagesReport:
    """Check one prepared split and count what it holds.

    Args:
        annotation_file: ``train.txt`` or ``validation.txt``.
        image_dir: Folder of the images that it names.
        classes: Names of the classes of the declared data set, in order.
        class_file: ``cls-label-description.csv``.

    Raises:
        DatasetError: A file or an image is missing, a line is wrong, the classes are not those
            asked for, or there is no box.
    """
    described = _classes_in(class_file)
    pairs = itertools.zip_longest((name for _, name in described), classes)
    for number, (here, declared) in enumerate(pairs, start=1):
        if here != declared:
            raise DatasetError(
                f"{class_file}: class {number} is {here!r}, but {declared!r} in the data set's "
                "declaration; prepare the data again or correct the declaration"
            )
    if not image_dir.is_dir():
        raise DatasetError(
            f"{image_dir}: no such image folder, for the images of {annotation_file}"
        )
    present = {path.name for path in image_dir.iterdir()}
    images, empty, group_of, zero_area = 0, 0, 0, 0
    missing: list[str] = []
    per_class: Counter[int] = Counter()
    for name, (width, height), boxes in read_boxes(annotation_file, len(described)):
        images += 1
        empty += not boxes
        if name not in present:
            missing.append(name)
        for number, x1, y1, x2, y2, is_group in boxes:
            per_class[number] += 1
            group_of += is_group
            zero_area += (x2 - x1) * width < 1 or (y2 - y1) * height < 1
    if missing:
        raise DatasetError(
            f"{image_dir}: images that {annotation_file} names are missing: {some_of(missing)}; "
            "put them there or correct the image folder"
        )
    if not per_class:
        raise DatasetError(f"{annotation_file}: has no box")
    return OpenImagesReport(
        annotation_file=str(annotation_file),
        images=images,
        annotations=per_class.total(),
        group_of=group_of,
        zero_area=zero_area,
        per_class={
            name: per_class[i] for i, name in enumerate(_distinct_names(described), start=1)
        },
        images_without_objects=empty,
    )


def _distinct_names(classes: Sequence[tuple[str, str]]) -> list[str]:
    """Return the names of classes (label, name), followed by the label where several share one."""
    count = Counter(name for _, name in classes)
    return [f"{name} ({label})" if count[name] > 1 else name for label, name in classes]


def _classes_in(class_file: Path) -> list[tuple[str, str]]:
    """Return the label and the name of each class of a prepared file, in order."""
    with opened(class_file) as lines:
        return [(row[0], row[1]) for row in csv.reader(lines)]

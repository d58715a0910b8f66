"""Checks of a prepared split of the Open Images Challenge, made before anything trains.

``check_split`` reads the files that :mod:`tsd.data.openimages_prepare` has written and the listing
of the image folder. It either counts what is there or raises one ``DatasetError`` that says what
is wrong, where, and what to do.
"""

import csv
import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tsd.data.coco_format import DatasetError, some_of
from tsd.data.openimages_format import Box, opened, read_boxes
from tsd.data.split_report import OBJECTS, Fate, Purpose, SplitReport, counts_of


def check_split(
    annotation_file: Path,
    image_dir: Path,
    classes: Sequence[str],
    class_file: Path,
    *,
    purpose: Purpose = Purpose.TRAINING,
) -> SplitReport:
    """Check one prepared split and count what becomes of its boxes.

    The numbers by class are those annotated: the hierarchy is not applied. A name that two classes
    have is followed by the label.

    Args:
        annotation_file: ``train.txt`` or ``validation.txt``.
        image_dir: Folder of the images that it names.
        classes: Names of the classes of the declared data set, in order.
        class_file: ``cls-label-description.csv``.
        purpose: What the split is for.

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
    images, empty = 0, 0
    missing: list[str] = []
    fates: Counter[Fate] = Counter()
    per_class: Counter[int] = Counter()
    for name, (width, height), boxes in read_boxes(annotation_file, len(described)):
        images += 1
        if name not in present:
            missing.append(name)
        objects = 0
        for box in boxes:
            if purpose is Purpose.TRAINING:
                fate = _fate_in_training(box, width, height)
            else:
                fate = _fate_in_evaluation(box)
            fates[fate] += 1
            per_class[box[0]] += fate in OBJECTS
            objects += fate in OBJECTS
        empty += objects == 0
    if missing:
        raise DatasetError(
            f"{image_dir}: images that {annotation_file} names are missing: {some_of(missing)}; "
            "put them there or correct the image folder"
        )
    if not per_class.total():
        raise DatasetError(f"{annotation_file}: has no box that {purpose.value} could use")
    return SplitReport(
        annotation_file=str(annotation_file),
        purpose=purpose,
        images=images,
        images_without_objects=empty,
        annotations=fates.total(),
        fates=counts_of(purpose, fates.elements()),
        per_class={
            name: per_class[i] for i, name in enumerate(_distinct_names(described), start=1)
        },
    )


def _fate_in_training(box: Box, width: int, height: int) -> Fate:
    """What :class:`tsd.training.openimages.OpenImagesChallenge` makes of a box in training."""
    _, x1, y1, x2, y2, _ = box
    too_small = (x2 - x1) * width < 1 or (y2 - y1) * height < 1
    return Fate.EMPTY if too_small else Fate.TRAINED


def _fate_in_evaluation(box: Box) -> Fate:
    """What the challenge's protocol makes of a box: a group is no single object."""
    _, x1, y1, x2, y2, is_group = box
    if is_group:
        return Fate.GROUP
    return Fate.NEVER_FOUND if x1 == x2 or y1 == y2 else Fate.EVALUATED


def _distinct_names(classes: Sequence[tuple[str, str]]) -> list[str]:
    """Return the names of classes (label, name), followed by the label where several share one."""
    count = Counter(name for _, name in classes)
    return [f"{name} ({label})" if count[name] > 1 else name for label, name in classes]


def _classes_in(class_file: Path) -> list[tuple[str, str]]:
    """Return the label and the name of each class of a prepared file, in order."""
    with opened(class_file) as lines:
        return [(row[0], row[1]) for row in csv.reader(lines)]

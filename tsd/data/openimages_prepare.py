"""Open Images Challenge 2019, object detection: from the files it publishes to those we train on.

``prepare`` reads the files and images that the challenge publishes and writes the files that
training and evaluation read; :mod:`tsd.data.openimages_format` names and describes both.

**What is done about the hierarchy of classes.** The published annotations name the most specific
class only. The labels of whole images are expanded here, as the challenge's protocol does before it
evaluates: an image with a car has a vehicle, and an image without a vehicle has no car. Boxes are
not expanded here. The metric expands the boxes of ground truth and detections itself when it
evaluates, with the matrix of the hierarchy. In training they stay as published, because softmax
gives a RoI one label, and a second box of another class at the same place would contradict it.

Source of the protocol: https://storage.googleapis.com/openimages/web/evaluation.html and
``challenge_evaluation.md`` of TensorFlow's object detection API, to which it refers.
"""

import csv
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from tsd.data.coco_format import DatasetError, near_names
from tsd.data.image_files import open_picture, orientation_of
from tsd.data.image_frame import shown_size
from tsd.data.openimages_format import PREPARED, RAW, is_box, opened
from tsd.data.openimages_hierarchy import Relations, read_hierarchy

_IMAGE_ID = re.compile(r"[0-9A-Za-z_-]+")

_BOX_COLUMNS = ("ImageID", "LabelName", "XMin", "YMin", "XMax", "YMax", "IsGroupOf")
_LABEL_COLUMNS = ("ImageID", "LabelName", "Confidence")

_GROUP = {"0": 0, "1": 1, "-1": 0}
"""IsGroupOf as published → as written. -1 stands for "nobody has looked" and becomes no group."""

_PRESENT = {"0": False, "0.0": False, "1": True, "1.0": True}
"""Confidence of an image's label as published → whether the class is there."""


def prepare(raw_folder: Path, out_folder: Path) -> None:
    """Write the files that training and evaluation read; the same input gives the same bytes.

    Args:
        raw_folder: Folder with the files of ``RAW`` and the images: ``train/{id}.jpg``,
            ``validation/{id}.jpg`` and, for a submission to the leaderboard, ``test/{id}.jpg``.
        out_folder: Folder for the files of ``PREPARED``. It is made if it is missing.

    Raises:
        DatasetError: A file or an image is missing, or an entry is wrong. Names the file, the line
            and the class or image.
    """
    classes = read_classes(raw_folder / RAW.classes)
    relations = read_hierarchy(raw_folder / RAW.hierarchy, list(classes))
    out_folder.mkdir(parents=True, exist_ok=True)
    with _written(out_folder / PREPARED.classes) as file:
        rows = ((label, name, i) for i, (label, name) in enumerate(classes.items(), start=1))
        csv.writer(file, lineterminator="\n").writerows(rows)
    with _replaced(out_folder / PREPARED.relations) as partial:
        np.save(partial, relations, allow_pickle=False)
    labels = list(classes)
    _write_image_labels(
        raw_folder / RAW.validation_labels,
        labels,
        relations,
        out_folder / PREPARED.validation_labels,
    )
    for boxes, images, out in (
        (RAW.validation_boxes, "validation", PREPARED.validation),
        (RAW.train_boxes, "train", PREPARED.train),
    ):
        _write_boxes(raw_folder / boxes, raw_folder / images, labels, out_folder / out)
    if (raw_folder / "test").is_dir():
        with _written(out_folder / PREPARED.test) as file:
            for path in sorted((raw_folder / "test").glob("*.jpg")):
                file.write("{}\n{} {}\n0\n".format(path.name, *image_size(path)))


def read_classes(file: Path) -> dict[str, str]:
    """Read the class descriptions.

    Args:
        file: A CSV file without a head. Each line has a label such as ``/m/0k4j`` and a name.

    Returns:
        Label → name, in the file's order. Two labels may have the same name, as those of ``Bench``
        and of ``Mouse`` in the challenge's file do.

    Raises:
        DatasetError: The file is missing or empty, a line has other columns, or a label repeats.
    """
    classes: dict[str, str] = {}
    with opened(file) as lines:
        for number, row in enumerate(csv.reader(lines), start=1):
            if len(row) != 2 or not all(row):
                raise DatasetError(f"{file}: line {number}: expected 'label,name', found {row}")
            label, name = row
            if label in classes:
                raise DatasetError(f"{file}: line {number}: class {label!r} is listed already")
            classes[label] = name
    if not classes:
        raise DatasetError(f"{file}: lists no classes")
    return classes


def image_size(file: Path) -> tuple[int, int]:
    """Return width and height in pixels of an image as viewers show it, which is how it is read.

    Raises:
        DatasetError: There is no such image, or it cannot be read.
    """
    try:
        with file.open("rb") as content:
            picture = open_picture(content)
            if picture is None:
                raise DatasetError(f"{file}: not a readable image; fetch it again")
            return shown_size(picture.size, orientation_of(picture))
    except FileNotFoundError:
        raise DatasetError(f"{file}: no such image; fetch it or correct the folder") from None
    except (OSError, SyntaxError) as error:
        raise DatasetError(f"{file}: not a readable image ({error}); fetch it again") from error


def _write_boxes(boxes: Path, images: Path, labels: Sequence[str], out: Path) -> None:
    """Write the boxes of a split, and the size of each image, as mmdet reads them."""
    number = {label: i for i, label in enumerate(labels, start=1)}
    seen: set[str] = set()
    with _written(out) as file:
        rows = _rows(boxes, _BOX_COLUMNS)
        for image, group in itertools.groupby(rows, key=lambda row: row[1][0]):
            lines = [_box_line(f"{boxes}: line {at}", row, number) for at, row in group]
            if image in seen:
                raise DatasetError(
                    f"{boxes}: image {image!r} comes up again after others; sort it by ImageID"
                )
            seen.add(image)
            name = f"{image}.jpg"
            file.write("{}\n{} {}\n{}\n".format(name, *image_size(images / name), len(lines)))
            file.writelines(lines)
    if not seen:
        raise DatasetError(f"{boxes}: has no box")


def _box_line(where: str, row: Sequence[str], number: Mapping[str, int]) -> str:
    """Return the line that stands for a published box.

    Args:
        where: The place of the box, named in errors.
        row: The box's values in ``_BOX_COLUMNS``.
        number: Label → id of each class.

    Raises:
        DatasetError: The class is unknown, the corners are no box, or IsGroupOf is no flag.
    """
    _, label, *corners, is_group = row
    _require_class(where, label, number)
    if not is_box(corners):
        raise DatasetError(
            f"{where}: class {label!r}: expected 0 ≤ XMin ≤ XMax ≤ 1 and the same in y, found "
            f"XMin, YMin, XMax, YMax {', '.join(map(repr, corners))}"
        )
    if is_group not in _GROUP:
        raise DatasetError(f"{where}: class {label!r}: IsGroupOf is {is_group!r}, not 0, 1 or -1")
    return f"{number[label]} {' '.join(corners)} {_GROUP[is_group]}\n"


def _write_image_labels(
    verified: Path, labels: Sequence[str], relations: Relations, out: Path
) -> None:
    """Write which classes a person has looked for in each image and whether they are there.

    A class that is there brings its ancestors with it, and one that is not takes its descendants
    along, as the top of this module says. Each answer is written once for an image.
    """
    number = {label: i for i, label in enumerate(labels, start=1)}
    written: set[tuple[str, int, bool]] = set()
    with _written(out) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_LABEL_COLUMNS)
        for at, (image, label, confidence) in _rows(verified, _LABEL_COLUMNS):
            where = f"{verified}: line {at}"
            _require_class(where, label, number)
            if confidence not in _PRESENT:
                raise DatasetError(
                    f"{where}: class {label!r}: Confidence is {confidence!r}; a person says 0 or 1"
                )
            present = _PRESENT[confidence]
            related = relations[number[label]] if present else relations[:, number[label]]
            for i in np.flatnonzero(related).tolist():
                if (image, i, present) not in written:
                    written.add((image, i, present))
                    writer.writerow((image, labels[i - 1], int(present)))


def _require_class(where: str, label: str, known: Mapping[str, int]) -> None:
    if label not in known:
        raise DatasetError(
            f"{where}: class {label!r} is not among the class descriptions; "
            f"{near_names(label, known)}"
        )


def _rows(file: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each line and its values in the columns asked for.

    Args:
        file: A CSV file with a head.
        columns: Names of columns. The first of them holds image ids.

    Raises:
        DatasetError: A column is missing, a line has too few or too many values, or an image id
            could not be a file name.
    """
    with opened(file) as lines:
        reader = csv.reader(lines)
        head = next(reader, [])
        for column in columns:
            if column not in head:
                raise DatasetError(
                    f"{file}: line 1: no column {column!r}; {near_names(column, head)}"
                )
        places = [head.index(column) for column in columns]
        for number, row in enumerate(reader, start=2):
            if len(row) != len(head):
                raise DatasetError(
                    f"{file}: line {number}: {len(row)} values under {len(head)} heads; the file "
                    "may be incomplete: fetch it again"
                )
            values = [row[place] for place in places]
            if not _IMAGE_ID.fullmatch(values[0]):
                raise DatasetError(f"{file}: line {number}: {values[0]!r} is no image id")
            yield number, values


@contextmanager
def _written(file: Path) -> Iterator[IO[str]]:
    """Open a text file for writing that appears under its name only once it is complete."""
    with _replaced(file) as partial, partial.open("w", encoding="utf-8", newline="") as content:
        yield content


@contextmanager
def _replaced(file: Path) -> Iterator[Path]:
    """Give a path to write to; what was written there becomes ``file`` unless there is an error."""
    partial = file.with_name(f".partial-{file.name}")
    try:
        yield partial
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)

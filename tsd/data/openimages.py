"""Open Images Challenge 2019, object detection: from the files it publishes to those we train on.

``prepare`` reads what the challenge publishes (``RAW``) and the images, and writes (``PREPARED``)

* ``train.txt``, ``validation.txt`` and, where its images are there, ``test.txt``: boxes in the
  format of mmdet's ``OpenImagesChallengeDataset``. For each image a line with its file name, a line
  with its width and height in pixels, a line with the number n of boxes and n lines
  ``id xmin ymin xmax ymax is_group_of``. Coordinates are in [0, 1], as published. mmdet skips the
  second line and wants a pickle of image sizes instead, which we do not need;
* ``cls-label-description.csv``: label, name and id of each class, ids counted from 1;
* ``class_label_tree.npy``: ``relation_matrix``;
* ``validation-image-labels.csv``: which classes an annotator has looked for in an image.

**Hierarchy.** The published annotations name the most specific class only. Image-level labels are
expanded here, as the challenge's protocol does before it evaluates: who finds a car finds a
vehicle, and where there is no vehicle there is no car. Boxes are not. At evaluation the metric
expands ground truth and detections itself, with the relation matrix; in training a RoI has one
label under softmax, and a second box of another class at the same place would contradict it.

Source of the protocol: https://storage.googleapis.com/openimages/web/evaluation.html and
``challenge_evaluation.md`` of TensorFlow's object detection API, to which it refers.

Shapes: K number of classes.
"""

import csv
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from tsd.data.coco_format import DatasetError, near_names, some_of

Relations = NDArray[np.uint8]


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
    """Names of the files that ``prepare`` writes."""

    classes: str = "cls-label-description.csv"
    relations: str = "class_label_tree.npy"
    train: str = "train.txt"
    validation: str = "validation.txt"
    validation_labels: str = "validation-image-labels.csv"
    test: str = "test.txt"


RAW, PREPARED = RawFiles(), PreparedFiles()

_IMAGE_ID = re.compile(r"[0-9A-Za-z_-]+")

_BOX_COLUMNS = ("ImageID", "LabelName", "XMin", "YMin", "XMax", "YMax", "IsGroupOf")
_LABEL_COLUMNS = ("ImageID", "LabelName", "Confidence")

_GROUP = {"0": 0, "1": 1, "-1": 0}  # as published → as written; -1 is "nobody has looked"

_PRESENT = {"0": False, "0.0": False, "1": True, "1.0": True}

_ORIENTATION = 0x0112  # EXIF tag
_LYING = (5, 6, 7, 8)  # its values for an image that is turned by a quarter when it is shown


@dataclass(frozen=True)
class OpenImagesReport:
    """What one prepared split holds.

    Attributes:
        annotation_file: The file that was checked.
        images: Number of images.
        annotations: Number of boxes, group boxes included.
        group_of: Number of boxes around more than five instances that touch.
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


def prepare(raw_folder: Path, out_folder: Path) -> None:
    """Write the files that training and evaluation read; the same input gives the same bytes.

    Args:
        raw_folder: Has the files of ``RAW`` and the images, ``train/{id}.jpg`` and
            ``validation/{id}.jpg``, and ``test/`` for a submission to the leaderboard.
        out_folder: Takes the files of ``PREPARED``; made if missing.

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
        file: CSV without a head: a label such as ``/m/0k4j``, a name.

    Returns:
        Label → name, in the file's order. A name may stand for two labels: in the challenge's file
        ``Bench`` and ``Mouse`` do.

    Raises:
        DatasetError: The file is missing or empty, a line has other columns, or a label repeats.
    """
    classes: dict[str, str] = {}
    with _opened(file) as lines:
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


def read_hierarchy(file: Path, labels: Sequence[str]) -> Relations:
    """The relation matrix of a hierarchy file; a ``DatasetError`` names the file."""
    try:
        with _opened(file) as content:
            tree = json.load(content)
    except json.JSONDecodeError as error:
        raise DatasetError(f"{file}: not JSON ({error}); fetch it again") from error
    try:
        return relation_matrix(tree, labels)
    except DatasetError as error:
        raise DatasetError(f"{file}: {error}") from error


def relation_matrix(tree: Mapping[str, Any], labels: Sequence[str]) -> Relations:
    """Tell which classes a class is one of: itself and its ancestors.

    Args:
        tree: ``{"LabelName": …, "Subcategory": [more of them]}``. The root stands for everything
            and is no class. A class may stand in several places; it is all that any of them says.
        labels: The K classes.

    Returns:
        0 or 1, [K + 1, K + 1]: [i, j] is 1 where whatever is of class i is of class j too. Classes
        count from 1; row and column 0 belong to the background and are 0. This is what mmdet reads
        as ``class_label_tree``, of which it drops row and column 0.

    Raises:
        DatasetError: A class is not in the tree, the tree has one that is not asked for, or two
            classes are each an ancestor of the other.
    """
    number = {label: i for i, label in enumerate(labels, start=1)}
    relations = np.zeros((len(labels) + 1, len(labels) + 1), np.uint8)

    def visit(node: Mapping[str, Any], parent: int | None) -> None:
        for child in node.get("Subcategory", ()):
            label = child.get("LabelName")
            if label not in number:
                raise DatasetError(
                    f"class {label!r} of the hierarchy is not among the class descriptions; "
                    f"{near_names(str(label), number)}"
                )
            relations[number[label], number[label]] = 1
            if parent is not None:
                relations[number[label], parent] = 1
            visit(child, number[label])

    visit(tree, None)
    missing = [label for label in labels if not relations[number[label], number[label]]]
    if missing:
        raise DatasetError(f"classes that the hierarchy does not have: {some_of(missing)}")
    while True:  # a parent's parents are ancestors too, wherever in the tree it is said
        steps = relations.astype(np.float32)  # for the speed of BLAS
        further = (steps @ steps > 0).astype(np.uint8)
        if np.array_equal(further, relations):
            break
        relations = further
    for i, j in np.argwhere(np.triu(relations & relations.T, k=1)):
        raise DatasetError(
            f"classes {labels[i - 1]!r} and {labels[j - 1]!r} are each an ancestor of the other"
        )
    return relations


def image_size(file: Path) -> tuple[int, int]:
    """Width and height in pixels as mmcv loads the image, that is, turned as its EXIF data say.

    Raises:
        DatasetError: There is no such image, or it cannot be read.
    """
    try:
        with Image.open(file) as image:
            width, height = image.size
            lying = image.getexif().get(_ORIENTATION) in _LYING
    except FileNotFoundError:
        raise DatasetError(f"{file}: no such image; fetch it or correct the folder") from None
    except (OSError, UnidentifiedImageError) as error:
        raise DatasetError(f"{file}: not a readable image ({error}); fetch it again") from error
    return (height, width) if lying else (width, height)


def check_split(
    annotation_file: Path, image_dir: Path, classes: Sequence[str], class_file: Path
) -> OpenImagesReport:
    """Check one prepared split and count what it holds.

    Args:
        annotation_file: ``train.txt`` or ``validation.txt`` of ``prepare``.
        image_dir: Folder of the images that it names.
        classes: Names of the classes of the declared data set, in order.
        class_file: ``cls-label-description.csv`` of ``prepare``.

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
    """Names of classes (label, name), the label added where several have one name."""
    count = Counter(name for _, name in classes)
    return [f"{name} ({label})" if count[name] > 1 else name for label, name in classes]


Box = tuple[int, float, float, float, float, int]
"""Class from 1, xmin, ymin, xmax, ymax in [0, 1], 1 for a group."""


def read_boxes(file: Path, classes: int) -> Iterator[tuple[str, tuple[int, int], list[Box]]]:
    """Yield file name, (width, height) in pixels and boxes of each image of a prepared split.

    Args:
        file: As ``prepare`` writes it.
        classes: K.

    Raises:
        DatasetError: The file is missing, ends too early, or a line is not of the format.
    """
    with _opened(file) as content:
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
    if not 1 <= int(number) <= classes or is_group not in ("0", "1") or not _is_box(corners):
        raise ValueError(f"no box of one of {classes} classes: {line.strip()!r}")
    x1, y1, x2, y2 = map(float, corners)
    return int(number), x1, y1, x2, y2, int(is_group)


def _is_box(corners: Sequence[str]) -> bool:
    """Tell whether texts are xmin, ymin, xmax, ymax in [0, 1]."""
    try:
        x1, y1, x2, y2 = map(float, corners)
    except ValueError:
        return False
    return 0 <= x1 <= x2 <= 1 and 0 <= y1 <= y2 <= 1


def _classes_in(class_file: Path) -> list[tuple[str, str]]:
    """Label and name of each class of a prepared file, in order."""
    with _opened(class_file) as lines:
        return [(row[0], row[1]) for row in csv.reader(lines)]


def _write_boxes(boxes: Path, images: Path, labels: Sequence[str], out: Path) -> None:
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
    _, label, *corners, is_group = row
    _require_class(where, label, number)
    if not _is_box(corners):
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
    """Write the verified classes of each image, expanded over the hierarchy."""
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
    """Yield line number and the values in those columns; the first of them is an image id."""
    with _opened(file) as lines:
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
def _opened(file: Path) -> Iterator[IO[str]]:
    if not file.is_file():
        folder = file.parent
        there = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        raise DatasetError(f"{file}: no such file; in its folder, {near_names(file.name, there)}")
    with file.open(encoding="utf-8", newline="") as content:
        yield content


@contextmanager
def _written(file: Path) -> Iterator[IO[str]]:
    """A text file that is there only once it is complete."""
    with _replaced(file) as partial, partial.open("w", encoding="utf-8", newline="") as content:
        yield content


@contextmanager
def _replaced(file: Path) -> Iterator[Path]:
    """A path to write to that becomes ``file`` unless there is an error."""
    partial = file.with_name(f".partial-{file.name}")
    try:
        yield partial
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)

"""COCO 2014 divided as the paper divides it: trainval35k for training, minival for testing.

COCO 2014 has 82,783 *train* and 40,504 *val* images. The paper tests on 5,000 of the latter, called
*minival*. It trains on *train* and on the other 35,504 of *val*, which makes the 118,287 images
called *trainval35k*. In 2017 COCO made this its own division: val2017 is minival, train2017 is
trainval35k, and the images have kept their ids. Therefore a file of 2017's val annotations tells
which images are minival's.

The training images lie in two folders. In both files that are written ``file_name`` is therefore
relative to the data set's root, as in ``train2014/COCO_train2014_….jpg``.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from tsd.data.coco_format import DatasetError, Entry, read_annotations, some_of

TRAINVAL35K = "trainval35k2014.json"
MINIVAL = "minival2014.json"

Content = dict[str, list[Entry]]


@dataclass(frozen=True)
class Division:
    """What the two parts hold.

    Attributes:
        train_images: Number of images of trainval35k.
        train_annotations: Number of its annotations, crowd regions included.
        minival_images: Number of images of minival.
        minival_annotations: Number of its annotations, crowd regions included.
        differing: Number of annotations of minival's images that only one of two files has, or that
            differ in image, category, box or crowd flag. The files are COCO 2014's val annotations
            and the file that named the images.
    """

    train_images: int
    train_annotations: int
    minival_images: int
    minival_annotations: int
    differing: int


def divide(folder: Path, minival_file: Path) -> Division:
    """Write the annotations of trainval35k and minival beside those of COCO 2014.

    Args:
        folder: Folder of ``instances_train2014.json`` and ``instances_val2014.json``.
        minival_file: Annotations in COCO's format whose images are minival's. This is
            ``instances_val2017.json``, or somebody's ``instances_minival2014.json``.

    Raises:
        DatasetError: A file is missing or is not in COCO's format, minival is not a part of
            val2014 or is all of it, or the two files of 2014 have other categories.
    """
    train_file, val_file = (folder / f"instances_{part}2014.json" for part in ("train", "val"))
    if not train_file.is_file() and (folder / "instances_train2017.json").is_file():
        raise DatasetError(
            f"{train_file}: no such file; {folder} has COCO 2017, which is the same division of "
            "the same images: use the data set coco2017"
        )
    train, val = read_annotations(train_file), read_annotations(val_file)
    named = read_annotations(minival_file)
    if train["categories"] != val["categories"]:
        raise DatasetError(f"{val_file}: 'categories' are not those of {train_file}")
    ids = {image["id"] for image in named["images"]}
    lost = ids - {image["id"] for image in val["images"]}
    if lost or len(ids) == len(val["images"]):
        raise DatasetError(
            f"{minival_file}: its images cannot be minival: it must be a part of {val_file}, but "
            + (f"that lacks the ids {some_of(sorted(lost))}" if lost else "it has all of that")
        )
    minival, rest = _part(val, ids, inside=True), _part(val, ids, inside=False)
    trainval35k = {
        **train,
        "images": _below("train2014", train) + _below("val2014", rest),
        "annotations": train["annotations"] + rest["annotations"],
    }
    _write(folder / TRAINVAL35K, trainval35k)
    _write(folder / MINIVAL, {**minival, "images": _below("val2014", minival)})
    return Division(
        train_images=len(trainval35k["images"]),
        train_annotations=len(trainval35k["annotations"]),
        minival_images=len(minival["images"]),
        minival_annotations=len(minival["annotations"]),
        differing=_differing(minival["annotations"], named["annotations"]),
    )


def _part(content: Content, ids: set[int], inside: bool) -> Content:
    """Return the images that have these ids, or those that do not, and their annotations."""
    return {
        **content,
        "images": [image for image in content["images"] if (image["id"] in ids) == inside],
        "annotations": [
            entry for entry in content["annotations"] if (entry["image_id"] in ids) == inside
        ],
    }


def _below(folder: str, content: Content) -> list[Entry]:
    """Return the images of a part with the folder they lie in added to their names."""
    return [{**image, "file_name": f"{folder}/{image['file_name']}"} for image in content["images"]]


def _differing(ours: list[Entry], theirs: list[Entry]) -> int:
    """Count the ids under which the two lists do not have the same annotation."""
    said, there = (
        {
            entry["id"]: [entry[key] for key in ("image_id", "category_id", "bbox", "iscrowd")]
            for entry in entries
        }
        for entries in (ours, theirs)
    )
    return sum(said.get(key) != there.get(key) for key in said.keys() | there.keys())


def _write(file: Path, content: Content) -> None:
    partial = file.with_name(f".{file.name}.partial")
    with partial.open("w", encoding="utf-8") as stream:
        json.dump(content, stream)
    partial.replace(file)

"""Checks of a COCO-format data set, made before anything trains.

A training on a data set with one wrong entry may fail late, with a ``KeyError`` after an hour, or
not at all: a misspelt class is trained as a class without objects. ``check_split`` therefore reads
the annotation file and the image folder of one split first. It either counts what is there or
raises one ``DatasetError`` that says what is wrong, where, and what to do.

Boxes are COCO xywh in pixels: left, top, width, height.

**Empty boxes** are no error, because real data sets have some. They are counted as ``zero_area``.
A box counts as empty exactly if mmdet's ``CocoDataset.parse_data_info`` drops it for its size: its
intersection with the image has no area, or its width or height is below one pixel, or its ``area``
is not above zero. Training therefore never sees such a box, but evaluation does: COCO's protocol
ignores only crowd regions and counts an empty box as an object. A box without width or height
overlaps nothing, so that no detection can match it. It is a miss at every threshold and lowers
recall and AP, those of its size range too. Whoever does not want that in the scores has to remove
such annotations from the file.

**Crowd regions** (``iscrowd`` 1) are ignored by training and evaluation. They are counted apart.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tsd.data.coco_format import DatasetError, Entry, near_names, read_annotations, some_of


@dataclass(frozen=True)
class SplitReport:
    """What one split holds.

    An *object* is an annotation that is neither a crowd region nor empty, of one of the classes
    asked for.

    Attributes:
        annotation_file: The file that was checked.
        images: Number of images.
        annotations: Number of annotations of every kind.
        crowd: Number of crowd regions.
        zero_area: Number of empty boxes, crowd regions not included.
        per_class: Number of objects of each class.
        small: Number of objects with an ``area`` below 32² pixels.
        medium: Number of objects with an ``area`` from 32² to 96² pixels.
        large: Number of objects with an ``area`` above 96² pixels.
        images_without_objects: Number of images that have no object.
    """

    annotation_file: str
    images: int
    annotations: int
    crowd: int
    zero_area: int
    per_class: dict[str, int]
    small: int
    medium: int
    large: int
    images_without_objects: int


def size_bin(area: float) -> str:
    """Return COCO's size range of an area in square pixels: small, medium or large."""
    if area < 32**2:
        return "small"
    return "medium" if area <= 96**2 else "large"


def _check_references(file: Path, content: Mapping[str, list[Entry]]) -> None:
    """Check that all annotations refer to images and categories that the file has."""
    for field, key in (("image_id", "images"), ("category_id", "categories")):
        known = {entry["id"] for entry in content[key]}
        lost = [entry for entry in content["annotations"] if entry[field] not in known]
        if lost:
            raise DatasetError(
                f"{file}: annotations whose {field!r} is not among {key!r}: "
                f"ids {some_of(entry['id'] for entry in lost)}, the first with {lost[0][field]}; "
                f"add the {key} or remove these annotations"
            )


def _check_images(file: Path, folder: Path, images: Sequence[Entry]) -> None:
    """Check that the folder has all image files that the annotation file names."""
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such image folder, for the images of {file}")
    # One listing is much faster than asking for each of 100,000 images.
    present = {path.name for path in folder.iterdir()}
    names = (image["file_name"] for image in images)
    missing = [name for name in names if name not in present and not (folder / name).is_file()]
    if missing:
        raise DatasetError(
            f"{folder}: image files that {file} names ('file_name') are missing: "
            f"{some_of(missing)}; put them there or correct the image folder"
        )


def _is_empty(annotation: Entry, image: Entry) -> bool:
    """Tell whether training drops a box (xywh) for its size; see the top of this module."""
    x, y, w, h = annotation["bbox"]
    seen_w = min(x + w, image["width"]) - max(x, 0)
    seen_h = min(y + h, image["height"]) - max(y, 0)
    return bool(seen_w <= 0 or seen_h <= 0 or w < 1 or h < 1 or annotation["area"] <= 0)


def check_split(
    annotation_file: Path, image_dir: Path, classes: Sequence[str] | None = None
) -> SplitReport:
    """Check one split of a COCO-format data set and count what it holds.

    Args:
        annotation_file: COCO annotations for detection, a JSON file.
        image_dir: Folder that the ``file_name`` of images is relative to.
        classes: Names of the classes to train, or None for all categories of the file. The file
            may have other categories. Training ignores them, and they count as no objects here.

    Raises:
        DatasetError: The annotation file or an image file is missing; the file is not JSON, not
            in COCO's format or repeats an ``id``; an annotation refers to an unknown image or
            category; the file lacks one of ``classes``; or no object is left to train on.
    """
    content = read_annotations(annotation_file)
    _check_references(annotation_file, content)
    _check_images(annotation_file, image_dir, content["images"])
    names = {category["id"]: category["name"] for category in content["categories"]}
    wanted = list(names.values()) if classes is None else list(classes)
    for name in wanted:
        if name not in names.values():
            raise DatasetError(
                f"{annotation_file}: 'categories' has no class {name!r} of those asked for; "
                f"{near_names(name, names.values())}"
            )
    images = {image["id"]: image for image in content["images"]}
    annotations = content["annotations"]
    solid = [entry for entry in annotations if not entry["iscrowd"]]
    filled = [entry for entry in solid if not _is_empty(entry, images[entry["image_id"]])]
    objects = [entry for entry in filled if names[entry["category_id"]] in wanted]
    if not objects:
        raise DatasetError(
            f"{annotation_file}: 'annotations' has no valid box: of {len(annotations)}, "
            f"{len(annotations) - len(solid)} are crowd regions, {len(solid) - len(filled)} are "
            f"empty and {len(filled)} are of other classes; check 'bbox', 'area' and the classes"
        )
    per_class = Counter(names[entry["category_id"]] for entry in objects)
    sizes = Counter(size_bin(entry["area"]) for entry in objects)
    return SplitReport(
        annotation_file=str(annotation_file),
        images=len(images),
        annotations=len(annotations),
        crowd=len(annotations) - len(solid),
        zero_area=len(solid) - len(filled),
        per_class={name: per_class[name] for name in wanted},
        small=sizes["small"],
        medium=sizes["medium"],
        large=sizes["large"],
        images_without_objects=len(images.keys() - {entry["image_id"] for entry in objects}),
    )

"""Checks of a COCO-format data set, made before anything trains.

A training on a data set with one wrong entry may fail late, with a ``KeyError`` after an hour, or
not at all: a misspelt class is trained as a class without objects. ``check_split`` therefore reads
the annotation file and the image folder of one split first. It either counts what becomes of each
annotation (``tsd.data.fates``) or raises one ``DatasetError`` that says what is wrong, where, and
what to do.
"""

import posixpath
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from tsd.data.box_check import check_boxes
from tsd.data.coco_format import (
    DatasetError,
    Entry,
    counted,
    near_names,
    read_annotations,
    some_of,
)
from tsd.data.fates import fate_in_evaluation, fate_in_training
from tsd.data.labels import Labels, label_categories
from tsd.data.masks import mask_of
from tsd.data.split_report import OBJECTS, Fate, Mask, Purpose, SplitReport, counts_of

MEDIUM, LARGE = 32**2, 96**2
"""Square pixels from which on COCO calls an object medium, and above which it calls it large."""


def size_bin(area: float) -> str:
    """Return COCO's size range of an area in square pixels: small, medium or large."""
    if area < MEDIUM:
        return "small"
    return "medium" if area <= LARGE else "large"


def check_split(
    annotation_file: Path,
    image_dir: Path,
    classes: Sequence[str] | None = None,
    *,
    purpose: Purpose = Purpose.TRAINING,
    smallest_side: float = 0,
) -> SplitReport:
    """Check one split of a COCO-format data set and count what becomes of its annotations.

    Args:
        annotation_file: COCO annotations for detection, a JSON file.
        image_dir: Folder that the ``file_name`` of images is relative to.
        classes: Names of the classes, in the order of their labels, or None for all categories of
            the file. The file may have other categories, which count as no objects here.
        purpose: What the split is for.
        smallest_side: Images with a side below so many pixels are left out of training.

    Raises:
        DatasetError: The annotation file or an image file is missing; the file is not JSON, not
            in COCO's format, repeats an ``id`` or names an image twice; an annotation refers to an
            unknown image or category; the file does not tell the categories of ``classes``; or no
            object is left.
        BoxError: Boxes are not xywh in pixels.
    """
    content = read_annotations(annotation_file)
    _check_references(annotation_file, content)
    _check_names(annotation_file, content["images"])
    _check_images(annotation_file, image_dir, content["images"])
    labels = label_categories(annotation_file, content, classes)
    images = {image["id"]: image for image in content["images"]}
    annotations = content["annotations"]
    fate_of = _fates(purpose, set(labels.category_ids), images, smallest_side)
    fates = [fate_of(annotation) for annotation in annotations]
    counts = counts_of(purpose, fates)
    fated = list(zip(annotations, fates, strict=True))
    not_solid = (Fate.OTHER_CLASS, Fate.CROWD)
    notes = check_boxes(annotation_file, [a for a, fate in fated if fate not in not_solid], images)
    objects = [annotation for annotation, fate in fated if fate in OBJECTS]
    if not objects:
        raise DatasetError(
            f"{annotation_file}: 'annotations' has no valid box for {purpose.value}: "
            f"{_what_becomes_of(counts)}; check 'bbox', 'area', 'iscrowd' and the classes"
        )
    per_class = Counter(entry["category_id"] for entry in objects)
    sizes = Counter(size_bin(entry["area"]) for entry in objects)
    masks = Counter(_mask(entry, images) for entry in objects)
    return SplitReport(
        annotation_file=str(annotation_file),
        purpose=purpose,
        images=len(images),
        images_without_objects=len(images.keys() - {entry["image_id"] for entry in objects}),
        annotations=len(annotations),
        fates=counts,
        per_class={
            name: per_class[category]
            for name, category in zip(labels.names, labels.category_ids, strict=True)
        },
        sizes={size: sizes[size] for size in ("small", "medium", "large")},
        masks={mask: masks[mask] for mask in Mask},
        notes=[
            *_about_names(annotation_file, labels),
            *_about_flags(annotation_file, counts),
            *notes,
            *_about_repeats(annotation_file, objects),
        ],
    )


def count_masks(
    annotation_file: Path, classes: Sequence[str], *, purpose: Purpose, smallest_side: float = 0
) -> tuple[dict[Mask, int], list[int]]:
    """Count the objects of a split by what their masks are worth to a run with masks.

    Args:
        annotation_file: As for :func:`check_split`, as are the others.
        classes: Names of the classes.
        purpose: What the split is for.
        smallest_side: Images with a smaller side are left out of training.

    Returns:
        The number of each, and the annotation ids of the objects whose mask is of no use.

    Raises:
        DatasetError: The annotation file is missing or not in COCO's format, an annotation refers
            to an unknown image, or the file does not tell the categories of ``classes``.
    """
    content = read_annotations(annotation_file)
    _check_references(annotation_file, content)
    labels = label_categories(annotation_file, content, classes)
    images = {image["id"]: image for image in content["images"]}
    fate_of = _fates(purpose, set(labels.category_ids), images, smallest_side)
    masks = {
        entry["id"]: _mask(entry, images)
        for entry in content["annotations"]
        if fate_of(entry) in OBJECTS
    }
    count = Counter(masks.values())
    useless = [number for number, mask in masks.items() if not mask.usable]
    return {mask: count[mask] for mask in Mask}, useless


def _fates(
    purpose: Purpose, categories: Collection[int], images: Mapping[int, Entry], smallest_side: float
) -> Callable[[Entry], Fate]:
    """The function that says what becomes of an annotation in a split of this purpose."""
    if purpose is Purpose.TRAINING:
        return lambda entry: fate_in_training(
            entry, images[entry["image_id"]], categories, smallest_side
        )
    return lambda entry: fate_in_evaluation(entry, images[entry["image_id"]], categories)


def _mask(annotation: Entry, images: Mapping[int, Entry]) -> Mask:
    image = images[annotation["image_id"]]
    return mask_of(annotation.get("segmentation"), image["height"], image["width"])


def _what_becomes_of(counts: Mapping[Fate, int]) -> str:
    """The numbers of all fates that occur, in words."""
    named = [f"{count} {fate.text}" for fate, count in counts.items() if count]
    return f"of {sum(counts.values())}, {'; '.join(named) or 'none'}"


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


def _check_names(file: Path, images: Sequence[Entry]) -> None:
    """Check that no two images are the same file."""
    ids = defaultdict(list)
    for image in images:
        ids[posixpath.normpath(image["file_name"])].append(image["id"])
    twice = [f"{name} (ids {some_of(same)})" for name, same in ids.items() if len(same) > 1]
    if twice:
        raise DatasetError(
            f"{file}: 'file_name' must be unique in 'images', but several images have the same: "
            f"{some_of(twice, str)}; give all annotations of a file to one image, and remove the "
            "others"
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
            f"{some_of(missing)}; {_remedy(folder, missing[0], present)}"
        )


def _remedy(folder: Path, missing: str, present: Collection[str]) -> str:
    """What to do about an image file that is missing."""
    if "\\" in missing:
        return (
            "'file_name' has backslashes, which separate folders on Windows alone: write '/' in "
            "their place"
        )
    return (
        "put them there or correct the image folder; of the first, in that folder, "
        f"{near_names(missing, present)}"
    )


def _about_names(file: Path, labels: Labels) -> Iterable[str]:
    for name, others in labels.passed_over.items():
        taken = labels.category_ids[labels.names.index(name)]
        yield (
            f"{file}: {len(others) + 1} of 'categories' have the name {name!r}. The one with id "
            f"{taken} is taken, since only it has annotations."
        )


def _about_flags(file: Path, counts: Mapping[Fate, int]) -> Iterable[str]:
    number = counts.get(Fate.FLAGGED, 0) + counts.get(Fate.EVALUATED_THOUGH_FLAGGED, 0)
    if number:
        yield (
            f"{file}: {counted(number, 'object has', 'objects have')} 'ignore': 1. To training "
            "this is background, while COCO's evaluation asks for it. Remove the flag where it is "
            "an object, and set 'iscrowd' to 1 where it is to count in neither."
        )


def _about_repeats(file: Path, objects: Sequence[Entry]) -> Iterable[str]:
    seen: set[tuple[object, ...]] = set()
    repeats = []
    for entry in objects:
        what = (entry["image_id"], entry["category_id"], *entry["bbox"])
        if what in seen:
            repeats.append(entry["id"])
        seen.add(what)
    if repeats:
        yield (
            f"{file}: {counted(len(repeats), 'object is', 'objects are')} annotated twice, in the "
            f"same image with the same class and box: annotation ids {some_of(repeats)}. "
            "Detections of the same box are merged, so that one of two counts as missed."
        )

"""COCO's evaluation of dumped detections, boxes and masks.

A :class:`CocoEvaluation` holds what COCO's matching gives. The metrics are functions of it, one for
each idea; :mod:`tsd.experiments.metrics` names the function of each metric with its arguments.
Every metric is in percent, None where the annotations leave nothing to measure.

Shapes: T IoU thresholds (``IOU_THRESHOLDS``), R recall steps (101), K classes by category id, A
sizes (``AREAS``), M numbers of detections that count in an image and class, the largest last.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray

from tsd.data.coco_format import read_json_file
from tsd.data.labels import label_categories
from tsd.data.masks import mask_of, usable_polygons
from tsd.experiments import dataset_schema
from tsd.experiments.metrics import IOU_PERCENT, SIZES

IOU_THRESHOLDS: tuple[float, ...] = tuple(np.linspace(0.5, 0.95, len(IOU_PERCENT)).tolist())
AREAS = ("all", *SIZES)
AREA_RANGES = ((0.0, 1e10), (0.0, 32.0**2), (32.0**2, 96.0**2), (96.0**2, 1e10))
"""The smallest and the largest area of each of ``AREAS``, in square pixels; both belong to it."""
NO_POLYGONS: tuple[list[float], ...] = ()
MAX_DETECTIONS = (1, 10, dataset_schema.MAX_DETECTIONS)
"""How many detections count in an image and class, in COCO's protocol; AP is that with the last."""


@dataclass(frozen=True, eq=False)
class CocoEvaluation:
    """What matching detections with annotations gave, for boxes or for masks.

    Args:
        precision: Interpolated precision with the most detections, Array[T, R, K, A], −1 where
            there is nothing to measure.
        recall: Highest recall, Array[T, K, A, M], −1 likewise.
        ground_truth: The annotation file's ``images``, ``categories`` and ``annotations``, less
            the categories that do not count.
        detections: Entries in COCO's results format.
        max_detections: M numbers, the last of which is the most detections that count.
        overlaps: Ids of an image and a class that both have detections and annotations there → IoU,
            Array[detections by falling score, annotations in the order of the file].
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    ground_truth: dict[str, list[dict]]
    detections: list[dict]
    max_detections: tuple[int, ...] = MAX_DETECTIONS
    overlaps: dict[tuple[int, int], NDArray[np.float64]] = field(default_factory=dict)


def average_precision(
    evaluation: CocoEvaluation, iou: int | None = None, size: str = "all"
) -> float | None:
    """Mean of the precision over recall steps and classes.

    Args:
        evaluation: Of boxes or masks.
        iou: Threshold in hundredths; the mean over all ten where it is None.
        size: One of ``AREAS``.
    """
    thresholds = slice(None) if iou is None else IOU_PERCENT.index(iou)
    return _mean_percent(evaluation.precision[thresholds, ..., AREAS.index(size)])


def average_recall(
    evaluation: CocoEvaluation, detections: int | None = None, size: str = "all"
) -> float | None:
    """Mean of the highest recall over IoU thresholds and classes.

    Args:
        evaluation: Of boxes or masks.
        detections: How many of an image's detections of a class count, one of ``MAX_DETECTIONS``;
            the most that do where it is None, or where it is more than that.
        size: One of ``AREAS``.
    """
    most = evaluation.max_detections[-1]
    counted = evaluation.max_detections.index(most if detections is None else min(detections, most))
    return _mean_percent(evaluation.recall[..., AREAS.index(size), counted])


def precision_per_class(evaluation: CocoEvaluation) -> dict[str, float | None]:
    """AP of each category by its name, categories in the order of their ids."""
    categories = sorted(evaluation.ground_truth["categories"], key=lambda category: category["id"])
    return {
        category["name"]: _mean_percent(evaluation.precision[:, :, k, 0])
        for k, category in enumerate(categories)
    }


def evaluate_boxes(
    annotation_file: Path,
    detections: list[dict] | Path,
    classes: Sequence[str] | None = None,
    max_detections: int = MAX_DETECTIONS[-1],
) -> CocoEvaluation:
    """Match detected boxes with the annotated ones.

    Args:
        annotation_file: Ground truth in COCO's format. An annotation's ``area`` says its size:
            small to 32² square pixels, medium from there to 96², large from there on.
        detections: COCO's results format, a list of ``{"image_id", "category_id", "bbox":
            [x, y, width, height] in pixels, "score"}``, or the JSON file that holds it. An empty
            list is an answer: 0 wherever there is ground truth. The list is not changed.
        classes: Names of the classes that count; all categories of the annotation file if not
            given. They are brought together with categories by
            :func:`tsd.data.labels.label_categories`.
        max_detections: How many detections count in an image and class; COCO's protocol has 100.

    Raises:
        ValueError: A file or an entry is malformed, the file does not tell the category of a
            class, or a detection refers to an image or a category that the annotation file does
            not have. Names the file and the ids.
    """
    ground_truth = _ground_truth(annotation_file, read_json_file(annotation_file), classes)
    source, entries = _read_detections(detections)
    boxes = [
        # The matcher would give each box a polygon of eight numbers, which nobody reads.
        {**_box_entry(entry, "score", f"{source}[{i}]"), "segmentation": NO_POLYGONS}
        for i, entry in enumerate(entries)
    ]
    _require_known(boxes, ground_truth, source, annotation_file)
    return _matched(ground_truth, boxes, "bbox", max_detections)


def evaluate_masks(
    annotation_file: Path,
    detections: list[dict] | Path,
    classes: Sequence[str] | None = None,
    max_detections: int = MAX_DETECTIONS[-1],
) -> CocoEvaluation:
    """Match the detections' masks with the annotated ones.

    An object without a usable mask (:func:`tsd.data.masks.mask_of`) is no object here, just as in
    the training of a detector with masks. Its box becomes a crowd region, so that a mask which is
    found there is no mistake either.

    Args:
        annotation_file: As for :func:`evaluate_boxes`; its images have width and height.
        detections: The same list, each entry with a ``segmentation`` in run lengths.
        classes: As there.
        max_detections: As there.

    Raises:
        ValueError: As there, or a detection has no ``segmentation``, or an image no size.
    """
    content = read_json_file(annotation_file)
    ground_truth = _ground_truth(annotation_file, content, classes)
    for i, image in enumerate(content["images"]):
        _require(image, ("width", "height"), f"{annotation_file}: images[{i}]")
    sizes = {image["id"]: (image["height"], image["width"]) for image in content["images"]}
    masks = {
        number: entry.get("segmentation")
        for number, entry in enumerate(content["annotations"], start=1)
    }
    ground_truth = {
        **ground_truth,
        "images": [
            {"id": number, "width": width, "height": height}
            for number, (height, width) in sizes.items()
        ],
        "annotations": [
            _with_mask(entry, masks[entry["id"]], *sizes[entry["image_id"]])
            for entry in ground_truth["annotations"]
        ],
    }
    source, entries = _read_detections(detections)
    found = []
    for i, entry in enumerate(entries):
        checked = _box_entry(entry, "score", f"{source}[{i}]")
        _require(entry, ("segmentation",), f"{source}[{i}]")
        # Without the box: an object's size is then that of its mask.
        del checked["bbox"]
        found.append({**checked, "segmentation": entry["segmentation"]})
    _require_known(found, ground_truth, source, annotation_file)
    return _matched(ground_truth, found, "segm", max_detections)


def _with_mask(entry: dict, segmentation: Any, height: float, width: float) -> dict:
    """An annotation with its mask, or with its box as a crowd region if the mask is of no use."""
    if mask_of(segmentation, height, width).usable:
        # pycocotools would take two points for a box, and the other polygons for boxes too.
        is_list = isinstance(segmentation, list)
        return {
            **entry,
            "segmentation": usable_polygons(segmentation) if is_list else segmentation,
        }
    x, y, w, h = entry["bbox"]
    corners = [x, y, x + w, y, x + w, y + h, x, y + h]
    return {**entry, "iscrowd": 1, "segmentation": [corners]}


def _read_detections(detections: list[dict] | Path) -> tuple[str, list[dict]]:
    """What to call them in errors, and the entries."""
    source, entries = "detections", detections
    if isinstance(detections, Path):
        source, entries = str(detections), read_json_file(detections)
    if not isinstance(entries, list):
        raise ValueError(f"{source}: expected a list of detections, got {type(entries).__name__}")
    return source, entries


def _require_known(
    entries: list[dict], ground_truth: dict[str, list[dict]], source: str, annotation_file: Path
) -> None:
    for key, section in (("image_id", "images"), ("category_id", "categories")):
        known = {row["id"] for row in ground_truth[section]}
        unknown = sorted({entry[key] for entry in entries} - known)
        if unknown:
            raise ValueError(f"{source}: {key} not in {annotation_file}: {_enumerate(unknown)}")


def _matched(
    ground_truth: dict[str, list[dict]],
    found: list[dict],
    kind: Literal["bbox", "segm"],
    most: int,
) -> CocoEvaluation:
    max_detections = tuple(sorted({most, *(n for n in MAX_DETECTIONS if n < most)}))
    truth = COCO(ground_truth)
    evaluation = COCOeval_faster(truth, truth.loadRes(found), iouType=kind)
    evaluation.params.iouThrs = np.asarray(IOU_THRESHOLDS)
    evaluation.params.maxDets = list(max_detections)
    evaluation.evaluate()
    evaluation.accumulate()
    return CocoEvaluation(
        evaluation.eval["precision"][..., -1],
        evaluation.eval["recall"],
        ground_truth,
        found,
        max_detections,
        {pair: np.asarray(ious) for pair, ious in evaluation.ious.items() if len(ious)},
    )


def _mean_percent(values: NDArray[np.float64]) -> float | None:
    measured = values[values > -1]
    return 100 * float(np.mean(measured)) if measured.size else None


def _ground_truth(path: Path, content: Any, classes: Sequence[str] | None) -> dict[str, list[dict]]:
    """The part of a COCO annotation file that box metrics of those classes depend on.

    Annotations are numbered anew, from 1, in the order of the file: the matcher reads id 0 as
    "unmatched" and keeps one of equal ids.
    """
    _require(content, ("images", "categories", "annotations"), str(path))
    for section in ("images", "categories"):
        if not content[section]:
            raise ValueError(f"{path}: {section!r} is empty")
        for i, row in enumerate(content[section]):
            keys = ("id",) if section == "images" else ("id", "name")
            _require(row, keys, f"{path}: {section}[{i}]")
    annotations = [
        _box_entry(entry, "area", f"{path}: annotations[{i}]")
        | {"id": i + 1, "iscrowd": int(entry.get("iscrowd", 0))}
        for i, entry in enumerate(content["annotations"])
    ]
    labels = label_categories(path, content, classes)
    names = dict(zip(labels.category_ids, labels.names, strict=True))
    return {
        "images": [{"id": image["id"]} for image in content["images"]],
        "categories": [{"id": category, "name": name} for category, name in names.items()],
        "annotations": [entry for entry in annotations if entry["category_id"] in names],
    }


def _box_entry(entry: Any, quantity: str, where: str) -> dict:
    """A new dict with an entry's ids, box and ``quantity`` (its score or its area).

    Raises:
        ValueError: A key is missing, an id is no integer, a number is not finite or a box is not
            four numbers of which width and height are not negative.
    """
    _require(entry, ("image_id", "category_id", "bbox", quantity), where)
    for key in ("image_id", "category_id"):
        if type(entry[key]) is not int and not isinstance(entry[key], Integral):
            raise ValueError(f"{where}: {key} is not an integer: {entry[key]!r}")
    box = entry["bbox"]
    if not isinstance(box, list | tuple) or len(box) != 4 or not all(map(_is_finite, box)):
        raise ValueError(f"{where}: bbox is not four finite numbers: {box!r}")
    if min(box[2:]) < 0:
        raise ValueError(f"{where}: bbox has a negative width or height: {box!r}")
    if not _is_finite(entry[quantity]):
        raise ValueError(f"{where}: {quantity} is not a finite number: {entry[quantity]!r}")
    return {
        "image_id": int(entry["image_id"]),
        "category_id": int(entry["category_id"]),
        "bbox": box if _are_floats(box) else [float(value) for value in box],
        quantity: float(entry[quantity]),
    }


def _are_floats(box: Any) -> bool:
    """Whether a box is as the matcher takes it, a list of Python's own floats."""
    return type(box) is list and set(map(type, box)) == {float}


def _require(entry: Any, keys: tuple[str, ...], where: str) -> None:
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: expected an object, got {entry!r}")
    for key in keys:
        if key not in entry:
            raise ValueError(f"{where}: no {key!r}")


def _is_finite(value: Any) -> bool:
    # Asking an abstract class takes most of the time of reading half a million boxes.
    return (type(value) is float or isinstance(value, Real)) and math.isfinite(value)


def _enumerate(values: Iterable[Any], shown: int = 10) -> str:
    """The first few values in words, with the number of those left out."""
    texts = [repr(value) for value in values]
    more = f" and {len(texts) - shown} more" if len(texts) > shown else ""
    return ", ".join(texts[:shown]) + more

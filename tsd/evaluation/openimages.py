"""Open Images Challenge: AP at IoU 0.5 by mmdet's ``OpenImagesMetric``, files for the leaderboard.

Detections are in COCO's results format. ``image_id`` is the id of an Open Images image, which is a
text, and ``category_id`` the id of a class in ``cls-label-description.csv``, which counts from 1.

Shapes: K number of classes.
"""

import csv
import json
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.evaluation.functional import eval_map
from mmdet.evaluation.metrics import OpenImagesMetric

from tsd.training.openimages import OpenImagesChallenge

IOU = IOA = 0.5
"""From which overlap on a detection matches: with the box of one object the overlap is intersection
over union, with the box of a group it is intersection over the detection's area."""


def open_split(
    annotation_file: Path,
    label_file: Path,
    hierarchy_file: Path,
    image_labels_file: Path | None = None,
) -> OpenImagesChallenge:
    """Open a prepared split for evaluation: with all of its boxes and without reading images.

    Args:
        annotation_file: ``validation.txt`` or ``test.txt``.
        label_file: ``cls-label-description.csv``.
        hierarchy_file: ``class_label_tree.npy``.
        image_labels_file: ``validation-image-labels.csv``, which says which classes were looked for
            in an image. Without it these are the classes of the image's boxes.
    """
    return OpenImagesChallenge(
        ann_file=str(annotation_file),
        label_file=str(label_file),
        hierarchy_file=str(hierarchy_file),
        image_level_ann_file=str(image_labels_file) if image_labels_file else None,
        data_prefix={"img": ""},
        pipeline=[],
        test_mode=True,
        serialize_data=False,
    )


def evaluate_detections(split: OpenImagesChallenge, detections: list[dict] | Path) -> dict:
    """AP of detections at IoU 0.5 by the challenge's protocol.

    mmdet's metric expands ground truth and detections over the hierarchy, leaves out detections of
    classes that nobody has looked for in the image, and takes any number of detections within a
    group's box for one.

    Args:
        split: The split, opened with the file that says which classes were looked for.
        detections: As the top of this module says, or the JSON file that holds them.

    Returns:
        ``metrics`` has AP50 alone, the mean over the classes that have ground truth, because the
        protocol knows neither other thresholds nor sizes. ``per_class`` has AP50 by class; a name
        that two classes have is followed by the class's label. Values are in percent and not
        rounded. None stands for a value that is missing for want of ground truth.

    Raises:
        ValueError: A detection is malformed, or of an unknown image or category.
    """
    classes = split.metainfo["classes"]
    found = _by_image(split, detections)
    metric = OpenImagesMetric(iou_thrs=IOU, ioa_thrs=IOA)
    metric.dataset_meta = split.metainfo
    for image in split.data_list:
        metric.process({}, [{**image, "pred_instances": _as_tensors(found[image["img_id"]])}])
    truth, expanded = ([result[i] for result in metric.results] for i in (0, 1))
    # The metric's own compute_metrics rounds and does not give the values by class.
    _, results = eval_map(
        expanded,
        truth,
        iou_thr=IOU,
        ioa_thr=IOA,
        dataset=split.metainfo["dataset_type"],
        use_group_of=True,
        logger="silent",
    )
    values = [100 * float(r["ap"]) if r["num_gts"] else None for r in results]
    measured = [value for value in values if value is not None]
    count = Counter(classes)
    names = [
        f"{name} ({label})" if count[name] > 1 else name
        for name, label in zip(classes, split.class_labels, strict=True)
    ]
    return {
        "metrics": {"AP50": sum(measured) / len(measured) if measured else None},
        "per_class": dict(zip(names, values, strict=True)),
    }


def write_submission(split: OpenImagesChallenge, detections: list[dict] | Path, out: Path) -> None:
    """Write detections as the challenge's server takes them.

    Each image has a line. Its boxes follow one another as ``label score xmin ymin xmax ymax`` in
    [0, 1], the best first. The server expands only its ground truth over the hierarchy of classes.
    Therefore each detection is given for its class and again for each ancestor of that class.

    Args:
        split: The split whose images are asked for. Its boxes do not matter.
        detections: As the top of this module says, or the JSON file that holds them.
        out: The CSV file.

    Raises:
        ValueError: A detection is malformed, or of an unknown image or category.
    """
    labels, relations = split.class_labels, split.metainfo["RELATION_MATRIX"]
    found = _by_image(split, detections)
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("ImageId", "PredictionString"))
        for image in split.data_list:
            parts = []
            for entry in sorted(found[image["img_id"]], key=lambda e: -e["score"]):
                box = " ".join(map(_short, _in_unit_square(entry["bbox"], image)))
                for i in np.flatnonzero(relations[entry["category_id"] - 1]):
                    parts.append(f"{labels[i]} {_short(entry['score'])} {box}")
            writer.writerow((image["img_id"], " ".join(parts)))


def _in_unit_square(box: Sequence[float], image: Mapping[str, Any]) -> list[float]:
    """Return the corners xyxy in [0, 1] of a box xywh in pixels, cut to the image."""
    x, y, w, h = box
    width, height = image["width"], image["height"]
    corners = (x / width, y / height, (x + w) / width, (y + h) / height)
    return [min(max(value, 0.0), 1.0) for value in corners]


def _short(value: float) -> str:
    """Return a number to six decimals, without zeros at its end."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _as_tensors(entries: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
    """Return the boxes xyxy, scores and labels (from 0) of one image's detections."""
    boxes = torch.tensor([e["bbox"] for e in entries], dtype=torch.float64).reshape(-1, 4)
    return {
        "bboxes": torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], dim=1),
        "scores": torch.tensor([e["score"] for e in entries], dtype=torch.float64),
        "labels": torch.tensor([e["category_id"] - 1 for e in entries], dtype=torch.int64),
    }


def _by_image(
    split: OpenImagesChallenge, detections: list[dict] | Path
) -> defaultdict[str, list[dict]]:
    """Check all detections and return them by image id."""
    source, entries = "detections", detections
    if isinstance(detections, Path):
        source, entries = str(detections), _read_json(detections)
    if not isinstance(entries, list):
        raise ValueError(f"{source}: expected a list of detections, got {type(entries).__name__}")
    known = {"image_id": {i["img_id"] for i in split.data_list}, "category_id": {*split.cat_ids}}
    found = defaultdict(list)
    for place, entry in enumerate(entries):
        where = f"{source}[{place}]"
        if not isinstance(entry, dict):
            raise ValueError(f"{where}: expected an object, got {entry!r}")
        for key, kind in (("image_id", str), ("category_id", int)):
            value = entry.get(key)
            if not isinstance(value, kind) or value not in known[key]:
                raise ValueError(f"{where}: {key} is not of {split.ann_file}: {value!r}")
        box = entry.get("bbox")
        if not isinstance(box, list) or len(box) != 4 or not all(map(_is_finite, box)):
            raise ValueError(f"{where}: bbox is not four finite numbers: {box!r}")
        if min(box[2:]) < 0:
            raise ValueError(f"{where}: bbox has a negative width or height: {box!r}")
        if not _is_finite(entry.get("score")):
            raise ValueError(f"{where}: score is not a finite number: {entry.get('score')!r}")
        found[entry["image_id"]].append(entry)
    return found


def _is_finite(value: Any) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not JSON: {error}") from error

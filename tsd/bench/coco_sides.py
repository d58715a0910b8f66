"""COCO's evaluation of made detections, by this project and by pycocotools.

Nothing here imports torch, whose memory would hide that of an evaluation.
"""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tsd.evaluation.coco import average_precision, evaluate_boxes

CLASSES, OBJECTS, DETECTIONS = 80, 7, 100


def made_detections(images: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Annotations as many as COCO has, and detections near them, most of them wrong.

    Args:
        images: How many images.

    Returns:
        The content of an annotation file, and detections in COCO's results format.
    """
    random = np.random.default_rng(0)
    boxes = random.uniform(8, 200, (images, OBJECTS, 4))
    labels = random.integers(1, CLASSES + 1, (images, OBJECTS))
    annotations: list[dict[str, Any]] = []
    detections: list[dict[str, Any]] = []
    for image in range(images):
        for box, label in zip(boxes[image], labels[image], strict=True):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image + 1,
                    "category_id": int(label),
                    "bbox": box.tolist(),
                    "area": float(box[2] * box[3]),
                    "iscrowd": 0,
                }
            )
        chosen = random.integers(0, OBJECTS, DETECTIONS)
        found = boxes[image][chosen] + random.normal(0, 12, (DETECTIONS, 4))
        found[:, 2:] = np.maximum(found[:, 2:], 1)
        scores = random.random(DETECTIONS)
        detections += [
            {
                "image_id": image + 1,
                "category_id": int(labels[image][index]),
                "bbox": box.tolist(),
                "score": float(score),
            }
            for index, box, score in zip(chosen, found, scores, strict=True)
        ]
    content = {
        "images": [{"id": i + 1, "width": 640, "height": 480} for i in range(images)],
        "categories": [{"id": c + 1, "name": f"class {c + 1}"} for c in range(CLASSES)],
        "annotations": annotations,
    }
    return content, detections


def write_detections(images: int, folder: Path) -> tuple[Path, Path]:
    """Write an annotation file and a file of detections.

    Args:
        images: How many images.
        folder: Where.

    Returns:
        Both files.
    """
    content, detections = made_detections(images)
    annotations, results = folder / "annotations.json", folder / "detections.json"
    annotations.write_text(json.dumps(content), encoding="utf-8")
    results.write_text(json.dumps(detections), encoding="utf-8")
    return annotations, results


def read_detections(annotations: Path, detections: Path) -> tuple[Path, list[dict[str, Any]]]:
    """Both sides are given detections as a list, so that reading these is not in their times.

    Args:
        annotations: In COCO's format; each side reads it.
        detections: In COCO's results format.
    """
    return annotations, json.loads(detections.read_text(encoding="utf-8"))


def ours(annotations: Path, detections: list[dict[str, Any]]) -> float | None:
    """AP in percent, by this project.

    Args:
        annotations: In COCO's format.
        detections: In COCO's results format.
    """
    return average_precision(evaluate_boxes(annotations, detections))


def of_pycocotools(annotations: Path, detections: list[dict[str, Any]]) -> float:
    """AP in percent, by pycocotools.

    Args:
        annotations: In COCO's format.
        detections: In COCO's results format.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(annotations))
        evaluation = COCOeval(truth, truth.loadRes(detections), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return 100 * float(evaluation.stats[0])

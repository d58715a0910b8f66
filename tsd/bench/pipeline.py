"""What is around the training: COCO's evaluation, the plan of a large grid."""

import contextlib
import io
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tsd.bench.rows import Bench, Measurement, NotMeasuredError, Row, time_ratio
from tsd.evaluation.bootstrap import DRAWS, resample
from tsd.evaluation.coco import CocoEvaluation, average_precision, evaluate_boxes
from tsd.evaluation.error_kinds import ErrorKind, cost
from tsd.experiments.settings import open_grid

CLASSES, OBJECTS, DETECTIONS = 80, 7, 100
AGREEMENT = 1e-12


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


def _pycocotools(annotations: Path, detections: list[dict[str, Any]]) -> float:
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(annotations))
        evaluation = COCOeval(truth, truth.loadRes([dict(one) for one in detections]), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


def _coco_evaluation(bench: Bench) -> Measurement:
    content, detections = made_detections(bench.images)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "annotations.json")
        path.write_text(json.dumps(content), encoding="utf-8")
        ours = average_precision(evaluate_boxes(path, [dict(one) for one in detections]))
        theirs = _pycocotools(path, detections)
        if ours is None or abs(ours - 100 * theirs) > AGREEMENT * 100:
            raise NotMeasuredError(f"AP is {ours}, and {100 * theirs} by pycocotools")
        sides = {
            "ours": lambda: evaluate_boxes(path, [dict(one) for one in detections]),
            "pycocotools": lambda: _pycocotools(path, detections),
        }
        return time_ratio(replace(bench, rounds=1), "ours", "pycocotools", sides)


def _image_noise(bench: Bench) -> Measurement:
    """Seconds for every AP and every kind of error over all draws, the matching included."""
    evaluation = _made_evaluation(bench.images)
    started = time.perf_counter()
    resample(evaluation, None)
    return Measurement([time.perf_counter() - started])


def _error_kinds(bench: Bench) -> Measurement:
    """Seconds for the cost of every kind of error, the matching included."""
    evaluation = _made_evaluation(bench.images)
    started = time.perf_counter()
    for kind in ErrorKind:
        cost(evaluation, kind)
    return Measurement([time.perf_counter() - started])


def _made_evaluation(images: int) -> CocoEvaluation:
    content, detections = made_detections(images)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "annotations.json")
        path.write_text(json.dumps(content), encoding="utf-8")
        return evaluate_boxes(path, detections)


def _plan(_bench: Bench) -> Measurement:
    """Seconds that it takes to open a grid and compile every run of it."""
    started = time.perf_counter()
    grid = open_grid({"scale": "paper", "seeds": "5", "only": "all"})
    for job in grid.jobs:
        _ = job.digest
    return Measurement([time.perf_counter() - started])


ROWS = (
    Row(
        "coco-evaluation",
        f"COCO's evaluation of {{images}} images with {DETECTIONS} detections each, {CLASSES} "
        "classes: ours / pycocotools",
        0.25,
        "×",
        _coco_evaluation,
        ("cpu",),
    ),
    Row(
        "image-noise",
        f"noise of the images: {DRAWS} draws of {{images}} images with {DETECTIONS} detections "
        f"each, {CLASSES} classes",
        180.0,
        "s",
        _image_noise,
        ("cpu",),
    ),
    Row(
        "error-kinds",
        f"kinds of errors of {{images}} images with {DETECTIONS} detections each, {CLASSES} "
        "classes",
        60.0,
        "s",
        _error_kinds,
        ("cpu",),
    ),
    Row("plan", "compiling the whole grid with five seeds", 10.0, "s", _plan, ("cpu",)),
)

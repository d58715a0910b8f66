"""COCO's evaluation beside that of pycocotools, and what else is computed of detections."""

import functools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tsd.bench import coco_sides
from tsd.bench.coco_sides import CLASSES, DETECTIONS
from tsd.bench.own_process import Spent, in_own_process
from tsd.bench.rows import Bench, Measurement, NotMeasuredError, Row, ratio
from tsd.evaluation.bootstrap import DRAWS, resample
from tsd.evaluation.coco import CocoEvaluation, evaluate_boxes
from tsd.evaluation.error_kinds import ErrorKind, cost

AGREEMENT = 1e-12
"""By this part of 1 AP may differ between the two."""

LEAST = 1.0
"""MiB that a process has to grow by before its growth is more than noise."""

MOST_ROUNDS = 3
"""pycocotools takes half a minute a round."""


@functools.cache
def _both_sides(images: int, rounds: int) -> dict[str, list[Spent]]:
    """What each side takes, round by round, each time in a process of its own.

    Raises:
        NotMeasuredError: They do not agree.
    """
    sides = {"ours": coco_sides.ours, "pycocotools": coco_sides.of_pycocotools}
    spent: dict[str, list[Spent]] = {name: [] for name in sides}
    with tempfile.TemporaryDirectory() as folder:
        files = coco_sides.write_detections(images, Path(folder))
        for _ in range(min(rounds, MOST_ROUNDS)):
            for name, side in sides.items():
                spent[name].append(in_own_process(side, *files, prepare=coco_sides.read_detections))
    for ours, theirs in zip(*spent.values(), strict=True):
        if ours.value is None or abs(ours.value - theirs.value) > AGREEMENT * 100:
            raise NotMeasuredError(f"AP is {ours.value}, and {theirs.value} by pycocotools")
    return spent


def _time(bench: Bench) -> Measurement:
    spent = _both_sides(bench.images, bench.rounds)
    return ratio("ours", "pycocotools", {k: [s.seconds for s in v] for k, v in spent.items()})


def _memory(bench: Bench) -> Measurement:
    spent = _both_sides(bench.images, bench.rounds)
    grown = {name: [one.mebibytes for one in of_side] for name, of_side in spent.items()}
    if min(grown["pycocotools"]) < LEAST:
        raise NotMeasuredError(
            f"{bench.images} images are too few to be seen in a process's memory"
        )
    pairs = zip(grown["ours"], grown["pycocotools"], strict=True)
    return Measurement([a / b for a, b in pairs])


def _matched(images: int) -> CocoEvaluation:
    with tempfile.TemporaryDirectory() as folder:
        return evaluate_boxes(*coco_sides.write_detections(images, Path(folder)))


def _seconds_of(compute: Callable[[CocoEvaluation], object]) -> Callable[[Bench], Measurement]:
    """Seconds that something computed of an evaluation takes, the matching included."""

    def measure(bench: Bench) -> Measurement:
        evaluation = _matched(bench.images)
        started = time.perf_counter()
        compute(evaluation)
        return Measurement([time.perf_counter() - started])

    return measure


def _costs_of_errors(evaluation: CocoEvaluation) -> None:
    for kind in ErrorKind:
        cost(evaluation, kind)


_WHAT = f"{{images}} images with {DETECTIONS} detections each, {CLASSES} classes"

ROWS = (
    Row(
        "coco-evaluation",
        f"COCO's evaluation of {_WHAT}, processor time, AP equal: ours / pycocotools",
        0.25,
        "×",
        _time,
        ("cpu",),
    ),
    Row(
        "coco-memory",
        f"memory of COCO's evaluation of {_WHAT}: ours / pycocotools",
        1.0,
        "×",
        _memory,
        ("cpu",),
    ),
    Row(
        "image-noise",
        f"noise of the images: {DRAWS} draws of {_WHAT}",
        180.0,
        "s",
        _seconds_of(lambda evaluation: resample(evaluation, None)),
        ("cpu",),
    ),
    Row(
        "error-kinds",
        f"kinds of errors of {_WHAT}",
        60.0,
        "s",
        _seconds_of(_costs_of_errors),
        ("cpu",),
    ),
)

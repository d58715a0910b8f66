"""Every number that the project measures of a training, each declared once.

A metric's id is its only name: in the files of a training, in MLflow, and in the YAML of tables,
figures and claims. The ids follow COCO's own and go on in their manner:

    AP                the mean over the IoU thresholds 0.50, 0.55 … 0.95
    AP50 … AP95       at one threshold, in hundredths
    APs, APm, APl     of small, medium and large objects
    APs50 … APl95     of one size at one threshold, as in Table 9
    AR1, AR10, AR100  average recall with at most so many detections in an image and class
    ARs, ARm, ARl     average recall of one size, with as many detections as count at most
    mask_…            the same of masks
    dAP_cls … dAP_FN  what a kind of error costs: how much AP50 would rise without it

As many detections of an image count as the data set's ``max_detections`` says, which is COCO's 100
unless it is set.

A value is None where the annotations leave nothing to measure, and it is absent where nobody
measured it.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Step(StrEnum):
    """The step of the workflow that measures a metric, and whose file holds the value."""

    TRAIN = "train"
    EVALUATE = "evaluate"
    LATENCY = "latency"
    SUBMIT = "submit"


AVERAGE_PRECISION = "tsd.evaluation.coco:average_precision"
COST_OF_ERRORS = "tsd.evaluation.error_kinds:cost"


@dataclass(frozen=True)
class Metric:
    """How a quantity is measured and written.

    Args:
        id: Its only name.
        title: Head of its column in a table.
        unit: Unit of the value as it is written; empty where it has none.
        decimals: Decimals that a table shows. Files hold all digits.
        higher_is_better: Which direction is an improvement; None where neither is meant.
        step: The step that measures it.
        exact: Whether all trainings of a run give the same value, so that one of them settles it.
            The other metrics are noisy: they differ from seed to seed.
        detail: Whether it is shown only where a table names it, because there are dozens like it.
        function: The function that computes it, as ``module:name``; for the step ``evaluate``
            only. It takes a :class:`tsd.evaluation.coco.CocoEvaluation` and the ``arguments``,
            and returns a number, or None where there is nothing to measure.
        arguments: Keyword arguments of that function.
        of_masks: Whether the function is given the evaluation of masks in place of that of boxes.
    """

    id: str
    title: str
    unit: str
    decimals: int
    higher_is_better: bool | None
    step: Step
    exact: bool = False
    detail: bool = False
    function: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    of_masks: bool = False

    @property
    def is_resampled(self) -> bool:
        """Whether :mod:`tsd.evaluation.bootstrap` measures it over draws of the images too."""
        return self.function in (AVERAGE_PRECISION, COST_OF_ERRORS)

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest value that there can be, in the metric's unit.

        A kind of error costs less than nothing where mending it makes a detection the duplicate of
        another one. An evaluation in another unit than percent may measure any finite number.
        """
        if self.unit == "%":
            return (-100.0 if self.function == COST_OF_ERRORS else 0.0), 100.0
        return (-math.inf if self.step is Step.EVALUATE else 0.0), math.inf


IOU_PERCENT = tuple(range(50, 100, 5))
"""COCO's ten IoU thresholds in hundredths."""

SIZES = ("small", "medium", "large")
"""COCO's sizes of objects: below 32² square pixels, from there to 96², from there on."""

MAIN = "AP"
"""The metric that the report's summaries are about: gains over a baseline, the headline."""


def _precision_and_recall(of_masks: bool) -> Iterator[Metric]:
    """Yield what COCO measures of boxes or of masks, by IoU threshold and size."""

    def metric(name: str, title: str, function: str, detail: bool, **arguments: Any) -> Metric:
        return Metric(
            f"mask_{name}" if of_masks else name,
            f"mask {title}" if of_masks else title,
            unit="%",
            decimals=1,
            higher_is_better=True,
            step=Step.EVALUATE,
            detail=detail,
            function=function,
            arguments=arguments,
            of_masks=of_masks,
        )

    precision, recall = AVERAGE_PRECISION, "tsd.evaluation.coco:average_recall"
    yield metric("AP", "AP", precision, detail=False)
    for iou in IOU_PERCENT:
        detail = iou not in (50, 75)
        yield metric(f"AP{iou}", f"AP{_fraction(iou)}", precision, detail, iou=iou)
    for size in SIZES:
        yield metric(f"AP{size[0]}", f"AP {size[0]}", precision, detail=False, size=size)
        for iou in IOU_PERCENT:
            name, title = f"AP{size[0]}{iou}", f"AP {size} {_fraction(iou)}"
            yield metric(name, title, precision, detail=True, size=size, iou=iou)
    for count in (1, 10, 100):
        yield metric(f"AR{count}", f"AR {count}", recall, detail=True, detections=count)
    for size in SIZES:
        yield metric(f"AR{size[0]}", f"AR {size[0]}", recall, detail=True, size=size)


def _fraction(percent: int) -> str:
    """Write hundredths as COCO's papers do: .5, .55."""
    return f"{percent / 100:g}".removeprefix("0")


ERROR_KINDS = {
    "cls": "class",
    "loc": "box",
    "both": "class and box",
    "dupe": "duplicate",
    "bkg": "background",
    "miss": "missed",
    "FP": "all FP",
    "FN": "all FN",
}
"""Kind of error, as :mod:`tsd.evaluation.error_kinds` defines it → what a table's head calls it."""


def _costs_of_errors() -> Iterator[Metric]:
    """Yield what each kind of error of the boxes costs in AP50."""
    for kind, title in ERROR_KINDS.items():
        yield Metric(
            f"dAP_{kind}",
            f"dAP {title}",
            unit="%",
            decimals=1,
            higher_is_better=False,
            step=Step.EVALUATE,
            detail=True,
            function=COST_OF_ERRORS,
            arguments={"kind": kind},
        )


METRICS: dict[str, Metric] = {
    metric.id: metric
    for metric in (
        *_precision_and_recall(of_masks=False),
        *_precision_and_recall(of_masks=True),
        *_costs_of_errors(),
        # On Open Images' leaderboard. Nobody but its server can measure it.
        Metric("lb_AP50", "AP.5 (LB)", "%", 1, higher_is_better=True, step=Step.SUBMIT),
        # Of the network that inference uses; what only training needs is not counted.
        Metric("params", "#param", "M", 1, None, Step.TRAIN, exact=True),
        Metric("runtime", "runtime", "ms", 1, higher_is_better=False, step=Step.LATENCY),
        Metric("train_seconds", "training", "s", 0, higher_is_better=False, step=Step.TRAIN),
        Metric("throughput", "images a second", "1/s", 1, higher_is_better=True, step=Step.TRAIN),
        Metric("peak_memory", "peak memory", "MiB", 0, higher_is_better=False, step=Step.TRAIN),
    )
}
"""Id → metric. Where a report has to choose one of several, it takes the first in this order."""


def leading(metrics: Iterable[str]) -> str:
    """The metric that stands for several where there is room for one: the first as declared.

    Raises:
        ValueError: There is no declared metric among them.
    """
    wanted = set(metrics)
    for name in METRICS:
        if name in wanted:
            return name
    raise ValueError(f"no metric among {sorted(wanted)}")


EVALUATION_VERSION = 2
"""Raised when evaluation computes another value for the same metric, so that values with the
earlier meaning are computed anew."""


def evaluated() -> dict[str, Metric]:
    """The metrics that the step ``evaluate`` computes, by id."""
    return {name: metric for name, metric in METRICS.items() if metric.step is Step.EVALUATE}


def evaluation_identity() -> str:
    """Ten hexadecimal digits that change when finished trainings have to be evaluated anew.

    They do when a metric is added or computed in another way, not when its title changes.
    """
    computed = [[m.id, m.function, dict(m.arguments), m.of_masks] for m in evaluated().values()]
    canonical = json.dumps([EVALUATION_VERSION, computed], sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]

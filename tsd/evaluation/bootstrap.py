"""How much a training's metrics hang on the images of the val split: a bootstrap over images.

Detections are matched once. Then AP is computed for many draws of the images with replacement, in
which each image counts as often as it was drawn (:mod:`tsd.evaluation.ranked_precision`). Where
detections of one image and class have equal scores, this may differ a little from an evaluation of
repeated images, in which the repetitions of such detections take turns.

The draws follow from the ids of the images and a fixed seed. Trainings that are evaluated on the
same images therefore share them, which makes their comparison a paired one: what an easy image
gives to both of them drops out of the difference.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from tsd.evaluation.coco import AREAS, CocoEvaluation
from tsd.evaluation.error_kinds import ErrorKind, costs
from tsd.evaluation.matching import Matches, match
from tsd.evaluation.ranked_precision import Variant, mean_of_measured, ranked_precision
from tsd.experiments.metrics import (
    AVERAGE_PRECISION,
    COST_OF_ERRORS,
    IOU_PERCENT,
    Metric,
    evaluated,
)
from tsd.results.resamples import Resamples

DRAWS = 1000
"""With so many draws a standard error is known to about 2%, and an end of a 95% interval to about a
fifteenth of the interval's half width."""

SEED = 2020
"""Any number would do; another one draws other images."""


def resample(boxes: CocoEvaluation, masks: CocoEvaluation | None, draws: int = DRAWS) -> Resamples:
    """Compute every AP, and the cost of every kind of error, over draws of the images.

    Args:
        boxes: Evaluation of the boxes.
        masks: Evaluation of the masks, on the same images; None without masks.
        draws: How many draws there are.
    """
    images = match(boxes).images
    drawn = draw(len(images), draws)
    # The images as they are stand beside the draws, for a reader to check the values by.
    weights = np.concatenate([np.ones((len(images), 1), np.int32), drawn], axis=1)
    found = _of_boxes_or_masks(boxes, weights, of_masks=False)
    found |= _kinds(boxes, weights)
    if masks is not None:
        found |= _of_boxes_or_masks(masks, weights, of_masks=True)
    text = f"{SEED} {draws} {images.tolist()}"
    return Resamples(
        hashlib.sha256(text.encode()).hexdigest()[:16],
        len(images),
        {name: float(values[0]) for name, values in found.items()},
        {name: values[1:].astype(np.float32) for name, values in found.items()},
    )


def draw(images: int, draws: int) -> NDArray[np.int32]:
    """Draw as many images as there are, with replacement, several times over.

    Args:
        images: Their number, I.
        draws: B.

    Returns:
        How often each image was drawn, Array[I, B].
    """
    drawn = np.random.default_rng(SEED).multinomial(images, np.full(images, 1 / images), draws)
    return np.ascontiguousarray(drawn.T, np.int32)


def precisions(matches: Matches, weights: NDArray[np.int32]) -> NDArray[np.float64]:
    """Compute AP for each size, threshold, class and weighting of the images.

    Args:
        matches: Of boxes or masks.
        weights: How often each image counts, Array[I, B].

    Returns:
        From 0 to 1, Array[A, T, K, B], NaN where there is no object to be found.
    """
    return np.stack(
        [
            np.stack([_of_class(matches, weights, a, k) for a in range(len(AREAS))])
            for k in range(len(matches.categories))
        ],
        axis=2,
    )


def _of_class(
    matches: Matches, weights: NDArray[np.int32], area: int, category: int
) -> NDArray[np.float64]:
    """AP of one class and size, Array[T, B]."""
    own = matches.of_class(category)
    objects = matches.objects_by_image(category, area)
    variants = [
        Variant(is_true, ~is_ignored, objects)
        for is_true, is_ignored in zip(
            matches.is_true[area, :, own], matches.is_ignored[area, :, own], strict=True
        )
    ]
    # The strictest threshold first: what the others count differs from it in what they match.
    return ranked_precision(matches.image[own], variants[::-1], weights)[::-1]


def _of_boxes_or_masks(
    evaluation: CocoEvaluation, weights: NDArray[np.int32], of_masks: bool
) -> dict[str, NDArray[np.float64]]:
    """The metrics that are an AP, by id."""
    found = precisions(match(evaluation), weights)
    return {
        metric.id: _average(found, **metric.arguments)
        for metric in _computed_by(AVERAGE_PRECISION)
        if metric.of_masks is of_masks
    }


def _average(
    precision: NDArray[np.float64], iou: int | None = None, size: str = "all"
) -> NDArray[np.float64]:
    """The mean that :func:`tsd.evaluation.coco.average_precision` takes, in percent, Array[B]."""
    thresholds = list(range(len(IOU_PERCENT))) if iou is None else [IOU_PERCENT.index(iou)]
    found = precision[AREAS.index(size), thresholds]
    return 100 * mean_of_measured(found.reshape(-1, precision.shape[-1]))


def _kinds(evaluation: CocoEvaluation, weights: NDArray[np.int32]) -> dict[str, NDArray]:
    """The costs of the kinds of errors, by the ids of their metrics."""
    metrics = _computed_by(COST_OF_ERRORS)
    kinds = [ErrorKind(metric.arguments["kind"]) for metric in metrics]
    found = costs(evaluation, kinds, weights)
    return {metric.id: values for metric, values in zip(metrics, found, strict=True)}


def _computed_by(function: str) -> list[Metric]:
    return [metric for metric in evaluated().values() if metric.function == function]

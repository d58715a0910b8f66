"""AP of one class from its ranked detections, for many weightings of the images at once.

An image of weight 2 counts as if it were there twice, and one of weight 0 as if it were not there.
So nothing has to be matched anew when images are drawn with replacement.

AP is COCO's: the mean over 101 recall steps of the highest precision at that recall or above.
Only a true positive reaches another recall, and precision is never higher after a false positive
than before it. So it is enough to look at the true positives, of which there are far fewer than
detections.

Shapes: B weightings, I images, N detections of the class by falling score, V variants, P true
positives.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

RECALLS = np.linspace(0, 1, 101)
"""COCO's recall steps."""

CELLS = 4_000_000
"""True positives times weightings that are worked on at a time; so many take some hundred MB."""


@dataclass(frozen=True, eq=False)
class Variant:
    """One way to judge the detections of a class.

    Args:
        is_true: Whether a detection is a true positive, Array[N].
        is_counted: Whether it is a true or a false positive, Array[N].
        objects: How many objects there are to be found in each image, Array[I].
    """

    is_true: NDArray[np.bool_]
    is_counted: NDArray[np.bool_]
    objects: NDArray[np.int64]


def ranked_precision(
    image: NDArray[np.int64], variants: list[Variant], weights: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Compute AP from 0 to 1 for each variant and weighting.

    Args:
        image: Position of each detection's image, Array[N].
        variants: V ways to judge these detections. It is fast where most detections are counted in
            the first of them just as in the others.
        weights: How often each image counts, Array[I, B].

    Returns:
        Array[V, B], NaN where there is no object to be found.
    """
    at = np.flatnonzero(np.any([variant.is_true for variant in variants], axis=0))
    at_once = max(1, CELLS // max(1, len(at)))
    parts = [
        # Image by image in memory, since all of an image's weights are added at a time.
        _precision(
            image, at, variants, np.ascontiguousarray(weights[:, start : start + at_once], np.int32)
        )
        for start in range(0, weights.shape[1], at_once)
    ]
    return np.concatenate(parts, axis=1)


def number_of_objects(objects: NDArray[np.int64], weights: NDArray[np.int32]) -> NDArray[np.int64]:
    """Count objects, Array[B].

    Args:
        objects: How many there are in each image, Array[I]. Most images have none of a class.
        weights: How often each image counts, Array[I, B].
    """
    there = np.flatnonzero(objects)
    return np.einsum("i,ib->b", objects[there], weights[there])


def mean_of_measured(precision: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the mean over the first axis of what is not NaN; NaN where nothing is measured."""
    measured = ~np.isnan(precision)
    with np.errstate(invalid="ignore"):
        return np.nansum(precision, axis=0) / measured.sum(axis=0)


def _precision(
    image: NDArray[np.int64],
    at: NDArray[np.int64],
    variants: list[Variant],
    weights: NDArray[np.int32],
) -> NDArray[np.float64]:
    """The same for so few weightings that all of them fit into memory.

    Args:
        image: As there.
        at: Where a detection is a true positive in any variant.
        variants: As there.
        weights: As there.
    """
    common = variants[0].is_counted
    ranks = _counted_up_to(at, np.flatnonzero(common), image, weights)
    found = []
    for variant in variants:
        more = np.flatnonzero(variant.is_counted & ~common)
        less = np.flatnonzero(common & ~variant.is_counted)
        own = variant.is_true[at]
        rank = ranks[own]
        for which, sign in ((more, 1), (less, -1)):
            if len(which):
                rank = rank + sign * _counted_up_to(at[own], which, image, weights)
        hits = np.cumsum(weights[image[at[own]]], axis=0, dtype=np.int32)
        found.append(_area_under(hits, rank, number_of_objects(variant.objects, weights)))
    return np.stack(found)


def _counted_up_to(
    at: NDArray[np.int64],
    which: NDArray[np.int64],
    image: NDArray[np.int64],
    weights: NDArray[np.int32],
) -> NDArray[np.int32]:
    """Count some detections at a place in the ranking or before it, for several places.

    Args:
        at: The places, rising, Array[P].
        which: The detections that count, by their place.
        image: Position of each detection's image, Array[N].
        weights: How often each image counts, Array[I, B].

    Returns:
        Array[P, B].
    """
    # The first of the places that comes at a detection or after it.
    place = np.searchsorted(at, which)
    which, place = which[place < len(at)], place[place < len(at)]
    once = np.ones(len(which), np.int32)
    between = csr_array((once, (place, image[which])), shape=(len(at), len(weights)))
    return np.cumsum(between @ weights, axis=0, dtype=np.int32)


def _area_under(
    hits: NDArray[np.int32], rank: NDArray[np.int32], objects: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Compute AP from the true positives.

    Args:
        hits: How many true positives there are up to each of them, Array[P, B].
        rank: How many detections there are up to each of them, Array[P, B].
        objects: How many objects there are to be found, Array[B].

    Returns:
        Array[B], NaN where there is no object to be found.
    """
    # The smallest number after 0, as in COCO's code: 0 of 0 is a precision of 0.
    precision = hits / (rank + np.spacing(1))
    highest = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    # The recall steps up to each true positive, and so those that it is the first to reach.
    steps = recall_steps(hits / np.maximum(objects, 1))
    reached = np.diff(steps, axis=0, prepend=0)
    total = np.einsum("pb,pb->b", highest, reached) / len(RECALLS)
    return np.where(objects > 0, total, np.nan)


def recall_steps(recall: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count the recall steps that are not above a recall; faster than a search, and as exact."""
    bounds = np.append(RECALLS, np.inf)
    about = (recall * (len(RECALLS) - 1)).astype(np.int64)
    return about + 1 + (bounds[about + 1] <= recall) - (bounds[about] > recall)

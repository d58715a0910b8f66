"""What kinds of errors a detector makes, and what each of them costs: TIDE's decomposition.

The definitions are those of "TIDE: A General Toolbox for Identifying Object Detection Errors"
(Bolya, Foley, Hays and Hoffman, ECCV 2020, Section 2), for boxes. A false positive is of one kind,
the first of these that fits. IoU is the highest with any object of the class that is named.

    loc    IoU from t_b to t_f with an object of its class: the box is not good enough
    cls    IoU of t_f or more with an object of another class: the class is wrong
    dupe   IoU of t_f or more with an object of its class, which another detection found before
    both   IoU from t_b to t_f with an object of another class: box and class are wrong
    bkg    IoU below t_b with all objects: there is nothing

The paper does not say which kind goes first where several fit; this order is that of the authors'
code. An object that nobody found is missed (``miss``) unless a detection of the kinds loc or cls is
about it.

The cost of a kind is how much AP50 rises when its errors alone are fixed (dAP). Fixing corrects the
box or the class of the surest loc or cls error about an object that was not found, and takes away
all other errors of the kind; missed objects are taken out of the count. Two more costs are those of
all false positives (``FP``, which are taken away) and of all false negatives (``FN``, objects that
nobody found, which are taken out of the count). Costs of several kinds do not add up to that of
fixing them together.

This differs from the authors' code (tidecv 1.0.1) in three points, in each of which it follows
their paper or COCO. A detection that COCO ignores is no error. Where loc and cls errors are about
the same object, the surest of each kind can be fixed. The mean is over the classes that have
objects; one whose objects are all taken out of the count has an AP of 0 in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

import numpy as np
from faster_coco_eval.core import mask
from numpy.typing import NDArray

from tsd.evaluation.coco import CocoEvaluation
from tsd.evaluation.matching import Matches, match
from tsd.evaluation.ranked_precision import (
    Variant,
    mean_of_measured,
    number_of_objects,
    ranked_precision,
)

FOREGROUND, BACKGROUND = 0.5, 0.1
"""The paper's t_f and t_b. The first is also the threshold of AP50."""


class ErrorKind(StrEnum):
    """A kind of error; the last two are not kinds of their own but all errors of one side."""

    CLS = "cls"
    LOC = "loc"
    BOTH = "both"
    DUPE = "dupe"
    BKG = "bkg"
    MISS = "miss"
    FP = "FP"
    FN = "FN"


@dataclass(frozen=True, eq=False)
class Errors:
    """The errors of a detector.

    Shapes: D detections in the order of the matches, G objects.

    Args:
        matches: What the errors are read from.
        kind: Kind of each detection, empty where it is no false positive, Array[D].
        becomes: Position of the object that a detection finds once it is fixed, −1 where fixing
            takes it away or where it is no error, Array[D].
        is_found: Whether an object was found, Array[G].
        is_missed: Whether an object is missed, and no error is about it, Array[G].
    """

    matches: Matches
    kind: NDArray[np.str_]
    becomes: NDArray[np.int64]
    is_found: NDArray[np.bool_]
    is_missed: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Judged:
    """Detections, right and wrong, and the objects that are to be found.

    Args:
        image: Position of each detection's image, Array[D].
        category: Position of its class, rising, Array[D].
        is_true: Whether it is a true positive, Array[D].
        is_counted: Whether it is a true or a false positive, Array[D].
        is_object: Whether an annotation is to be found, Array[G].
    """

    image: NDArray[np.int64]
    category: NDArray[np.int64]
    is_true: NDArray[np.bool_]
    is_counted: NDArray[np.bool_]
    is_object: NDArray[np.bool_]


def cost(evaluation: CocoEvaluation, kind: str) -> float | None:
    """Return how much AP50 rises when the errors of a kind are fixed, in percentage points.

    Args:
        evaluation: Of boxes.
        kind: A value of :class:`ErrorKind`.

    Returns:
        None where there is no object to be found.
    """
    once = np.ones((len(match(evaluation).images), 1), np.int32)
    (found,) = costs(evaluation, [ErrorKind(kind)], once)[0]
    return None if np.isnan(found) else float(found)


def costs(
    evaluation: CocoEvaluation, kinds: Sequence[ErrorKind], weights: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Return the costs of several kinds for many weightings of the images.

    Args:
        evaluation: Of boxes.
        kinds: K kinds.
        weights: How often each image counts, Array[I, B].

    Returns:
        Percentage points, Array[K, B], NaN where there is no object to be found.
    """
    errors = decompose(evaluation)
    (before,) = _mean_precisions(errors.matches, [unfixed(errors)], weights)
    after: dict[ErrorKind, NDArray[np.float64]] = {}
    # All but the corrected classes leave the detections where they are, and go together.
    for together in ({ErrorKind.CLS}, set(ErrorKind) - {ErrorKind.CLS}):
        some = [kind for kind in kinds if kind in together]
        judged = [fixed(errors, kind) for kind in some]
        after |= dict(zip(some, _mean_precisions(errors.matches, judged, weights), strict=True))
    return np.stack([after[kind] for kind in kinds]) - before


@lru_cache(maxsize=1)
def decompose(evaluation: CocoEvaluation) -> Errors:
    """Find the kind of each false positive, and the objects that are missed.

    Args:
        evaluation: Of boxes. What it gives is kept, since the cost of each kind needs the same.
    """
    matches = match(evaluation)
    objects = matches.objects
    is_wrong = ~matches.is_true[0, 0] & ~matches.is_ignored[0, 0]
    boxes = np.array([evaluation.detections[i]["bbox"] for i in matches.entry]).reshape(-1, 4)
    # Wide enough for every name: numpy would cut longer ones off.
    kind = np.where(is_wrong, ErrorKind.BKG.value, "").astype(f"<U{max(map(len, ErrorKind))}")
    about = np.full(len(kind), -1)
    wrong_by_image = _positions_by_image(matches.image, is_wrong, len(matches.images))
    objects_by_image = _positions_by_image(objects.image, objects.counts[0], len(matches.images))
    for wrong, there in zip(wrong_by_image, objects_by_image, strict=True):
        if len(wrong) and len(there):
            overlap = np.asarray(mask.iou(boxes[wrong], objects.boxes[there], [0] * len(there)))
            is_same = matches.category[wrong][:, None] == objects.category[there]
            kind[wrong], nearest = _kinds(overlap, is_same)
            about[wrong] = np.where(nearest >= 0, there[nearest], -1)
    is_found = np.zeros(len(objects.image), bool)
    is_found[matches.found[matches.is_true[0, 0]]] = True
    is_missed = objects.counts[0] & ~is_found
    is_missed[about[about >= 0]] = False
    return Errors(matches, kind, _surest(matches, kind, about, is_found), is_found, is_missed)


def _positions_by_image(
    image: NDArray[np.int64], wanted: NDArray[np.bool_], images: int
) -> list[NDArray[np.int64]]:
    """Where the wanted detections or objects of each image stand."""
    order = np.flatnonzero(wanted)
    order = order[np.argsort(image[order], kind="stable")]
    return np.split(order, np.searchsorted(image[order], np.arange(1, images)))


def _kinds(
    overlap: NDArray[np.float64], is_same: NDArray[np.bool_]
) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Find the kinds of an image's false positives.

    Args:
        overlap: IoU with each object, Array[N, G].
        is_same: Whether detection and object are of the same class, Array[N, G].

    Returns:
        The kinds, Array[N], and the position of the object that an error of the kinds loc or cls is
        about, −1 for the others, Array[N].
    """
    same, other = np.where(is_same, overlap, -1), np.where(is_same, -1, overlap)
    best_same, best_other = same.max(axis=1), other.max(axis=1)
    is_kind = {
        ErrorKind.LOC: (best_same >= BACKGROUND) & (best_same < FOREGROUND),
        ErrorKind.CLS: best_other >= FOREGROUND,
        ErrorKind.DUPE: best_same >= FOREGROUND,
        ErrorKind.BOTH: best_other >= BACKGROUND,
    }
    names = [kind.value for kind in is_kind]
    kinds = np.select(list(is_kind.values()), names, ErrorKind.BKG.value)
    nearest = np.select(
        [kinds == ErrorKind.LOC, kinds == ErrorKind.CLS],
        [same.argmax(axis=1), other.argmax(axis=1)],
        -1,
    )
    return kinds, nearest


def _surest(
    matches: Matches,
    kind: NDArray[np.str_],
    about: NDArray[np.int64],
    is_found: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Keep the object of the surest error of a kind about an object that was not found."""
    becomes = np.full(len(kind), -1)
    for one in (ErrorKind.LOC, ErrorKind.CLS):
        rivals = np.flatnonzero((kind == one) & (about >= 0))
        rivals = rivals[~is_found[about[rivals]]]
        rivals = rivals[np.argsort(-matches.score[rivals], kind="stable")]
        _, first = np.unique(about[rivals], return_index=True)
        becomes[rivals[first]] = about[rivals[first]]
    return becomes


def unfixed(errors: Errors) -> Judged:
    """Return the detections as they are."""
    matches = errors.matches
    return Judged(
        matches.image,
        matches.category,
        matches.is_true[0, 0],
        ~matches.is_ignored[0, 0],
        matches.objects.counts[0],
    )


def fixed(errors: Errors, kind: ErrorKind) -> Judged:
    """Return the detections with all errors of a kind fixed."""
    judged = unfixed(errors)
    if kind is ErrorKind.MISS:
        return replace(judged, is_object=judged.is_object & ~errors.is_missed)
    if kind is ErrorKind.FN:
        return replace(judged, is_object=judged.is_object & errors.is_found)
    if kind is ErrorKind.FP:
        return replace(judged, is_counted=judged.is_true)
    is_error = errors.kind == kind
    is_right_now = is_error & (errors.becomes >= 0)
    judged = replace(
        judged,
        is_true=judged.is_true | is_right_now,
        is_counted=judged.is_counted & ~(is_error & ~is_right_now),
    )
    return _reclassified(errors, judged, is_right_now) if kind is ErrorKind.CLS else judged


def _reclassified(errors: Errors, judged: Judged, which: NDArray[np.bool_]) -> Judged:
    """Return detections of which some have the class of the object that they are about."""
    matches = errors.matches
    category = judged.category.copy()
    category[which] = matches.objects.category[errors.becomes[which]]
    order = np.lexsort((judged.image, -matches.score, category))
    return Judged(
        judged.image[order],
        category[order],
        judged.is_true[order],
        judged.is_counted[order],
        judged.is_object,
    )


def _mean_precisions(
    matches: Matches, judged: Sequence[Judged], weights: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Compute the mean of AP50 over the classes that have objects, in percent.

    Args:
        matches: They have the objects.
        judged: V judgements of the same detections in the same order.
        weights: How often each image counts, Array[I, B].

    Returns:
        Array[V, B], NaN where there is no object to be found.
    """
    found = np.full((len(matches.categories), len(judged), weights.shape[1]), np.nan)
    for category in range(len(matches.categories) if judged else 0):
        own = slice(*np.searchsorted(judged[0].category, [category, category + 1]))
        variants = [
            Variant(
                one.is_true[own],
                one.is_counted[own],
                matches.objects.by_image(category, one.is_object, len(matches.images)),
            )
            for one in judged
        ]
        is_there = number_of_objects(matches.objects_by_image(category, 0), weights) > 0
        precision = ranked_precision(judged[0].image[own], variants, weights)
        found[category] = np.where(is_there, np.nan_to_num(precision), np.nan)
    return 100 * mean_of_measured(found)

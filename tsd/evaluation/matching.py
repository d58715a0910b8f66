"""Which detection found which object, by COCO's rule, at every IoU threshold and object size.

The library that computes COCO's numbers keeps its matches to itself. They are made anew here from
the overlaps that it has computed, since two things need them: the noise that comes from the choice
of images (:mod:`tsd.evaluation.bootstrap`), and the kinds of errors
(:mod:`tsd.evaluation.error_kinds`). Their AP is that of the library, which the tests hold them to.

Shapes: D detections that count, G objects, I images in the order of their ids, T IoU thresholds, A
sizes (``AREAS``). Detections stand in the order in which precision is computed: by class, then by
falling score, then by image.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tsd.evaluation.coco import AREA_RANGES, IOU_THRESHOLDS, CocoEvaluation


@dataclass(frozen=True, eq=False)
class Objects:
    """The annotations, crowd regions among them, in the order of the annotation file.

    Args:
        image: Position of the image, Array[G].
        category: Position of the class, Array[G].
        boxes: Array[G, 4], xywh in pixels.
        is_crowd: Array[G].
        counts: Whether it is to be found, Array[A, G]: it is no crowd region and has that size.
    """

    image: NDArray[np.int64]
    category: NDArray[np.int64]
    boxes: NDArray[np.float64]
    is_crowd: NDArray[np.bool_]
    counts: NDArray[np.bool_]

    def by_image(self, category: int, wanted: NDArray[np.bool_], images: int) -> NDArray[np.int64]:
        """Count the wanted objects of a class in each image.

        Args:
            category: Position of the class.
            wanted: Array[G].
            images: Number of images.
        """
        own = self.image[wanted & (self.category == category)]
        return np.bincount(own, minlength=images)


@dataclass(frozen=True, eq=False)
class Matches:
    """Detections with what came of them.

    Args:
        images: Ids of the images, Array[I], rising.
        categories: Ids of the classes, rising.
        entry: Position of the detection in ``CocoEvaluation.detections``, Array[D].
        image: Position of its image, Array[D].
        category: Position of its class, Array[D].
        score: Array[D].
        is_true: Whether it found an object that counts, Array[A, T, D].
        is_ignored: Whether it is neither right nor wrong, Array[A, T, D]: it found a crowd region
            or an object of another size, or found nothing and has another size itself.
        found: Position of the object that it found at the lowest threshold, whatever the size,
            −1 where it found none, Array[D].
        objects: The objects.
    """

    images: NDArray[np.int64]
    categories: NDArray[np.int64]
    entry: NDArray[np.int64]
    image: NDArray[np.int64]
    category: NDArray[np.int64]
    score: NDArray[np.float64]
    is_true: NDArray[np.bool_]
    is_ignored: NDArray[np.bool_]
    found: NDArray[np.int64]
    objects: Objects

    def of_class(self, category: int) -> slice:
        """Where the detections of a class stand, the class given by its position."""
        start, end = np.searchsorted(self.category, [category, category + 1])
        return slice(int(start), int(end))

    def objects_by_image(self, category: int, area: int) -> NDArray[np.int64]:
        """Count the objects of a class and size that are to be found, Array[I]."""
        return self.objects.by_image(category, self.objects.counts[area], len(self.images))


@lru_cache(maxsize=2)
def match(evaluation: CocoEvaluation) -> Matches:
    """Match the detections of an evaluation with its annotations.

    Args:
        evaluation: Of boxes or masks. What it gives is kept for the next who asks, since all kinds
            of errors need the same.
    """
    truth = evaluation.ground_truth
    images = np.array(sorted(image["id"] for image in truth["images"]))
    categories = np.array(sorted(category["id"] for category in truth["categories"]))
    objects = _objects(truth["annotations"], images, categories)

    found = evaluation.detections
    image = np.searchsorted(images, _column(found, "image_id", np.int64))
    category = np.searchsorted(categories, _column(found, "category_id", np.int64))
    score = _column(found, "score", np.float64)
    # The detections of an image and class by score, and no more of them than count.
    order = np.lexsort((-score, category, image))
    cell = image[order] * len(categories) + category[order]
    rank = np.arange(len(order)) - np.searchsorted(cell, cell)
    counted = rank < evaluation.max_detections[-1]
    order, cell = order[counted], cell[counted]

    area = _column(found, "area", np.float64)[order]
    lows, highs = np.array(AREA_RANGES).T[..., None]
    has_other_size = (area < lows) | (area > highs)
    partner = _partners(evaluation, images, categories, objects, cell)
    # Row −1 of the padded array is that of a detection without partner, which counts for nothing.
    counts = np.append(objects.counts, np.zeros((len(AREA_RANGES), 1), bool), axis=1)
    found_one = partner >= 0
    is_true = np.stack([counts[a][partner[a]] for a in range(len(AREA_RANGES))])
    is_ignored = np.where(found_one, ~is_true, has_other_size[:, None])

    by_class = np.lexsort((-score[order], category[order]))
    return Matches(
        images,
        categories,
        order[by_class],
        image[order][by_class],
        category[order][by_class],
        score[order][by_class],
        is_true[..., by_class],
        is_ignored[..., by_class],
        partner[0, 0, by_class],
        objects,
    )


def _objects(
    annotations: list[dict], images: NDArray[np.int64], categories: NDArray[np.int64]
) -> Objects:
    area = _column(annotations, "area", np.float64)
    is_crowd = _column(annotations, "iscrowd", np.bool_)
    lows, highs = np.array(AREA_RANGES).T[..., None]
    boxes = [entry["bbox"] for entry in annotations]
    return Objects(
        np.searchsorted(images, _column(annotations, "image_id", np.int64)),
        np.searchsorted(categories, _column(annotations, "category_id", np.int64)),
        np.array(boxes, np.float64).reshape(-1, 4),
        is_crowd,
        ~is_crowd & (area >= lows) & (area <= highs),
    )


def _column(entries: list[dict], key: str, kind: type) -> NDArray:
    return np.array([entry[key] for entry in entries], kind)


def _partners(
    evaluation: CocoEvaluation,
    images: NDArray[np.int64],
    categories: NDArray[np.int64],
    objects: Objects,
    cell: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Position of the object that each detection finds, −1 for none, Array[A, T, D].

    Args:
        evaluation: It has the overlaps.
        images: Ids.
        categories: Ids.
        objects: The objects.
        cell: Number of the image and class of each detection, rising.
    """
    partners = np.full((len(AREA_RANGES), len(IOU_THRESHOLDS), len(cell)), -1)
    object_cell = objects.image * len(categories) + objects.category
    by_cell = np.argsort(object_cell, kind="stable")
    object_cell = object_cell[by_cell]
    keys = np.array(list(evaluation.overlaps), np.int64).reshape(-1, 2)
    numbers = np.searchsorted(images, keys[:, 0]) * len(categories)
    numbers += np.searchsorted(categories, keys[:, 1])
    for number, overlap in zip(numbers, evaluation.overlaps.values(), strict=True):
        start, end = np.searchsorted(cell, [number, number + 1])
        there = by_cell[slice(*np.searchsorted(object_cell, [number, number + 1]))]
        _match_cell(
            overlap, ~objects.counts[:, there], objects.is_crowd[there], partners[..., start:end]
        )
        taken = partners[..., start:end]
        taken[taken >= 0] = there[taken[taken >= 0]]
    return partners


def _match_cell(
    overlap: NDArray[np.float64],
    is_ignored: NDArray[np.bool_],
    is_crowd: NDArray[np.bool_],
    partners: NDArray[np.int64],
) -> None:
    """Match the detections of an image and class, for all sizes and thresholds at once.

    Each detection in turn, the surest first, takes the free object with which it overlaps most and
    at least as much as the threshold says; of equals the last. An object that does not count is
    taken only where there is no other. Crowd regions are always free.

    Args:
        overlap: IoU, Array[D, G].
        is_ignored: Whether an object does not count, Array[A, G].
        is_crowd: Array[G].
        partners: Positions of objects, Array[A, T, D]; it is filled in.
    """
    thresholds = np.minimum(IOU_THRESHOLDS, 1 - 1e-10)  # as in COCO's code
    number = overlap.shape[1]
    # How much a detection prefers an object, as an integer, Array[A, D, G].
    keys = np.broadcast_arrays(np.arange(number), overlap, ~is_ignored[:, None, :])
    preference = np.argsort(np.lexsort(keys, axis=-1), axis=-1)
    is_free = np.ones((*partners.shape[:2], number), bool)
    for d in np.flatnonzero(overlap.max(axis=1) >= thresholds[0]):
        possible = is_free & (overlap[d] >= thresholds[:, None])
        wish = np.where(possible, preference[:, None, d], -1)
        best = wish.argmax(axis=-1)
        a, t = np.nonzero(wish.max(axis=-1) >= 0)
        taken = best[a, t]
        partners[a, t, d] = taken
        is_free[a, t, taken] = is_crowd[taken]

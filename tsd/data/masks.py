"""What the ``segmentation`` of an annotation is worth to a run with masks.

COCO's format has two kinds. *Polygons* are a list of lists ``[x1, y1, x2, y2, …]`` in pixels.
*Run lengths* are ``{"size": [height, width], "counts": …}``: numbers of pixels outside and inside
the mask in turn, column by column, as a list or as COCO's compressed text.

mmdet and pycocotools take it for granted that masks are well formed. Where they are not, one raises
a ``KeyError`` after a while, the other takes two points for a box. Checks, training and evaluation
therefore ask :func:`mask_of` first, so that all of them leave out the same objects.
"""

from collections.abc import Sequence
from typing import Any

from tsd.data.coco_format import is_number
from tsd.data.split_report import Mask


def mask_of(segmentation: Any, height: float, width: float) -> Mask:
    """Tell what a mask is worth.

    Args:
        segmentation: As the annotation has it; None where it has none.
        height: Of its image, in pixels.
        width: Of its image, in pixels.
    """
    if not segmentation:
        return Mask.MISSING
    if isinstance(segmentation, list):
        polygons = usable_polygons(segmentation)
        if not polygons:
            return Mask.MALFORMED
        return Mask.NO_AREA if all(map(_is_line, polygons)) else Mask.POLYGONS
    if not isinstance(segmentation, dict) or segmentation.get("size") != [height, width]:
        return Mask.MALFORMED
    runs = _runs(segmentation.get("counts"))
    if runs is None or sum(runs) != height * width or min(runs) < 0:
        return Mask.MALFORMED
    return Mask.RUN_LENGTHS if any(runs[1::2]) else Mask.NO_AREA


def usable_polygons(segmentation: Sequence[Any]) -> list[list[float]]:
    """The polygons of a mask that have three points or more, which are those that mmdet uses."""
    return [
        polygon
        for polygon in segmentation
        if isinstance(polygon, list)
        and len(polygon) >= 6
        and len(polygon) % 2 == 0
        and all(map(is_number, polygon))
    ]


def _is_line(polygon: Sequence[float]) -> bool:
    """Whether all points of a polygon lie on one line, so that it has no area."""
    x0, y0 = polygon[:2]
    points = [(x - x0, y - y0) for x, y in zip(polygon[::2], polygon[1::2], strict=True)]
    dx, dy = max(points, key=lambda point: abs(point[0]) + abs(point[1]))
    return all(x * dy == y * dx for x, y in points)


def _runs(counts: Any) -> list[int] | None:
    """The run lengths of ``counts``; None if it is neither a list of integers nor COCO's text.

    In the text a number has digits of five bits, the lowest first, each in a character from "0" on.
    A sixth bit says that a digit follows, and the fifth of the last digit is the sign. From the
    fourth number on each is a difference to the one before the last (cocoapi, ``maskApi.c``).
    """
    if isinstance(counts, list):
        whole = all(isinstance(run, int) and not isinstance(run, bool) for run in counts)
        return counts if counts and whole else None
    if not isinstance(counts, str):
        return None
    runs: list[int] = []
    value, shift = 0, 0
    for character in counts:
        digit = ord(character) - 48
        if not 0 <= digit < 64:
            return None
        value |= (digit & 31) << shift
        shift += 5
        if digit & 32:
            continue
        if digit & 16:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value, shift = 0, 0
    return runs if runs and shift == 0 else None

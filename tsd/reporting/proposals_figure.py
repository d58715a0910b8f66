"""Figure 5: P, P̂_r and P̂_c on images, and below them what each head detects.

Boxes are (x1, y1, x2, y2) in pixels of the original image.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from tsd.experiments import schema
from tsd.reporting.drawing import (
    INK,
    Drawing,
    absence,
    extracted,
    message_picture,
    present,
    write_message,
)
from tsd.reporting.photos import Photo, read_photo
from tsd.results.collected import Results
from tsd.results.extracts import Box, ImageProposals, Point, ProposalsExtract

SHOWN_FROM = 0.5
"""Lowest score of the detections that are drawn."""

FOUND_FROM = 0.5
"""Lowest IoU with an object of its class at which a detection counts as right."""

RIM = [patheffects.withStroke(linewidth=3.4, foreground="black")]
"""What is drawn behind each box, so that it stands out from any image."""

RED = "#ff5a36"
TRUTH: dict[str, Any] = {"ec": "white", "lw": 1.1, "ls": "-"}
RIGHT: dict[str, Any] = {"ec": "#56b4e9", "lw": 1.7, "ls": "-"}
FALSE: dict[str, Any] = {"ec": "#e69f00", "lw": 1.9, "ls": (0, (3, 1.5))}
SHARED: dict[str, Any] = {"ec": "#f0e442", "lw": 2.3, "ls": "-"}
DERIVED: dict[str, Any] = {"ec": RED, "lw": 1.9, "ls": (0, (5, 1.5))}
CLS_POINT: dict[str, Any] = {"marker": "o", "ms": 3.6, "mfc": "#ff9ed2", "mec": "black", "mew": 0.7}
REG_POINT: dict[str, Any] = {"marker": "x", "ms": 3.6, "mec": RED, "mew": 1.4}

WIDTH, TALLEST = 9.4, 3.2
"""Width of a row of images, and the greatest height of an image, in inches. All images have the
same height."""


@dataclass(frozen=True)
class Judged:
    """A detection that is drawn.

    ``iou`` is the IoU with the object that it found, or None where it found none.
    """

    name: str
    score: float
    box: Box
    iou: float | None


@dataclass(frozen=True)
class Shown:
    """A run that the figure shows.

    Args:
        run: Id of the run.
        label: What the figure calls it.
        seed: The training that is shown; None where nothing was extracted from the run.
        images: Path of an image → what was extracted on it.
        resting_offset: What was subtracted from the offsets, (x, y) in proportion to P.
    """

    run: str
    label: str
    seed: int | None
    images: dict[str, ImageProposals]
    resting_offset: Point = (0.0, 0.0)


def draw_proposals(results: Results, declared: schema.Figure) -> Drawing:
    """Draw a column for each image: the proposals on top, and below them each run's detections.

    Args:
        results: The collected results.
        declared: The figure. The proposals are those of the run of its last series.
    """
    shown = [
        _shown(results, series.run, series.label, declared.kind)
        for series in declared.series
        if series.run is not None
    ]
    seeds = {one.run: [] if one.seed is None else [one.seed] for one in shown}
    told = [f"{one.run} seed {one.seed}" for one in shown if one.seed is not None]
    columns = list(dict.fromkeys(path for one in shown for path in one.images))
    if columns:
        return Drawing(_draw_grid(results, shown, columns), [_explain(shown)], seeds, told)
    reasons = [absence(results, one.run, is_extracted=one.seed is not None) for one in shown]
    return Drawing(message_picture("\n".join(reasons)), [], seeds, told)


def _shown(results: Results, run: str, label: str, kind: str) -> Shown:
    """Read what was extracted from a run, as far as its images are still there."""
    found = extracted(results, run, kind, ProposalsExtract)
    if found is None:
        return Shown(run, label, None, {})
    seed, content = found
    images = {one.image: one for one in present(content.images)}
    return Shown(run, label, seed, images, content.resting_offset)


def judge(image: ImageProposals) -> list[Judged]:
    """Tell which of an image's drawn detections are right, as COCO's evaluation matches them.

    Detections are taken by falling score. Each gets the object of its class that it overlaps most,
    among the objects that no detection before it got, if their IoU is ``FOUND_FROM`` or more.
    """
    free = list(image.ground_truth)
    judged = []
    for one in sorted(image.detections, key=lambda one: -one.score):
        if one.score < SHOWN_FROM:
            break
        same = [truth for truth in free if truth.class_name == one.class_name]
        best = max(same, key=lambda truth: iou(one.box, truth.box), default=None)
        overlap = iou(one.box, best.box) if best else 0.0
        if best is not None and overlap >= FOUND_FROM:
            free.remove(best)
            judged.append(Judged(one.class_name, one.score, one.box, overlap))
        else:
            judged.append(Judged(one.class_name, one.score, one.box, None))
    return judged


def iou(a: Box, b: Box) -> float:
    """Compute the intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return width * height / (areas - width * height)


def _explain(shown: list[Shown]) -> str:
    """Say what is to be seen, and by which rules it was chosen."""
    rows = ", then ".join(f"{one.label} ({one.run})" for one in shown)
    x, y = shown[-1].resting_offset
    rest = (
        f"The pooling of this network reads {x:.3f} of P’s width to the left of where its offsets "
        f"say, and {y:.3f} of P’s height above; P̂_r and P̂_c are drawn where it reads. "
    )
    return (
        f"Top row, of run {shown[-1].run}: the RPN’s proposal P with the best IoU with the "
        "image’s largest object (yellow), P̂_r (red, dashed) and the centres of P̂_c’s bins (pink); "
        f"the annotated box is white. {rest if x or y else ''}"
        f"Below, the detections with a score of {SHOWN_FROM:g} or more: {rows}; blue where the "
        f"IoU with an object of the class (white) is {FOUND_FROM:g} or more, orange and dashed "
        "where it is not. Images: evenly spread over the val split."
    )


def _draw_grid(results: Results, shown: list[Shown], columns: list[str]) -> Figure:
    """Draw all rows; where nothing was extracted from a run, its row says so.

    Args:
        results: The collected results.
        shown: The runs.
        columns: Paths of the images.
    """
    extracts = {path: image for one in shown for path, image in one.images.items()}
    shapes = [_width_over_height(extracts[path]) for path in columns]
    height = min(WIDTH / sum(shapes), TALLEST)
    size = (height * sum(shapes) + 0.4, (height + 0.3) * (1 + len(shown)) + 0.95)
    figure = Figure(figsize=size, layout="constrained")
    method = shown[-1]
    rows: list[tuple[str, Shown, Callable[[Axes, ImageProposals], None]]] = [
        (f"proposals of\n{method.label}", method, _draw_proposal),
        *((f"detected by\n{one.label}", one, _draw_detections) for one in shown),
    ]
    grid = figure.subplots(len(rows), len(columns), squeeze=False, width_ratios=shapes)
    for line, (title, one, draw) in zip(grid, rows, strict=True):
        for axes, path in zip(line, columns, strict=True):
            if path in one.images:
                draw(axes, one.images[path])
            else:
                write_message(axes, absence(results, one.run).replace(": ", ":\n"))
            axes.set_xticks([])
            axes.set_yticks([])
        line[0].set_ylabel(title, fontsize=9.5, color=INK, parse_math=False)
    _draw_legend(figure)
    return figure


def _draw_legend(figure: Figure) -> None:
    """Explain boxes and points."""
    looks = {
        "annotated": TRUTH,
        "$P$": SHARED,
        r"$\hat{P}_r$": DERIVED,
        "detected, right": RIGHT,
        "detected, false": FALSE,
    }
    handles = [
        Line2D(
            [], [], color=look["ec"], lw=look["lw"], ls=look["ls"], label=label, path_effects=RIM
        )
        for label, look in looks.items()
    ]
    handles.insert(3, Line2D([], [], ls="", **CLS_POINT, label=r"$\hat{P}_c$"))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9
    )


def _photo(image: ImageProposals) -> Photo:
    return read_photo(Path(image.image), image.width, image.height)


def _width_over_height(image: ImageProposals) -> float:
    photo = _photo(image)
    return photo.width / photo.height


def _draw_proposal(axes: Axes, image: ImageProposals) -> None:
    """Draw P and what is derived from it, and no more of the image than surrounds them."""
    _photo(image).draw(axes)
    _draw_box(axes, image.box, TRUTH)
    proposal, derived = image.proposal, image.derived
    if proposal is None:
        _write(axes, "the RPN\nproposes nothing")
        return
    _draw_box(axes, proposal.box, SHARED)
    _tag(axes, proposal.box[0], proposal.box[3], "$P$", color=SHARED["ec"], fontsize=8)
    corners = [*_corners(image.box), *_corners(proposal.box)]
    if derived is None:
        _write(axes, "the head derives\nnothing from P")
    else:
        _write(axes, f"{image.class_name}\nIoU of P {proposal.iou:.2f}")
        if derived.reg_box is not None:
            _draw_box(axes, derived.reg_box, DERIVED)
            _, y1, x2, _ = derived.reg_box
            _tag(
                axes, x2, y1, r"$\hat{P}_r$", color=DERIVED["ec"], fontsize=8, ha="right", va="top"
            )
            corners += _corners(derived.reg_box)
        for points, look in ((derived.reg_points, REG_POINT), (derived.cls_points, CLS_POINT)):
            if points is not None:
                axes.plot(*np.transpose(points), ls="", **look)
                corners += points
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    shape = np.array([_width_over_height(image), 1])
    (x, y), (dx, dy) = (low + high) / 2, 0.6 * shape * max((high - low) / shape)
    axes.set_xlim(x - dx, x + dx)
    axes.set_ylim(y + dy, y - dy)
    axes.set_facecolor("#3a3f45")  # seen where the axes go beyond the image's edge


def _corners(box: Box) -> list[Point]:
    """Return the upper left and the lower right corner of a box."""
    return [(box[0], box[1]), (box[2], box[3])]


def _draw_detections(axes: Axes, image: ImageProposals) -> None:
    """Draw the annotated boxes and the detections, and count them."""
    _photo(image).draw(axes)
    for truth in image.ground_truth:
        _draw_box(axes, truth.box, TRUTH)
    judged = judge(image)
    for one in reversed(judged):
        _draw_box(axes, one.box, FALSE if one.iou is None else RIGHT)
    for one in reversed(judged):
        _label_box(axes, one)
    if not judged:
        best = max((one.score for one in image.detections), default=None)
        highest = "" if best is None else f";\nthe highest {best:.2f}"
        _write(axes, f"nothing scores {SHOWN_FROM:g}{highest}")
        return
    right = [one.iou for one in judged if one.iou is not None]
    mean = f"\nmean IoU {np.mean(right):.2f}" if right else ""
    false = len(judged) - len(right)
    _write(axes, f"{len(right)} of {len(image.ground_truth)} found, {false} false{mean}")


def _draw_box(axes: Axes, box: Box, look: dict[str, Any]) -> None:
    """Draw a box with a dark rim."""
    x1, y1, x2, y2 = box
    axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, path_effects=RIM, **look))


def _label_box(axes: Axes, one: Judged) -> None:
    """Write class and score: above a box that is right, below a false one, always in the image."""
    x1, y1, x2, y2 = one.box
    right, bottom = axes.get_xlim()[1], axes.get_ylim()[0]
    false = one.iou is None
    outside = y2 < 0.93 * bottom if false else y1 > 0.07 * bottom
    to_the_left = x1 > 0.7 * right
    _tag(
        axes,
        x2 if to_the_left else x1,
        y2 if false else y1,
        f"{one.name} {one.score:.2f}",
        color=(FALSE if false else RIGHT)["ec"],
        fontsize=6.5,
        ha="right" if to_the_left else "left",
        va="top" if false == outside else "bottom",
        parse_math=False,
    )


def _tag(axes: Axes, x: float, y: float, text: str, **look: Any) -> None:
    """Write on a dark ground."""
    ground = {"boxstyle": "square,pad=0.1", "fc": "black", "ec": "none", "alpha": 0.75}
    axes.text(x, y, text, bbox=ground, **look)


def _write(axes: Axes, text: str) -> None:
    """Write below an image what is to be said of it."""
    axes.set_xlabel(text, fontsize=8, color=INK, labelpad=2, parse_math=False)

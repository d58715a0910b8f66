"""Figure 1: how classification and localisation depend on the position, as maps and surfaces."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from mpl_toolkits.mplot3d import Axes3D

from tsd.experiments import schema
from tsd.reporting.drawing import INK, SOFT, Drawing, absence, extracted, message_picture, present
from tsd.reporting.photos import read_photo
from tsd.results.collected import Results
from tsd.results.extracts import SensitivityExtract, SensitivityMaps

Map = npt.NDArray[np.float64]
"""Array[H, W] of values from 0 to 1: a row for each y of the positions, a column for each x."""

HEADS = (
    "classification:\nscore of the true class",
    "localisation:\nIoU of the regressed box",
)
"""Heads of the columns, in the order of :func:`maps_of`."""

COLOURS, SCALE = "viridis", Normalize(0, 1)
"""Colours go from dark to light, so that maps keep their order in grey. Both tasks and all rows
share one scale."""

LEVELS = (0.25, 0.5, 0.75)
"""Values at which contour lines are drawn."""

SURROUNDINGS = 0.75
"""How much is shown on each side of an object, over the longer side of its box."""

RIM = [patheffects.withStroke(linewidth=2.6, foreground="black")]
"""What is drawn behind white lines, so that they stand out from any image."""


def draw_sensitivity(results: Results, declared: schema.Figure) -> Drawing:
    """Draw a row for each object: both maps over the image, and both as surfaces.

    Args:
        results: The collected results.
        declared: The figure. Its only series names the run.
    """
    (series,), (run,) = declared.series, declared.runs
    found = extracted(results, run, declared.kind, SensitivityExtract)
    if found is None:
        return Drawing(message_picture(absence(results, run)), [], seeds={run: []}, told=[])
    seed, content = found
    instances = present(content.instances)
    if not instances:
        picture = message_picture(absence(results, run, is_extracted=True))
        return Drawing(picture, [], seeds={run: [seed]}, told=[])
    return Drawing(
        _draw_rows(instances),
        _explain(instances),
        seeds={run: [seed]},
        told=[f"run {run} ({series.label}), seed {seed}"],
    )


def maps_of(instance: SensitivityMaps) -> tuple[Map, Map]:
    """Return an object's map of classification and its map of localisation."""
    return np.asarray(instance.classification), np.asarray(instance.localization)


def _explain(instances: list[SensitivityMaps]) -> list[str]:
    """Say what the maps show, and where their peaks lie."""
    apart = ", ".join(f"{peak_distance(instance):.2f}" for instance in instances)
    return [
        "Each position is the centre of a proposal as large as the annotated box (white). First "
        "column: the score that the head then gives to the true class; second column: the IoU of "
        "the box that it then regresses for that class with the annotated one; third: both as "
        "surfaces.",
        "The score also rises over other objects of the class; a head that returned each proposal "
        "as its box would show a cone of IoU, 1 in the middle.",
        f"Crosses mark the highest values, which lie {apart} of the box’s diagonal apart.",
        "Objects: the largest of images evenly spread over the val split.",
    ]


def peak(instance: SensitivityMaps, values: Map) -> tuple[float, float, float]:
    """Find the highest value of one of an object's maps: its x, its y and the value."""
    row, column = np.unravel_index(int(values.argmax()), values.shape)
    return instance.x[column], instance.y[row], float(values[row, column])


def peak_distance(instance: SensitivityMaps) -> float:
    """Measure how far the highest values of both maps lie apart, over the box's diagonal."""
    (ax, ay, _), (bx, by, _) = (peak(instance, values) for values in maps_of(instance))
    x1, y1, x2, y2 = instance.box
    return math.hypot(ax - bx, ay - by) / math.hypot(x2 - x1, y2 - y1)


def _draw_rows(instances: list[SensitivityMaps]) -> Figure:
    """Draw maps and surfaces of all objects, and the scale that they share."""
    rows = len(instances)
    figure = Figure(figsize=(9.6, 2.25 * rows + 1.4), layout="constrained")
    places = figure.add_gridspec(
        rows + 1, 4, width_ratios=[1, 1, 1.1, 1.1], height_ratios=[1] * rows + [0.07]
    )
    for row, instance in enumerate(instances):
        for column, (values, head) in enumerate(zip(maps_of(instance), HEADS, strict=True)):
            flat = figure.add_subplot(places[row, column])
            surface = figure.add_subplot(places[row, 2 + column], projection="3d")
            _draw_map(flat, instance, values)
            _draw_surface(surface, instance, values)
            if row == 0:
                flat.set_title(head, fontsize=9, color=INK)
                surface.set_title(head, fontsize=9, color=INK)
            if column == 0:
                label = f"{instance.class_name}\n(stride {instance.stride})"
                flat.set_ylabel(label, fontsize=9, color=INK, parse_math=False)
    _draw_scale(figure, figure.add_subplot(places[rows, :2]))
    return figure


def _draw_scale(figure: Figure, axes: Axes) -> None:
    """Draw the scale of all maps, with marks at the levels of the contours."""
    mappable = ScalarMappable(SCALE, COLOURS)
    bar = figure.colorbar(mappable, cax=axes, orientation="horizontal", ticks=[0, *LEVELS, 1])
    bar.set_label("score and IoU, contour lines at the marks", fontsize=8.5, color=INK)
    axes.tick_params(labelsize=8, colors=INK)
    for level in LEVELS:
        axes.axvline(level, color="white", lw=1.2, path_effects=RIM)


def _draw_map(axes: Axes, instance: SensitivityMaps, values: Map) -> None:
    """Draw a map over the image in grey, as far as the surroundings of the object go."""
    x, y = instance.x, instance.y
    photo = read_photo(Path(instance.image), instance.width, instance.height)
    photo.draw(axes, is_grey=True)
    half = (x[1] - x[0]) / 2 if len(x) > 1 else 0.5
    extent = (x[0] - half, x[-1] + half, y[-1] + half, y[0] - half)
    axes.imshow(values, cmap=COLOURS, norm=SCALE, extent=extent, alpha=0.68)
    if min(values.shape) > 1 and values.min() < max(LEVELS) and values.max() > min(LEVELS):
        lines = axes.contour(x, y, values, LEVELS, colors="white", linewidths=0.9)
        lines.set(path_effects=[patheffects.withStroke(linewidth=1.8, foreground="black")])
    x1, y1, x2, y2 = instance.box
    axes.add_patch(
        Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, ec="white", lw=1.3, path_effects=RIM)
    )
    px, py, best = peak(instance, values)
    axes.plot(px, py, "+", ms=11, mew=1.8, color="white", path_effects=RIM)
    axes.annotate(
        f"highest {best:.2f}",
        (0.98, 0.02),
        xycoords="axes fraction",
        ha="right",
        va="bottom",
        fontsize=7.5,
        color="white",
        bbox={"boxstyle": "square,pad=0.15", "fc": "black", "ec": "none", "alpha": 0.7},
    )
    # The surroundings are a square that ends where the image ends.
    side = (1 + 2 * SURROUNDINGS) * max(x2 - x1, y2 - y1)
    side = min(side, photo.width, photo.height)
    start_x = min(max((x1 + x2 - side) / 2, 0), photo.width - side)
    start_y = min(max((y1 + y2 - side) / 2, 0), photo.height - side)
    axes.set_xlim(start_x, start_x + side)
    axes.set_ylim(start_y + side, start_y)
    axes.set_xticks([])
    axes.set_yticks([])


def _draw_surface(axes: Axes3D, instance: SensitivityMaps, values: Map) -> None:
    """Draw a map as a surface, in the image's orientation."""
    x, y = np.meshgrid(instance.x, instance.y)
    surface = axes.plot_surface(
        x,
        y,
        values,
        cmap=COLOURS,
        norm=SCALE,
        rstride=1,
        cstride=1,
        lw=0.15,
        edgecolor=INK,
    )
    surface.set_rasterized(True)  # as vectors, its thousands of faces would be megabytes
    axes.set_zlim(0, 1)
    axes.invert_yaxis()
    axes.set_zticks([0, 0.5, 1])
    axes.set_xticks([])
    axes.set_yticks([])
    axes.tick_params(axis="z", labelsize=7.5, colors=SOFT, pad=0)
    axes.view_init(elev=32, azim=-62)
    axes.set_box_aspect((1, 1, 0.75), zoom=1.2)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color((0.97, 0.97, 0.98, 1))

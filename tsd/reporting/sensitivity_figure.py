"""Figure 1: how classification and localisation depend on the position, as maps and surfaces."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from mpl_toolkits.mplot3d import Axes3D
from PIL import Image

from tsd.reporting import drawing
from tsd.reporting.cells import read_results
from tsd.reporting.drawing import INK, SOFT

TASKS = {
    "classification": "classification:\nscore of the true class",
    "localization": "localisation:\nIoU of the regressed box",
}
"""Map of an instance → the head of its column."""

COLOURS, SCALE = "viridis", Normalize(0, 1)
"""Dark to light, so that maps keep their order in grey; both tasks and all rows share the scale."""

LEVELS = (0.25, 0.5, 0.75)
"""Of the contour lines."""

SURROUNDINGS = 0.75
"""Of the object's size, shown on each side of it."""

RIM = [patheffects.withStroke(linewidth=2.6, foreground="black")]


def draw_sensitivity(collected: Path, figure_id: str, out: Path) -> None:
    """Draw a row for each instance: both maps over the image, and both as surfaces.

    Args:
        collected: The file with the results.
        figure_id: Of a declared figure of kind ``sensitivity``; its first series names the run.
        out: The figure's path (:func:`tsd.reporting.drawing.save`).
    """
    results = read_results(collected)
    declared = drawing.figure_of(results, figure_id)
    results = drawing.only_of(results, declared)
    series = declared["series"][0]
    found = drawing.extracted(results, series["run"], declared["kind"])
    instances = drawing.present(found[1]["instances"]) if found else []
    told = []
    if found and instances:
        figure = _draw_rows(instances)
        told = [f"run {series['run']} ({series['label']}), seed {found[0]}"]
    else:
        figure = Figure(figsize=(8, 2.6), layout="constrained")
        drawing.write_message(figure.add_subplot(), drawing.absence(results, series["run"], found))
    drawing.write_title(figure, results, declared["title"], *told)
    shown = _explain(instances) if instances else []
    seeds = {series["run"]: [found[0]] if found else []}
    drawing.save(figure, out, drawing.caption(results, declared, shown, seeds))


def _explain(instances: list[dict[str, Any]]) -> list[str]:
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


def peak(instance: dict[str, Any], task: str) -> tuple[float, float, float]:
    """Find a map's highest value: x, y and the value."""
    values = np.asarray(instance[task])
    row, column = np.unravel_index(int(values.argmax()), values.shape)
    return instance["x"][column], instance["y"][row], float(values[row, column])


def peak_distance(instance: dict[str, Any]) -> float:
    """Measure how far the two maps' highest values lie apart, over the box's diagonal."""
    (ax, ay, _), (bx, by, _) = (peak(instance, task) for task in TASKS)
    x1, y1, x2, y2 = instance["box"]
    return math.hypot(ax - bx, ay - by) / math.hypot(x2 - x1, y2 - y1)


def _draw_rows(instances: list[dict[str, Any]]) -> Figure:
    """Draw maps and surfaces of all instances, and the scale of them all."""
    rows = len(instances)
    figure = Figure(figsize=(9.6, 2.25 * rows + 1.4), layout="constrained")
    places = figure.add_gridspec(
        rows + 1, 4, width_ratios=[1, 1, 1.1, 1.1], height_ratios=[1] * rows + [0.07]
    )
    for row, instance in enumerate(instances):
        for column, (task, head) in enumerate(TASKS.items()):
            flat = figure.add_subplot(places[row, column])
            surface = figure.add_subplot(places[row, 2 + column], projection="3d")
            _draw_map(flat, instance, task)
            _draw_surface(surface, instance, task)
            if row == 0:
                flat.set_title(head, fontsize=9, color=INK)
                surface.set_title(head, fontsize=9, color=INK)
            if column == 0:
                label = f"{instance['class']}\n(stride {instance['stride']})"
                flat.set_ylabel(label, fontsize=9, color=INK, parse_math=False)
    _draw_scale(figure, figure.add_subplot(places[rows, :2]))
    return figure


def _draw_scale(figure: Figure, axes: Axes) -> None:
    """Draw the scale of both tasks, with the levels of the contours."""
    mappable = ScalarMappable(SCALE, COLOURS)
    bar = figure.colorbar(mappable, cax=axes, orientation="horizontal", ticks=[0, *LEVELS, 1])
    bar.set_label("score and IoU, contour lines at the marks", fontsize=8.5, color=INK)
    axes.tick_params(labelsize=8, colors=INK)
    for level in LEVELS:
        axes.axvline(level, color="white", lw=1.2, path_effects=RIM)


def _draw_map(axes: Axes, instance: dict[str, Any], task: str) -> None:
    """Draw a map over the surroundings of its instance, the image in grey."""
    x, y, values = instance["x"], instance["y"], np.asarray(instance[task])
    with Image.open(instance["image"]) as image:
        width, height = image.size
        grey = np.asarray(image.convert("L"))
    axes.imshow(grey, cmap="gray", vmin=-60, vmax=315, extent=(0, width, height, 0))
    half = (x[1] - x[0]) / 2 if len(x) > 1 else 0.5
    extent = (x[0] - half, x[-1] + half, y[-1] + half, y[0] - half)
    axes.imshow(values, cmap=COLOURS, norm=SCALE, extent=extent, alpha=0.68)
    if min(values.shape) > 1 and values.min() < max(LEVELS) and values.max() > min(LEVELS):
        lines = axes.contour(x, y, values, LEVELS, colors="white", linewidths=0.9)
        lines.set(path_effects=[patheffects.withStroke(linewidth=1.8, foreground="black")])
    x1, y1, x2, y2 = instance["box"]
    axes.add_patch(
        Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, ec="white", lw=1.3, path_effects=RIM)
    )
    px, py, best = peak(instance, task)
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
    # A square of surroundings, as far as the image goes.
    side = (1 + 2 * SURROUNDINGS) * max(x2 - x1, y2 - y1)
    side = min(side, width, height)
    start_x = min(max((x1 + x2 - side) / 2, 0), width - side)
    start_y = min(max((y1 + y2 - side) / 2, 0), height - side)
    axes.set_xlim(start_x, start_x + side)
    axes.set_ylim(start_y + side, start_y)
    axes.set_xticks([])
    axes.set_yticks([])


def _draw_surface(axes: Axes3D, instance: dict[str, Any], task: str) -> None:
    """Draw a map as a surface, in the image's orientation."""
    x, y = np.meshgrid(instance["x"], instance["y"])
    values = np.asarray(instance[task])
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

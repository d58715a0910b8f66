"""The report's figures: gains beside the paper's, and samples of the validation images."""

import json
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from PIL import Image

from tsd.reporting.cells import read_results
from tsd.reporting.drawing import INK, OURS, PAPERS, figure_of
from tsd.reporting.iou_figure import draw_iou
from tsd.reporting.margin_figure import draw_margins
from tsd.reporting.proposals_figure import draw_proposals
from tsd.reporting.sensitivity_figure import draw_sensitivity
from tsd.reporting.summary import ComparedGain, compared_gains, seeds_phrase
from tsd.reporting.wording import row_name

DRAW = {
    "iou": draw_iou,
    "margins": draw_margins,
    "sensitivity": draw_sensitivity,
    "proposals": draw_proposals,
}
"""Kind of a declared figure → what draws it."""

FAINT = "#868d95"
PALETTE = ("#f0e442", "#56b4e9", "#e69f00", "#00c896", "#cc79a7", "#ffffff", "#d55e00", "#4f8fff")
"""Colours of classes, Okabe and Ito's with the dark ones lightened; names are written as well."""


def draw_declared(collected: Path, figure_id: str, out: Path) -> None:
    """Draw one of the declared figures as SVG, PDF and PNG, and write its caption as ``.txt``.

    Args:
        collected: The file with the results.
        figure_id: Of the figure.
        out: The figure's path; its suffix is replaced.

    Raises:
        KeyError: There is no such figure.
    """
    figure = figure_of(read_results(collected), figure_id)
    DRAW[figure["kind"]](collected, figure_id, out)


def draw_gains(collected: Path, out: Path) -> None:
    """Draw each row's measured gain in AP over its baseline beside the paper's, as PNG and SVG.

    Args:
        collected: The file with the results.
        out: The figures' path; its suffix is replaced by ``.png`` and ``.svg``.
    """
    results = read_results(collected)
    gains = compared_gains(results)
    figure = Figure(figsize=(8.2, 1.75 + 0.46 * max(len(gains), 1)), layout="constrained")
    axes = figure.add_subplot()
    _draw_gain_lines(axes, gains)
    axes.set_title(
        f"Gain in AP over each row’s own baseline\ngrid {results['grid']}, {seeds_phrase(results)}",
        loc="left",
        fontsize=11,
        color=INK,
        parse_math=False,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "gains"}):
        figure.savefig(out.with_suffix(".png"), dpi=160)
        figure.savefig(out.with_suffix(".svg"), metadata={"Date": None})


def _draw_gain_lines(axes: Axes, gains: list[ComparedGain]) -> None:
    """Draw a line from the paper's gain to the measured one for each row, the first on top."""
    for height, gain in zip(range(len(gains), 0, -1), gains, strict=True):
        axes.plot([gain.published, gain.measured], [height, height], color=FAINT, lw=1.2, zorder=1)
        axes.errorbar(
            gain.measured, height, xerr=gain.sd, fmt="o", ms=8, color=OURS, capsize=3, zorder=3
        )
        axes.plot(gain.published, height, "D", ms=9, mfc="none", mec=PAPERS, mew=1.8, zorder=4)
        label = f"{gain.table['id']} · {row_name(gain.row)}"
        place: dict[str, Any] = {
            "xycoords": ("axes fraction", "data"),
            "textcoords": "offset points",
        }
        for text, dy, size, colour in (
            (label, 4, 8.5, INK),
            (f"{gain.row['run']} − {gain.row['baseline']}", -7, 7, FAINT),
        ):
            axes.annotate(
                text,
                (0, height),
                xytext=(-8, dy),
                ha="right",
                va="center",
                fontsize=size,
                color=colour,
                annotation_clip=False,
                parse_math=False,
                **place,
            )
    axes.axvline(0, color=INK, lw=0.9, zorder=1)
    axes.set_ylim(0.4, max(len(gains), 1) + 0.6)
    axes.set_yticks([])
    axes.grid(axis="x", color="#e4e7ea", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.tick_params(axis="x", labelsize=8.5, colors=INK)
    axes.set_xlabel("gain in AP, percentage points", fontsize=9, color=INK)
    if not gains:
        axes.text(0.5, 0.5, "no gain was measured yet", transform=axes.transAxes, ha="center")
        return
    has_spread = any(gain.sd is not None for gain in gains)
    measured = "measured, ± standard error over seeds" if has_spread else "measured"
    handles = [
        Line2D([], [], marker="o", ls="", ms=8, color=OURS, label=measured),
        Line2D([], [], marker="D", ls="", ms=9, mfc="none", mec=PAPERS, mew=1.8, label="paper"),
    ]
    axes.figure.legend(
        handles=handles, loc="outside lower right", ncols=2, frameon=False, fontsize=8.5
    )


@dataclass(frozen=True)
class Sample:
    """An image with what is annotated on it.

    Args:
        path: Of the image.
        objects: Position of the class among all, its name, and the box (x, y, w, h) in pixels.
    """

    path: Path
    objects: list[tuple[int, str, list[float]]]


def pick_samples(annotation_file: Path, image_folder: Path, count: int) -> list[Sample]:
    """Pick images evenly spread over a COCO annotation file; crowds are left out of them.

    Args:
        annotation_file: In COCO's format.
        image_folder: Folder of its ``file_name`` s.
        count: Number of images at most.
    """
    content: dict[str, Any] = json.loads(annotation_file.read_text(encoding="utf-8"))
    names = {entry["id"]: entry["name"] for entry in content["categories"]}
    order = {category: position for position, category in enumerate(names)}
    objects = defaultdict(list)
    for entry in content["annotations"]:
        if not entry.get("iscrowd"):
            category = entry["category_id"]
            objects[entry["image_id"]].append((order[category], names[category], entry["bbox"]))
    images = content["images"]
    count = min(count, len(images))
    picked = [images[position * len(images) // count] for position in range(count)]
    return [Sample(image_folder / entry["file_name"], objects[entry["id"]]) for entry in picked]


def draw_samples(annotation_file: Path, image_folder: Path, out: Path, count: int = 12) -> None:
    """Draw a contact sheet of images with their annotated boxes and class names, as PNG.

    Args:
        annotation_file: In COCO's format.
        image_folder: Where its images are.
        out: The figure's path; its suffix is replaced by ``.png``.
        count: Number of images at most.

    Raises:
        FileNotFoundError: The annotation file or an image is missing.
    """
    samples = pick_samples(annotation_file, image_folder, count)
    columns = min(4, len(samples))
    rows = math.ceil(len(samples) / columns)
    narrow = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03, wspace=0, hspace=0)
    figure = Figure(figsize=(2.6 * columns, 2.6 * rows), layout=narrow)
    for place, sample in enumerate(samples, start=1):
        axes = figure.add_subplot(rows, columns, place)
        with Image.open(sample.path) as image:
            axes.imshow(image.convert("RGB"), interpolation="nearest")
        axes.set_axis_off()
        for category, name, box in sample.objects:
            _draw_box(axes, PALETTE[category % len(PALETTE)], name, box)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out.with_suffix(".png"), dpi=130)


def _draw_box(axes: Axes, colour: str, name: str, box: list[float]) -> None:
    """Draw a box (x, y, w, h) with a dark rim, and its name above it, or in it at the top."""
    x, y, w, h = box
    rim = [patheffects.withStroke(linewidth=3.2, foreground="black")]
    axes.add_patch(
        Rectangle((x - 0.5, y - 0.5), w, h, fill=False, ec=colour, lw=1.5, path_effects=rim)
    )
    label = {"boxstyle": "square,pad=0.12", "fc": "black", "ec": "none", "alpha": 0.75}
    axes.annotate(
        name,
        (x - 0.5, y - 0.5),
        xytext=(1, 2),
        textcoords="offset points",
        fontsize=6.5,
        va="bottom" if y > axes.get_ylim()[0] * 0.07 else "top",
        color=colour,
        bbox=label,
        parse_math=False,
    )

"""A contact sheet of the validation images with what is annotated on them."""

import math
import textwrap
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle

from tsd.data.coco_format import read_json_file
from tsd.reporting.drawing import message_picture
from tsd.reporting.photos import read_photo

PALETTE = ("#f0e442", "#56b4e9", "#e69f00", "#00c896", "#cc79a7", "#ffffff", "#d55e00", "#4f8fff")
"""Colours of the classes: Okabe and Ito's, the dark ones lightened. Names are written as well."""


@dataclass(frozen=True)
class Sample:
    """An image with what is annotated on it.

    Args:
        path: Path of the image.
        width: Annotated width in pixels.
        height: Annotated height, likewise.
        objects: Each object's class, as its position among all and as its name, and its box
            (x, y, w, h) in pixels.
    """

    path: Path
    width: float
    height: float
    objects: list[tuple[int, str, list[float]]]


def pick_samples(annotation_file: Path, image_folder: Path, count: int) -> list[Sample]:
    """Pick images that are evenly spread over a file of annotations. Crowds are left out.

    Args:
        annotation_file: The annotations, in COCO's format.
        image_folder: Folder that the file names of the images are relative to.
        count: Number of images at most.
    """
    content: dict[str, Any] = read_json_file(annotation_file)
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
    return [
        Sample(
            image_folder / entry["file_name"], entry["width"], entry["height"], objects[entry["id"]]
        )
        for entry in picked
    ]


def draw_samples(annotation_file: Path, image_folder: Path, out: Path, count: int = 12) -> None:
    """Draw a contact sheet of images with their annotated boxes and class names, as PNG.

    An image that cannot be read leaves a panel that says so, and a file that cannot be read leaves
    a sheet that says so. Nothing is raised for the sake of this decoration.

    Args:
        annotation_file: The annotations, in COCO's format.
        image_folder: Folder that the file names of the images are relative to.
        out: Path of the figure; its suffix is replaced by ``.png``.
        count: Number of images at most.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        sheet = _sheet(pick_samples(annotation_file, image_folder, count))
        sheet.savefig(out.with_suffix(".png"), dpi=130)
    except Exception as error:  # of whatever kind: no report fails for the sake of a decoration
        message = f"No samples can be shown: {type(error).__name__}: {error}"
        message_picture(textwrap.fill(message, 90)).savefig(out.with_suffix(".png"), dpi=130)


def _sheet(samples: list[Sample]) -> Figure:
    """Draw each image in a panel of its own."""
    columns = min(4, len(samples))
    rows = math.ceil(len(samples) / columns)
    narrow = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03, wspace=0, hspace=0)
    figure = Figure(figsize=(2.6 * columns, 2.6 * rows), layout=narrow)
    for place, sample in enumerate(samples, start=1):
        axes = figure.add_subplot(rows, columns, place)
        read_photo(sample.path, sample.width, sample.height).draw(axes)
        axes.set_axis_off()
        for category, name, box in sample.objects:
            _draw_box(axes, PALETTE[category % len(PALETTE)], name, box)
    return figure


def _draw_box(axes: Axes, colour: str, name: str, box: list[float]) -> None:
    """Draw a box (x, y, w, h) with a dark rim, and its name above it, or in it at the top."""
    x, y, w, h = box
    rim = [patheffects.withStroke(linewidth=3.2, foreground="black")]
    axes.add_patch(Rectangle((x, y), w, h, fill=False, ec=colour, lw=1.5, path_effects=rim))
    label = {"boxstyle": "square,pad=0.12", "fc": "black", "ec": "none", "alpha": 0.75}
    axes.annotate(
        name,
        (x, y),
        xytext=(1, 2),
        textcoords="offset points",
        fontsize=6.5,
        va="bottom" if y > axes.get_ylim()[0] * 0.07 else "top",
        color=colour,
        bbox=label,
        parse_math=False,
    )

"""A contact sheet of the validation images: what is annotated on them, and what is found there."""

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
from tsd.reporting.found_objects import LEAST_SCORE, Detector, found_in
from tsd.reporting.photos import read_photo

PALETTE = ("#f0e442", "#56b4e9", "#e69f00", "#00c896", "#cc79a7", "#ffffff", "#d55e00", "#4f8fff")
"""Colours of the classes: Okabe and Ito's, the dark ones lightened. Names are written as well."""


MOST_NAMES = 25
"""In an image with more boxes their names are left out, and the boxes have finer lines."""

Shown = tuple[int, str, list[float]]
"""A box that is drawn: position of its class among all, the class's name, and (x, y, w, h)."""


@dataclass(frozen=True)
class Sample:
    """An image with what is annotated on it.

    Args:
        path: Path of the image.
        width: Annotated width in pixels.
        height: Annotated height, likewise.
        objects: Each object's class, as its position among all and as its name, and its box
            (x, y, w, h) in pixels.
        found: What a trained network detects there, likewise; None where none is at hand.
    """

    path: Path
    width: float
    height: float
    objects: list[Shown]
    found: list[Shown] | None = None


def pick_samples(
    annotation_file: Path, image_folder: Path, count: int, detections: Path | None = None
) -> list[Sample]:
    """Pick images that are evenly spread over a file of annotations. Crowds are left out.

    Args:
        annotation_file: The annotations, in COCO's format.
        image_folder: Folder that the file names of the images are relative to.
        count: Number of images at most.
        detections: What a network detects in them, in COCO's results format; None where there is
            nothing.
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
    ids = [entry["id"] for entry in picked]
    boxes = {} if detections is None else found_in(detections, ids)
    found = {
        image: [(order[category], names[category], box) for category, box in of_image]
        for image, of_image in boxes.items()
    }
    return [
        Sample(
            image_folder / entry["file_name"],
            entry["width"],
            entry["height"],
            objects[entry["id"]],
            found.get(entry["id"]),
        )
        for entry in picked
    ]


def draw_samples(
    annotation_file: Path,
    image_folder: Path,
    out: Path,
    count: int = 12,
    detector: Detector | None = None,
) -> None:
    """Draw a contact sheet of images with their annotated boxes and class names, as PNG.

    Where a trained network is at hand, half as many images are drawn, each twice: as annotated, and
    with what the network detects. The caption goes into a text file beside the picture.

    An image that cannot be read leaves a panel that says so, and a file that cannot be read leaves
    a sheet that says so. Nothing is raised for the sake of this decoration.

    Args:
        annotation_file: The annotations, in COCO's format.
        image_folder: Folder that the file names of the images are relative to.
        out: Path of the figure; its suffix is replaced by ``.png``, and by ``.txt`` for the
            caption.
        count: Number of panels at most.
        detector: The network; None where there is none.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    number = count if detector is None else max(count // 2, 1)
    file = None if detector is None else detector.file
    try:
        sheet = _sheet(pick_samples(annotation_file, image_folder, number, file))
        sheet.savefig(out.with_suffix(".png"), dpi=130)
    except Exception as error:  # of whatever kind: no report fails for the sake of a decoration
        message = f"No samples can be shown: {type(error).__name__}: {error}"
        message_picture(textwrap.fill(message, 90)).savefig(out.with_suffix(".png"), dpi=130)
    out.with_suffix(".txt").write_text(caption(detector) + "\n", encoding="utf-8")


def caption(detector: Detector | None) -> str:
    """Say what the sheet shows.

    Args:
        detector: The network whose detections are drawn; None where there is none.
    """
    said = "These images of the validation set, evenly spread over it, are shown with their "
    if detector is None:
        return f"{said}annotated boxes."
    return (
        f"{said}annotated boxes (left) and with what the run {detector.run}, seed {detector.seed}, "
        f"detects with a score of at least {LEAST_SCORE:g} (right). Where an image has more than "
        f"{MOST_NAMES} boxes, the classes’ names are left out."
    )


def _sheet(samples: list[Sample]) -> Figure:
    """Draw each image in a panel of its own, and what is found in it in the panel beside it."""
    panels = [
        (sample, boxes, head)
        for sample in samples
        for boxes, head in (
            [(sample.objects, "")]
            if sample.found is None
            else [(sample.objects, "annotated"), (sample.found, "detected")]
        )
    ]
    columns = min(4, len(panels))
    rows = math.ceil(len(panels) / columns)
    narrow = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03, wspace=0, hspace=0)
    figure = Figure(figsize=(2.6 * columns, 2.6 * rows), layout=narrow)
    for place, (sample, boxes, head) in enumerate(panels, start=1):
        axes = figure.add_subplot(rows, columns, place)
        read_photo(sample.path, sample.width, sample.height).draw(axes)
        axes.set_axis_off()
        if head:
            axes.set_title(f"{head} ({len(boxes)})", fontsize=7, pad=2)
        is_crowded = len(boxes) > MOST_NAMES
        for category, name, box in boxes:
            colour = PALETTE[category % len(PALETTE)]
            _draw_box(axes, colour, "" if is_crowded else name, box)
    return figure


def _draw_box(axes: Axes, colour: str, name: str, box: list[float]) -> None:
    """Draw a box (x, y, w, h) with a dark rim, and its name above it, or in it at the top.

    A box without a name is one of many, and has finer lines.
    """
    x, y, w, h = box
    line = 1.5 if name else 0.7
    rim = [patheffects.withStroke(linewidth=2 * line + 0.2, foreground="black")]
    axes.add_patch(Rectangle((x, y), w, h, fill=False, ec=colour, lw=line, path_effects=rim))
    if not name:
        return
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

"""Small data sets in COCO's format: rectangles in the colour of their class."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from tsd.experiments.dataset_schema import Dataset

SIZE = (160, 120)
"""Width and height of the images."""

COLOURS = {"red": (220, 40, 40), "green": (40, 190, 60), "blue": (50, 80, 230)}

Object = tuple[str, Sequence[float]]
"""Name of the class, and the box xywh."""


def annotated(
    categories: Sequence[tuple[int, str]], objects: Sequence[Sequence[Object]], **changes: object
) -> dict:
    """The content of an annotation file.

    Args:
        categories: Id and name of each, in the order of the file.
        objects: Those of each image. Of categories with the same name the last one is meant.
        changes: Keys that each annotation gets.
    """
    ids = {name: number for number, name in categories}
    entries = [
        {
            "image_id": image,
            "category_id": ids[name],
            "bbox": list(box),
            "area": box[2] * box[3],
            "iscrowd": 0,
            "segmentation": [polygon(box)],
            **changes,
        }
        for image, shown in enumerate(objects, start=1)
        for name, box in shown
    ]
    width, height = SIZE
    return {
        "images": [
            {"id": number, "file_name": f"{number:03}.png", "width": width, "height": height}
            for number in range(1, len(objects) + 1)
        ],
        "annotations": [{"id": number, **e} for number, e in enumerate(entries, start=1)],
        "categories": [{"id": number, "name": name} for number, name in categories],
    }


def polygon(box: Sequence[float]) -> list[float]:
    """The corners of a box xywh, one after the other."""
    x, y, w, h = box
    return [x, y, x + w, y, x + w, y + h, x, y + h]


def scattered(
    images: int, seed: int, names: Sequence[str] = ("red", "green")
) -> list[list[Object]]:
    """Two objects for each image, somewhere on it, of classes in turn."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(images):
        boxes = []
        for half in (0, 1):
            w, h = (int(v) for v in random.integers(20, 45, 2))
            x = int(random.integers(80 * half, 80 * half + 80 - w))
            y = int(random.integers(0, 120 - h))
            boxes.append((names[(number + half) % len(names)], (x, y, w, h)))
        found.append(boxes)
    return found


def write_split(root: Path, name: str, content: dict) -> None:
    """Write an annotation file and the images that it describes."""
    (root / name).mkdir(parents=True, exist_ok=True)
    names = {category["id"]: category["name"] for category in content["categories"]}
    for number, image in enumerate(content["images"]):
        grey = 90 + 40 * (name == "val") + number % 40
        picture = Image.new("RGB", (image["width"], image["height"]), (grey, grey, grey))
        for entry in content["annotations"]:
            if entry["image_id"] == image["id"]:
                x, y, w, h = entry["bbox"]
                colour = COLOURS.get(names[entry["category_id"]], (200, 200, 40))
                if w >= 1 and h >= 1:
                    ImageDraw.Draw(picture).rectangle([x, y, x + w - 1, y + h - 1], colour)
        picture.save(root / name / image["file_name"])
    (root / f"{name}.json").write_text(json.dumps(content))


def declaration(root: Path, classes: Sequence[str] = ("red", "green"), **keys: object) -> dict:
    """How the data set of the splits ``train`` and ``val`` below ``root`` is declared."""
    return {
        "id": "rectangles",
        "title": "Rectangles",
        "licence": "none",
        "root": str(root),
        "train": {"annotations": "train.json", "images": "train/"},
        "val": {"annotations": "val.json", "images": "val/"},
        "classes": list(classes),
        **keys,
    }


def declared(root: Path, classes: Sequence[str] = ("red", "green"), **keys: object) -> Dataset:
    """The same, loaded."""
    return Dataset.model_validate(declaration(root, classes, **keys))

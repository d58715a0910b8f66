"""A small Open Images Challenge: what is published of two images with four classes."""

import csv
import json
from pathlib import Path

from PIL import Image

from tsd.data.openimages_format import PREPARED, RAW
from tsd.experiments.dataset_schema import Dataset

NAMES = {"/m/v": "Vehicle", "/m/c": "Car", "/m/b": "Bench", "/m/w": "Bench"}
TREE = {
    "LabelName": "/m/root",
    "Subcategory": [
        {"LabelName": "/m/v", "Subcategory": [{"LabelName": "/m/c"}]},
        {"LabelName": "/m/b"},
        {"LabelName": "/m/w"},
    ],
}
BOXES = [  # image, class, xmin, xmax, ymin, ymax, group: the columns as published
    ("a1", "/m/c", "0.1", "0.5", "0.10", "0.5", "0"),
    ("a1", "/m/w", "0.125000", "1", "0", "0.001", "1"),
    ("b2", "/m/b", "0", "1", "0", "1", "-1"),
]
LABELS = [("a1", "/m/c", "1"), ("a1", "/m/b", "0"), ("b2", "/m/v", "0"), ("b2", "/m/b", "1")]
SIZES = {"a1": (64, 48), "b2": (40, 80)}


def write_csv(path: Path, rows) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def write_raw(folder: Path, boxes=BOXES, labels=LABELS, sizes=SIZES) -> Path:
    """What the challenge publishes, made small; the training split is the validation split."""
    write_csv(folder / RAW.classes, NAMES.items())
    (folder / RAW.hierarchy).write_text(json.dumps(TREE))
    head = ("ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax", "IsGroupOf")
    for name in (RAW.train_boxes, RAW.validation_boxes):
        write_csv(folder / name, [head, *boxes])
    write_csv(folder / RAW.validation_labels, [("ImageID", "LabelName", "Confidence"), *labels])
    for split in ("train", "validation"):
        (folder / split).mkdir()
        for number, (image, size) in enumerate(sizes.items()):
            colour = (40 * number % 256, 90, 250 - 20 * number % 250)
            Image.new("RGB", size, colour).save(folder / split / f"{image}.jpg")
    return folder


def declaration(root: Path) -> dict:
    """How a data set is declared whose files are prepared in ``annotations`` below ``root``."""
    return {
        "id": "small-openimages",
        "title": "Open Images of two images",
        "licence": "none",
        "root": str(root),
        "train": {"annotations": f"annotations/{PREPARED.train}", "images": "train/"},
        "val": {"annotations": f"annotations/{PREPARED.validation}", "images": "validation/"},
        "openimages": {
            "labels": f"annotations/{PREPARED.classes}",
            "hierarchy": f"annotations/{PREPARED.relations}",
            "verified": f"annotations/{PREPARED.validation_labels}",
        },
        "classes": list(NAMES.values()),
    }


def declared(root: Path) -> Dataset:
    """The same, loaded."""
    return Dataset.model_validate(declaration(root))

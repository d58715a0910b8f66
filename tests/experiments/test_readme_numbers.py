"""The numbers of the authors' README, transcribed twice: in the tables' YAML, and in a CSV file."""

import csv
import re
from pathlib import Path

import pytest

from tsd.experiments.load import load_experiments

TRANSCRIPT = Path(__file__).with_name("readme_numbers.csv")
TRAINED = {
    ("Faster R-CNN", "ResNet50", ""): "r50",
    ("Faster R-CNN", "ResNet50", "yes"): "tsd_pc",
    ("Faster R-CNN", "ResNet101", ""): "r101",
    ("Faster R-CNN", "ResNet101", "yes"): "r101_tsd",
    ("Faster R-CNN", "ResNet152", ""): "r152",
    ("Faster R-CNN", "ResNet152", "yes"): "r152_tsd",
    ("Mask R-CNN", "ResNet50", "yes"): "mask_r50_tsd",
    ("Cascade R-CNN", "ResNet50", ""): "cascade_r50",
    ("Cascade R-CNN", "ResNet50", "yes"): "cascade_r50_tsd",
    ("Cascade R-CNN", "ResNet101", ""): "cascade_r101",
    ("Cascade R-CNN", "ResNet101", "yes"): "cascade_r101_tsd",
    ("Cascade R-CNN", "ResNet101_mstest", "yes"): None,
    ("Faster R-CNN", "X-101-64x4d-FPN", "yes"): "bells_x101_64x4d_dcn_tsd",
}
"""Detector, backbone and whether it has TSD, as the README has them → the run of the table of its
numbers; None for the row without a run."""

RELEASED = {
    "r50": "tsd_pc",
    "r101": "r101_tsd",
    "r152": "r152_tsd",
    "mask_r50": "mask_r50_tsd",
    "cascade_r50": "cascade_r50_tsd",
    "cascade_r101": "cascade_r101_tsd",
}
"""What follows ``released_`` in the name of a run → the run that trains such a network."""


def transcript():
    """Detector, backbone and whether it has TSD → metric → value."""
    rows = {}
    with TRANSCRIPT.open(newline="") as file:
        for line in csv.DictReader(file):
            key = (line.pop("detector"), line.pop("backbone"), line.pop("tsd"))
            assert key not in rows, f"{TRANSCRIPT.name} gives {key} twice"
            rows[key] = {metric: float(value) for metric, value in line.items() if value}
    return rows


PRINTED = transcript()
BY_RUN = {run: PRINTED[key] for key, run in TRAINED.items()}


@pytest.fixture(scope="module")
def tables():
    return load_experiments(Path("experiments")).tables


def test_the_transcript_is_whole():
    counts = [len(numbers) for key, numbers in PRINTED.items() if key[0] != "OpenImages"]
    assert counts == [6] * 6 + [7, 0] + [6] * 5
    assert set(PRINTED) - set(TRAINED) == {
        ("OpenImages", "ResNet50", ""),
        ("OpenImages", "ResNet50", "yes"),
    }


def test_the_table_of_the_readme_has_its_numbers(tables):
    declared = {row.run: row.published for row in tables["table_authors"].rows}
    of_the_introduction = {"mobilenetv2", "mobilenetv2_tsd"}
    assert {run: declared[run] for run in of_the_introduction} == {
        run: {} for run in of_the_introduction
    }
    assert {run: published for run, published in declared.items() if published} == {
        run: printed for run, printed in BY_RUN.items() if printed
    }
    assert set(declared) == of_the_introduction | set(BY_RUN)


def test_the_table_of_the_authors_weights_has_their_numbers(tables):
    declared = {row.run: row.published for row in tables["released"].rows if row.published}
    assert declared == {f"released_{name}": BY_RUN[run] for name, run in RELEASED.items()}


def test_the_page_on_the_authors_weights_has_their_numbers():
    lines = Path("docs/authors-weights.md").read_text().splitlines()
    (head,) = (line for line in lines if line.startswith("| name |"))
    metrics = [one.strip().replace(".", "").replace("_", "") for one in head.split("|")[3:-1]]
    metrics = ["AP50" if m == "AP5" else "mask_AP" if m == "mask AP" else m for m in metrics]
    found = {}
    for line in lines:
        match = re.match(r"\| `released_(\w+)` \|[^|]*\|(.*)\|$", line)
        if match:
            cells = [cell.strip() for cell in match[2].split("|")]
            found[match[1]] = {
                metric: float(cell)
                for metric, cell in zip(metrics, cells, strict=True)
                if cell != "–"
            }
    assert found == {name: BY_RUN[run] for name, run in RELEASED.items()}


def test_open_images_numbers_stand_beside_the_papers(tables):
    declared = {
        row.run: row.elsewhere["readme"]["AP50"]
        for row in tables["table6"].rows
        if "readme" in row.elsewhere
    }
    assert declared == {
        "oi_r50": PRINTED["OpenImages", "ResNet50", ""]["AP"],
        "oi_r50_tsd": PRINTED["OpenImages", "ResNet50", "yes"]["AP"],
    }


def test_what_stands_beside_the_papers_numbers_of_coco_is_the_readmes(tables):
    for table in tables.values():
        for row in table.rows:
            if table.id != "table6" and "readme" in row.elsewhere:
                printed = BY_RUN[row.run]
                numbers = row.elsewhere["readme"]
                assert numbers == {metric: printed[metric] for metric in numbers}, table.id

"""The paper's numbers, transcribed twice: in the tables' YAML, and apart from it in a CSV file."""

import csv
import re
from collections import defaultdict
from pathlib import Path

import pytest

from tsd.experiments.load import load_experiments

TRANSCRIPT = Path(__file__).with_name("published_numbers.csv")

COLUMNS = {
    "table6": {"val_AP50": "AP50", "lb_AP50": "lb_AP50"},
    "table7": {"bbox_AP": "AP", "bbox_AP50": "AP50", "bbox_AP75": "AP75"},
    "table9": {
        f"{size}_AP{iou}": f"AP{size[0]}{iou}"
        for size in ("small", "medium", "large")
        for iou in (50, 60, 70, 80, 90)
    },
}
"""Table → printed head in the transcript → metric, where the two are called differently."""


def transcript():
    """Table → row, from 1 → metric → value, None where the paper prints a dash."""
    tables = defaultdict(lambda: defaultdict(dict))
    with TRANSCRIPT.open(newline="") as file:
        for line in csv.DictReader(file):
            metric = COLUMNS.get(line["table"], {}).get(line["column"], line["column"])
            value = float(line["value"]) if line["value"] else None
            row = tables[line["table"]][int(line["row"])]
            assert metric not in row, f"{TRANSCRIPT.name} gives {line} twice"
            row[metric] = value
    return tables


PRINTED = transcript()
TABLES = [name for name in PRINTED if name.startswith("table")]


@pytest.fixture(scope="module")
def experiments():
    return load_experiments(Path("experiments"))


@pytest.fixture(scope="module")
def declared(experiments):
    return experiments.tables


def differences(table, printed):
    """A sentence for each number that one transcription has and the other has not, or otherwise."""
    if len(table.rows) != len(printed):
        yield f"{len(table.rows)} rows are declared, {len(printed)} printed"
    for number, row in enumerate(table.rows, start=1):
        said, read = row.published, printed.get(number, {})
        for metric in dict.fromkeys([*read, *said]):
            place = f"row {number} ({row.label}), {metric}"
            if metric not in said and read[metric] is not None:
                yield f"{place}: not declared, printed as {read[metric]}"
            elif metric not in read and said[metric] is not None:
                yield f"{place}: declared as {said[metric]}, not printed"
            elif said.get(metric) != read.get(metric):
                yield f"{place}: declared as {said[metric]}, printed as {read[metric]}"


@pytest.mark.parametrize("name", TABLES)
def test_the_declared_numbers_are_the_printed_ones(declared, name):
    assert name in declared, f"{name} of the paper is not declared"
    found = list(differences(declared[name], PRINTED[name]))
    assert not found, "\n".join([f"{declared[name].origin}:", *found])


def test_the_bars_of_figure_6_are_the_printed_ones(experiments):
    bars = [series.published for series in experiments.figures["figure6"].series]
    assert bars == [list(row.values()) for row in PRINTED["figure6"].values()]


def test_tables_of_the_paper_are_all_transcribed(declared):
    numbered = {name for name in declared if re.fullmatch(r"table\d+", name)}
    assert numbered <= set(PRINTED), f"not in {TRANSCRIPT.name}: {numbered - set(PRINTED)}"


def test_the_transcript_is_whole():
    shape = {
        name: (len(rows), {len(row) for row in rows.values()}) for name, rows in PRINTED.items()
    }
    assert shape == {
        "table1": (6, {4}),
        "table2": (2, {3}),
        "table3": (4, {3}),
        "table4": (6, {3}),
        "table5": (10, {4}),
        "table6": (8, {2}),
        "table7": (4, {6}),
        "table8": (25, {6}),
        "table9": (2, {15}),
        "figure6": (2, {5}),
    }


def test_a_slip_of_the_pen_is_found(declared):
    table = declared["table1"]
    printed = {number: dict(row) for number, row in PRINTED["table1"].items()}
    printed[1]["AP"] += 0.1
    printed[2]["APs"] = 1.0
    del printed[3]["AP75"]
    printed[7] = {"AP": 1.0}
    found = "\n".join(differences(table, printed))
    assert found.count("\n") == 3
    for part in (
        "6 rows are declared, 7",
        "row 1 (",
        "row 2 (",
        "APs: not declared",
        "not printed",
    ):
        assert part in found

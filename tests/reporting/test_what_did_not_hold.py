"""The page on claims that did not hold says what the published report measured."""

import re
from pathlib import Path

import pytest

from tsd.reporting.cells import measure
from tsd.reporting.wording import number, signed
from tsd.results.collected import Results

PAGE = Path("docs/what-did-not-hold.md")
COLLECTED = Path("reports/published/mini/results.json")


@pytest.fixture(scope="module")
def mean():
    """The mean over seeds of a run's metric, as published."""
    results = Results.read(COLLECTED)

    def read(run, metric="AP"):
        value = measure(results, run, metric).mean
        assert value is not None, f"{run} has no {metric}"
        return value

    return read


def rows(name):
    """The cells of a table of the page, without its head."""
    found = re.search(rf"<!-- table:{name} -->\n(.*?)<!-- /table -->", PAGE.read_text(), re.S)
    assert found, f"{PAGE} has no table {name}"
    lines = found[1].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def test_the_split_costs_what_the_page_says(mean):
    table = rows("split")
    assert [row[0] for row in table] == ["d_head", "d_s32", "d_s16", "d_s8"]
    for run, _, *numbers in table:
        gains = [signed(mean(run) - mean(other), 1) for other in ("r50", "d_head")]
        assert numbers == [number(mean(run), 1), *gains]


def test_the_gain_over_the_threshold_is_what_the_page_says(mean):
    table = rows("iou")
    assert len(table) == 5
    for title, *numbers in table:
        metric = title.replace(".", "") + "0"
        before, after = mean("r50", metric), mean("tsd_pc", metric)
        written = [number(before, 1), number(after, 1), signed(after - before, 1)]
        assert numbers == [*written, number(after / before, 2)]

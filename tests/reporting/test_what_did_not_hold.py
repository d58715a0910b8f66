"""The page on claims that did not hold says what the published report measured."""

import re
from pathlib import Path

import pytest

from tsd.experiments.comparisons import Difference, Quantity
from tsd.reporting.cells import measure
from tsd.reporting.families import Families
from tsd.reporting.intervals import estimate
from tsd.reporting.wording import number, signed
from tsd.results.collected import Results

PAGE = Path("docs/what-did-not-hold.md")
COLLECTED = Path("reports/published/mini/results.json")


@pytest.fixture(scope="module")
def results():
    return Results.read(COLLECTED)


@pytest.fixture(scope="module")
def mean(results):
    """The mean over seeds of a run's metric, as published."""

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


def test_the_split_costs_what_the_page_says(results, mean):
    table = rows("split")
    assert [row[0] for row in table] == ["d_s32", "d_s16", "d_s8"]
    families = Families(results)
    for run, _, *numbers, interval in table:
        gains = [signed(mean(run) - mean(other), 1) for other in ("r50", "d_head")]
        assert numbers == [number(mean(run), 1), *gains]
        comparison = Difference(run, Quantity(("AP",)), "d_head")
        found = estimate(
            comparison,
            lambda name, metric: measure(results, name, metric).values,
            comparisons=len(table),
            prior=families.prior(comparison),
        )
        assert interval == " to ".join(signed(end, 1) for end in found.wide)


def test_the_gain_over_the_threshold_is_what_the_page_says(mean):
    table = rows("iou")
    assert len(table) == 5
    for title, *numbers in table:
        metric = title.replace(".", "") + "0"
        before, after = mean("r50", metric), mean("tsd_pc", metric)
        written = [number(before, 1), number(after, 1), signed(after - before, 1)]
        assert numbers == [*written, number(after / before, 2)]

"""The page on claims that did not hold says what the published reports measured."""

import re
from functools import cache
from pathlib import Path

import pytest

from tsd.experiments.comparisons import Difference, Quantity
from tsd.reporting.cells import measure
from tsd.reporting.families import Families
from tsd.reporting.intervals import Estimate, estimate
from tsd.reporting.wording import number, signed
from tsd.results.collected import Results

PAGE = Path("docs/what-did-not-hold.md")
PUBLISHED = Path("reports/published")
THRESHOLDS = ("AP.5", "AP.6", "AP.7", "AP.8", "AP.9")
LOOKS = 3
"""How often the constraint's gain was looked at: with 2, 5 and 10 seeds."""

AT_THE_END = re.compile(
    r"At the end \((joint training|with the constraint), \d+ proposals\) the sibling head gives "
    r"the true class ([\d.]+) and TSD ([\d.]+); the IoU of their boxes is ([\d.]+) and ([\d.]+)\. "
    r"TSD is ahead at (\d+%) of them in the score and at (\d+%) in the IoU"
)


@cache
def results(grid):
    return Results.read(PUBLISHED / grid / "results.json")


def mean(grid, run, metric="AP"):
    """The mean over seeds of a run's metric, as published."""
    value = measure(results(grid), run, metric).mean
    assert value is not None, f"{run} has no {metric}"
    return value


def difference(grid, run, baseline, metric="AP", comparisons=1) -> Estimate:
    """A difference of two runs with its intervals, as the report estimates it."""
    comparison = Difference(run, Quantity((metric,)), baseline)
    return estimate(
        comparison,
        lambda name, metric: measure(results(grid), name, metric).values,
        comparisons=comparisons,
        prior=Families(results(grid)).prior(comparison),
    )


def interval_text(interval, digits=1):
    return " to ".join(signed(end, digits) for end in interval)


def split():
    runs = {
        "d_s32": "backbone",
        "d_s16": "backbone up to stride 16",
        "d_s8": "backbone up to stride 8",
    }
    for run, shared in runs.items():
        own = mean("mini", run)
        gains = [signed(own - mean("mini", other), 1) for other in ("r50", "d_head")]
        seeds = str(len(measure(results("mini"), run, "AP").values))
        found = difference("mini", run, "d_head", comparisons=len(runs))
        yield [run, shared, seeds, number(own, 1), *gains, interval_text(found.wide)]


def over_thresholds(of_run):
    """The rows of both tables on thresholds, from what returns a run's metric."""
    for title in THRESHOLDS:
        before, after = (of_run(run, title.replace(".", "") + "0") for run in ("r50", "tsd_pc"))
        yield [
            title,
            number(before, 1),
            number(after, 1),
            signed(after - before, 1),
            number(after / before, 2),
        ]


def iou():
    return over_thresholds(lambda run, metric: mean("mini", run, metric))


def iou_3x():
    (longer,) = (one for one in results("mini").lengths if one.scale == "mini_3x")
    return over_thresholds(lambda run, metric: longer.runs[run][0][metric])


def pc():
    for title, metric in {"AP": "AP", "AP.5": "AP50", "AP.75": "AP75"}.items():
        found = difference("mini", "tsd_pc", "tsd_joint", metric, LOOKS)
        means = [number(mean("mini", run, metric), 1) for run in ("tsd_joint", "tsd_pc")]
        gain = mean("mini", "tsd_pc", metric) - mean("mini", "tsd_joint", metric)
        intervals = [interval_text(interval, 2) for interval in (found.interval, found.wide)]
        yield [title, *means, signed(gain, 2), *intervals]


def aquarium():
    grid = "transfer-aquarium"
    baselines = {
        "d_head": "r50",
        "tsd_wo_pc": "r50",
        "tsd_joint": "tsd_wo_pc",
        "tsd_pc": "tsd_joint",
    }
    yield ["r50", number(mean(grid, "r50"), 1), "–", "", ""]
    for run, baseline in baselines.items():
        gain = signed(mean(grid, run) - mean(grid, baseline), 1)
        found = difference(grid, run, baseline)
        yield [run, number(mean(grid, run), 1), baseline, gain, interval_text(found.interval)]


def siblings():
    for grid in ("mini", "mini_3x", "transfer-aquarium", "transfer_4x-aquarium"):
        caption = (PUBLISHED / grid / "figures" / "siblings.txt").read_text()
        for trained, *values in AT_THE_END.findall(caption):
            yield [grid, trained, *values]


TABLES = {
    "split": split,
    "iou": iou,
    "iou_3x": iou_3x,
    "pc": pc,
    "aquarium": aquarium,
    "siblings": siblings,
}


def rows(name):
    """The cells of a table of the page, without its head."""
    found = re.search(rf"<!-- table:{name} -->\n(.*?)<!-- /table -->", PAGE.read_text(), re.S)
    assert found, f"{PAGE} has no table {name}"
    lines = found[1].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_the_page_has_the_numbers_of_the_published_reports(name):
    expected = list(TABLES[name]())
    assert expected
    assert rows(name) == expected


def test_every_table_of_the_page_is_compared():
    assert re.findall(r"<!-- table:(\w+) -->", PAGE.read_text()) == list(TABLES)


def test_what_is_said_of_how_far_tsd_is_ahead_follows_from_the_table():
    text = re.sub(r"\s+", " ", PAGE.read_text())
    (asked,) = re.findall(r"Nowhere is TSD ahead by the ([\d.]+) that", text)
    (on_photographs,) = re.findall(r"ahead by less than ([\d.]+) in both", text)
    (changed,) = re.findall(r"how far TSD is ahead by less than ([\d.]+) anywhere", text)
    ahead = {}
    for grid, trained, score, score_of_tsd, iou, iou_of_tsd, *_ in siblings():
        ahead[grid, trained] = (
            float(score_of_tsd) - float(score),
            float(iou_of_tsd) - float(iou),
        )
    assert max(map(max, ahead.values())) < float(asked)
    for (grid, trained), margins in ahead.items():
        if "aquarium" in grid:
            assert max(margins) < float(on_photographs)
        without = ahead[grid, "joint training"]
        changes = [abs(one - other) for one, other in zip(margins, without, strict=True)]
        assert max(changes) < float(changed), trained

"""Gains over the length of trainings, drawn from results made by hand."""

import math

import pytest

from tests.reporting.conftest import draw_figure
from tests.reporting.conftest import figure as make_figure
from tests.reporting.lengths import at, followed, results_of
from tsd.reporting.lengths_figure import draw_lengths


@pytest.fixture
def figure():
    return make_figure(
        "figure",
        "lengths",
        {"label": "TSD − sibling head", "run": "tsd", "baseline": "r50"},
        {"label": "PC − TSD", "run": "pc", "baseline": "tsd"},
    )


@pytest.fixture
def results():
    return results_of(
        r50=[followed(30.0)],
        tsd=[followed(40.0)],
        pc=[followed(41.0)],
        lengths=[
            at(1, r50=[30.0, 32.0], tsd=[40.0, 44.0], pc=[41.0]),
            at(3, "mini_3x", r50=[46.0], tsd=[55.0]),
            at(9, "mini_9x"),
        ],
    )


def curves(drawing):
    """Gains of each curve in the order of the lengths, None where it is broken."""
    bars = drawing.picture.axes[0].containers
    return {
        one.get_label(): [None if math.isnan(y) else y for y in one.lines[0].get_ydata()]
        for one in bars
    }


def test_a_gain_is_that_of_means_at_each_length(results, figure):
    drawing = draw_lengths(results, figure)
    assert curves(drawing) == {"TSD − sibling head": [11.0, 9.0], "PC − TSD": [-1.0, None]}
    labels = [label.get_text() for label in drawing.picture.axes[0].get_xticklabels()]
    assert labels == ["1,100 iterations\nmini", "3,300 iterations\nmini_3x"]


def test_what_is_missing_is_said(results, figure, tmp_path):
    caption = draw_figure(results, figure, tmp_path)
    assert "Missing at 3,300 iterations (grid mini_3x): PC − TSD." in caption
    assert "Not trained: 9,900 iterations (grid mini_9x; scale mini_9x trains them)." in caption
    assert "1,100 iterations (grid mini): 1 to 2 seeds of each run; 3,300 iterations" in caption
    assert "With one seed, a difference between two lengths may be chance." in caption
    assert "Missing at 1,100" not in caption
    assert "after 1,100 iterations of training" in caption


def test_a_length_that_only_a_baseline_was_trained_for_is_not_said_to_be_untrained(
    results, figure, tmp_path
):
    results.lengths[2].runs["r50"] = {0: {"AP": 48.0}}
    caption = draw_figure(results, figure, tmp_path)
    assert "Not trained" not in caption
    assert (
        "Without any of the gains: 9,900 iterations (grid mini_9x), for which there are results of "
        "r50 only."
    ) in caption


def test_the_spread_is_shown_where_there_is_one(results, figure):
    drawing = draw_lengths(results, figure)
    with_spread, without = (
        [bar for bar in container.lines[2][0].get_segments() if len(bar)]
        for container in drawing.picture.axes[0].containers
    )
    (((_, low), (_, high)),) = with_spread
    assert (high - low) / 2 == pytest.approx(math.sqrt(2 / 2 + 8 / 2))
    assert without == []
    assert "Error bars: standard error over seeds." in drawing.shown


def test_without_variants_it_says_so(results, figure, tmp_path):
    results.lengths = []
    caption = draw_figure(results, figure, tmp_path)
    assert "no scale is declared that differs from mini in the length of its trainings" in caption
    (message,) = draw_lengths(results, figure).picture.axes[0].texts
    assert message.get_text() == "no gain was measured yet at any length of the trainings"


def test_a_value_that_is_not_finite_is_no_gain(results, figure):
    results.lengths[1].runs["tsd"][0]["AP"] = math.nan
    assert curves(draw_lengths(results, figure))["TSD − sibling head"] == [11.0]

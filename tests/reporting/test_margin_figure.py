import math

import pytest

from tests.reporting.conftest import draw_figure
from tests.reporting.conftest import figure as make_figure
from tsd.experiments.metrics import METRICS
from tsd.reporting.margin_figure import curve_of, draw_margins


@pytest.fixture
def figure():
    return make_figure(
        "figure4",
        "margins",
        {"label": "w. cls", "points": {0.5: "better", 0.1: "base", 0.3: "waiting"}},
        {"label": "w. loc", "points": {0.1: "failing", 0.3: "going"}},
        {"label": "none", "run": "single"},
    )


def words(picture):
    return " ".join(text.get_text() for text in picture.axes[0].texts)


def test_a_curve_is_sorted_by_margin(results, figure):
    curve = curve_of(results, figure.series[0], METRICS["AP"])
    assert [(margin, point.mean) for margin, point in curve.items()] == [
        (0.1, 30.5),
        (0.3, None),
        (0.5, 33.0),
    ]


def test_a_missing_point_is_a_gap_with_a_word(results, figure):
    picture = draw_margins(results, figure).picture
    line = next(line for line in picture.axes[0].lines if len(line.get_xdata()) == 3)
    low, gap, high = line.get_ydata()
    assert (low, high) == (30.5, 33.0)
    assert math.isnan(gap)
    assert "w. cls:\nnot run" in words(picture)
    assert "w. loc:\nfailed" in words(picture)
    assert picture.axes[0].get_ylim()[0] > 20, "the axis shows the values, not zero"


def test_the_run_without_constraint_is_a_level_line(results, figure):
    drawing = draw_margins(results, figure)
    axes = drawing.picture.axes[0]
    assert any(list(line.get_ydata()) == [29.0, 29.0] for line in axes.lines)
    assert "Level line: none (single)." in drawing.shown


def test_the_metric_is_the_figures(results, figure):
    drawing = draw_margins(results, figure.model_copy(update={"metrics": ["APl"]}))
    axes = drawing.picture.axes[0]
    assert axes.get_ylabel() == "AP l (%)"
    assert drawing.shown[0].startswith("AP l over the margin")
    line = next(line for line in axes.lines if len(line.get_xdata()) == 3)
    assert line.get_ydata()[2] == 41.0


def test_nothing_published_is_said(results, figure):
    picture = draw_margins(results, figure).picture
    assert "not published" in picture.legends[0].get_title().get_text()


def test_points_are_the_same_after_they_were_written_and_read(results, figure, tmp_path):
    caption = draw_figure(results, figure, tmp_path)
    assert "better (seeds 0, 1; 0123456789, dirty)" in caption
    for words in ("single (seed 0;", "waiting (not run)", "failing (failed)", "going (running)"):
        assert words in caption


def test_without_any_result_the_figure_says_so(results, figure, tmp_path):
    results.runs = {}
    assert "nothing was measured yet" in words(draw_margins(results, figure).picture)
    caption = draw_figure(results, figure, tmp_path)
    assert "better, base, waiting, failing, going, single (not collected)" in caption
    assert (tmp_path / "figure4.svg").stat().st_size > 1000

import json
import math

import pytest
from matplotlib.figure import Figure

from tsd.reporting import margin_figure
from tsd.reporting.margin_figure import curve_of, draw_margins


@pytest.fixture
def figure(results):
    declared = {
        "id": "figure4",
        "title": "AP over the margin",
        "source": "Figure 4",
        "kind": "margins",
        "series": [
            {
                "label": "w. cls",
                "run": None,
                # As JSON gives them back: keys are text, in any order.
                "points": {"0.5": "better", "0.1": "base", "0.3": "waiting"},
                "published": None,
            },
            {
                "label": "w. loc",
                "run": None,
                "points": {"0.1": "failing", "0.3": "going"},
                "published": None,
            },
            {"label": "none", "run": "single", "points": {}, "published": None},
        ],
        "note": None,
    }
    results["figures"] = [declared]
    return declared


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are saved, still to be looked into."""
    figures: list[Figure] = []
    save = margin_figure.drawing.save

    def keep(figure, out, text):
        figures.append(figure)
        save(figure, out, text)

    monkeypatch.setattr(margin_figure.drawing, "save", keep)
    return figures


def draw(collected, results, folder):
    collected.write_text(json.dumps(results), encoding="utf-8")
    draw_margins(collected, "figure4", folder / "figure4")
    return (folder / "figure4.txt").read_text(encoding="utf-8")


def words(figure):
    return " ".join(text.get_text() for text in figure.axes[0].texts)


def test_a_curve_is_sorted_by_margin(results, figure):
    curve = curve_of(results, figure["series"][0])
    assert [(margin, point.mean) for margin, point in curve.items()] == [
        (0.1, 30.5),
        (0.3, None),
        (0.5, 33.0),
    ]


def test_a_missing_point_is_a_gap_with_a_word(collected, results, figure, drawn, tmp_path):
    draw(collected, results, tmp_path)
    (shown,) = drawn
    line = next(line for line in shown.axes[0].lines if len(line.get_xdata()) == 3)
    low, gap, high = line.get_ydata()
    assert (low, high) == (30.5, 33.0)
    assert math.isnan(gap)
    assert "w. cls:\nnot run" in words(shown)
    assert "w. loc:\nfailed" in words(shown)
    assert shown.axes[0].get_ylim()[0] > 20, "the axis shows the values, not zero"


def test_the_run_without_constraint_is_a_level_line(collected, results, figure, drawn, tmp_path):
    caption = draw(collected, results, tmp_path)
    axes = drawn[0].axes[0]
    assert any(list(line.get_ydata()) == [29.0, 29.0] for line in axes.lines)
    assert "Level line: none (single)." in caption


def test_nothing_published_is_said(collected, results, figure, drawn, tmp_path):
    draw(collected, results, tmp_path)
    assert "not published" in drawn[0].legends[0].get_title().get_text()


def test_without_any_result_the_figure_says_so(collected, results, figure, drawn, tmp_path):
    results["runs"] = {}
    caption = draw(collected, results, tmp_path)
    assert "nothing was measured yet" in words(drawn[0])
    assert "better, waiting" not in caption
    assert "(not collected)" in caption
    assert (tmp_path / "figure4.svg").stat().st_size > 1000

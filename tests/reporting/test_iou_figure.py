import pytest
from matplotlib.container import BarContainer

from tests.reporting.conftest import draw_figure
from tests.reporting.conftest import figure as make_figure
from tsd.experiments.schema import Series
from tsd.reporting.iou_figure import Bar, draw_iou, measured_bars, published_bars

CRITERIA = ["AP50", "AP60", "AP70", "AP80", "AP90"]
PUBLISHED = [58.1, 53.3, 45.0, 30.8, 8.1]


def set_metrics(results, run, seed, values):
    results.runs[run].seeds[seed].metrics.update(zip(CRITERIA, values, strict=True))


@pytest.fixture
def figure(results):
    set_metrics(results, "base", 0, [60, 50, 40, 20, 4])
    set_metrics(results, "base", 1, [64, 54, 44, 24, 8])
    set_metrics(results, "single", 0, [65, 55, 45, 25, 5])
    return make_figure(
        "figure6",
        "iou",
        {"label": "Plain", "run": "base", "published": PUBLISHED},
        {"label": "Better", "run": "single"},
        metrics=CRITERIA,
    )


def heights(picture):
    """Heights of the bars in the first panel, a list for each series."""
    containers = picture.axes[0].containers
    return [[bar.get_height() for bar in c] for c in containers if isinstance(c, BarContainer)]


def test_bars_are_means_over_seeds_at_the_criteria(results, figure):
    bars = measured_bars(results, figure.series[0], CRITERIA)
    assert [bar.value for bar in bars] == [62, 52, 42, 22, 6]
    assert bars[0].sd == pytest.approx(8**0.5)
    assert measured_bars(results, figure.series[1], CRITERIA)[0] == Bar(65, None, "")


@pytest.mark.parametrize("step", [1, -1])
def test_the_bars_are_drawn_in_the_order_of_the_figures_metrics(results, figure, step):
    declared = figure.model_copy(update={"metrics": CRITERIA[::step], "series": figure.series[1:]})
    picture = draw_iou(results, declared).picture
    labels = [label.get_text() for label in picture.axes[0].get_xticklabels()]
    assert labels == ["0.5", "0.6", "0.7", "0.8", "0.9"][::step]
    assert heights(picture) == [[65, 55, 45, 25, 5][::step]]


def test_a_size_of_objects_can_be_asked_for(results, figure):
    results.runs["single"].seeds[0].metrics["APs55"] = 32.5
    of_small = figure.model_copy(update={"metrics": ["APs55"]})
    (bar,) = measured_bars(results, of_small.series[1], of_small.metrics)
    assert bar.value == 32.5
    drawing = draw_iou(results, of_small.model_copy(update={"series": [figure.series[1]] * 2}))
    assert drawing.shown[0].startswith("AP of small objects where")
    assert drawing.picture.axes[0].get_xticklabels()[0].get_text() == "0.55"


def test_what_is_missing_has_a_word_and_no_value(results, figure):
    waiting = Series(label="W", run="waiting")
    bars = measured_bars(results, waiting, CRITERIA)
    assert {(bar.value, bar.reason) for bar in bars} == {(None, "not run")}
    assert {bar.reason for bar in published_bars(waiting, CRITERIA)} == {"not published"}
    assert [bar.value for bar in published_bars(figure.series[0], CRITERIA)] == PUBLISHED


def test_a_criterion_without_ground_truth_is_missing(results, figure):
    set_metrics(results, "single", 0, [None, 55, 45, 25, 5])
    bars = measured_bars(results, figure.series[1], CRITERIA)
    assert [(bar.value, bar.reason) for bar in bars[:2]] == [(None, "n/a"), (55, "")]


def test_the_figure_is_drawn_in_three_formats_and_alike_each_time(results, figure, tmp_path):
    for name in "ab":
        draw_figure(results, figure, tmp_path / name)
    for suffix in ("svg", "pdf", "png", "txt"):
        first, second = ((tmp_path / name / f"figure6.{suffix}").read_bytes() for name in "ab")
        assert first == second, suffix


def test_the_caption_names_runs_seeds_scale_data_and_commits(results, figure, tmp_path):
    noted = figure.model_copy(update={"note": "A note."})
    caption = draw_figure(results, noted, tmp_path)
    for words in (
        "The figure6 (Figure 1, Section 1).",
        "AP of objects of all sizes where a detection counts from the given IoU on",
        "gain of Better over Plain",
        "base (seeds 0, 1; 0123456789, dirty)",
        "single (seed 0; 0123456789, dirty)",
        "standard deviation over seeds",
        "scale mini",
        "Digits",
        "fedcba9876",
        "A note.",
    ):
        assert words in caption


def test_a_figure_of_runs_that_never_ran_is_drawn(results, figure, tmp_path):
    series = [
        one.model_copy(update={"run": run})
        for one, run in zip(figure.series, ("waiting", "absent"), strict=True)
    ]
    caption = draw_figure(results, figure.model_copy(update={"series": series}), tmp_path)
    assert "waiting (not run); absent (not collected)" in caption
    assert "No run is evaluated" in caption

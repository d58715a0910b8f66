"""AP over the iterations of trainings, drawn from results made by hand."""

import pytest

from tests.reporting.conftest import draw_figure, train_record, training
from tests.reporting.conftest import figure as make_figure
from tests.reporting.lengths import followed, results_of
from tsd.experiments.metrics import METRICS
from tsd.reporting.convergence import curve_of
from tsd.reporting.training_figure import NOT_ANNEALED, draw_training

OLD = "no weights were kept after 275 of 1,100 iterations, because the training was made before"


@pytest.fixture
def figure():
    return make_figure(
        "figure",
        "training",
        {"label": "sibling head", "run": "r50"},
        {"label": "TSD", "run": "tsd"},
    )


@pytest.fixture
def results():
    return results_of(
        r50=[followed(33.0, after_275=11.0, after_550=22.0)],
        tsd=[followed(44.0, after_275=20.0), followed(46.0, after_275=24.0)],
    )


def lines(drawing):
    """The curves with points."""
    found = drawing.picture.axes[0].lines
    return [line for line in found if len(line.get_xdata()) > 1]


def single_points(drawing):
    """What marks the ends of the curves."""
    found = drawing.picture.axes[0].lines
    return [line for line in found if len(line.get_xdata()) == 1]


def test_a_curve_goes_through_the_means_over_seeds_to_the_end(results, figure):
    drawing = draw_training(results, figure)
    drawn = [list(zip(*line.get_data(), strict=True)) for line in lines(drawing)]
    assert drawn == [[(275, 11.0), (550, 22.0), (1100, 33.0)], [(275, 22.0), (1100, 45.0)]]
    assert drawing.seeds == {"r50": [0], "tsd": [0, 1]}


def test_points_on_the_way_are_hollow_and_the_end_is_filled(results, figure):
    drawing = draw_training(results, figure)
    curve = lines(drawing)[0]
    assert curve.get_markevery() == [0, 1]
    assert curve.get_markerfacecolor() == "white"
    ends = {tuple(line.get_xydata()[0]): line for line in single_points(drawing)}
    end = ends[1100, 33.0]
    assert end.get_markerfacecolor() == curve.get_color()


def test_it_says_that_a_network_on_the_way_is_not_annealed(results, figure, tmp_path):
    caption = draw_figure(results, figure, tmp_path)
    assert NOT_ANNEALED in caption
    assert (
        "At the last point on the way it is 90% of its highest after 275 iterations and 50% of its "
        "highest after 550 iterations." in caption
    )
    assert "hollow: not annealed yet" in draw_training(results, figure).told


def test_nothing_is_said_of_a_learning_rate_that_nobody_knows(results, figure):
    for one in results.trainings():
        for milestone in one.milestones.milestones:
            object.__setattr__(milestone, "learning_rate", None)
    assert not any("of its highest" in text for text in draw_training(results, figure).shown)


def test_a_run_that_kept_nothing_is_named_with_the_reason(results, figure, tmp_path):
    results.runs["tsd"].seeds = {0: followed(44.0, missing=OLD)}
    drawing = draw_training(results, figure)
    assert len(lines(drawing)) == 1
    assert f"Not drawn: TSD (tsd): {OLD}." in drawing.shown
    legend = [text.get_text() for text in drawing.picture.legends[0].get_texts()]
    assert legend == ["sibling head", "TSD: not measured"]
    assert "tsd (evaluated)" in draw_figure(results, figure, tmp_path)


@pytest.mark.parametrize(
    ("of_tsd", "reason"),
    [
        (training("failed", "it broke"), "failed"),
        (training(AP=44.0), "it was not measured on its way"),
    ],
)
def test_a_run_without_anything_says_why(results, figure, of_tsd, reason):
    results.runs["tsd"].seeds = {0: of_tsd}
    assert f"Not drawn: TSD (tsd): {reason}." in draw_training(results, figure).shown


def test_without_any_curve_there_is_a_message(results, figure, tmp_path):
    results.runs = {}
    drawing = draw_training(results, figure)
    assert "nothing was measured on the way" in drawing.picture.axes[0].texts[0].get_text()
    assert NOT_ANNEALED not in drawing.shown
    assert "r50, tsd (not collected)" in draw_figure(results, figure, tmp_path)


def test_a_training_that_is_not_evaluated_is_not_drawn(results):
    started_anew = followed(33.0, after_275=11.0)
    started_anew.state = training("running").state
    results.runs["r50"].seeds = {0: started_anew}
    assert curve_of(results, "r50", METRICS["AP"]) is None


def test_a_metric_that_was_not_measured_on_the_way_has_no_curve(results):
    assert curve_of(results, "r50", METRICS["AP75"]) is None
    results.runs["r50"].seeds[0].train = train_record()
    assert curve_of(results, "r50", METRICS["AP"]).end == (1100, 33.0)

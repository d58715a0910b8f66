import json

import pytest

from tsd.reporting.cells import State
from tsd.reporting.iou_figure import IOUS, Bar, draw_iou, measured_at, measured_bars, published_bars

PUBLISHED = [58.1, 53.3, 45.0, 30.8, 8.1]


def grid(*values):
    """AP of all objects at every second threshold from 0.5 on, and of small ones half as much."""
    thresholds = [0.5 + 0.05 * step for step in range(10)]
    rows = [[values[step // 2] + step % 2, values[step // 2] / 2] for step in range(10)]
    return {"iou": thresholds, "area": ["all", "small"], "AP": rows}


@pytest.fixture
def figure(results):
    results["runs"]["base"]["seeds"]["0"]["grid"] = grid(60, 50, 40, 20, 4)
    results["runs"]["base"]["seeds"]["1"]["grid"] = grid(64, 54, 44, 24, 8)
    results["runs"]["single"]["seeds"]["0"]["grid"] = grid(65, 55, 45, 25, 5)
    declared = {
        "id": "figure6",
        "title": "AP over IoU",
        "source": "Figure 6",
        "kind": "iou",
        "series": [
            {"label": "Plain", "run": "base", "points": {}, "published": PUBLISHED},
            {"label": "Better", "run": "single", "points": {}, "published": None},
        ],
        "note": "A note.",
    }
    results["figures"] = [declared]
    return declared


def draw(collected, results, folder):
    collected.write_text(json.dumps(results), encoding="utf-8")
    draw_iou(collected, "figure6", folder / "figure6")
    return (folder / "figure6.txt").read_text(encoding="utf-8")


def test_bars_are_means_over_seeds_at_the_criteria(results, figure):
    bars = measured_bars(results, figure["series"][0])
    assert [bar.value for bar in bars] == [62, 52, 42, 22, 6]
    assert bars[0].sd == pytest.approx(8**0.5)
    assert measured_bars(results, figure["series"][1])[0] == Bar(65, None, "")


def test_a_size_of_objects_can_be_asked_for(results, figure):
    assert measured_at(results, "single", 0.5, "small").mean == 32.5


def test_what_is_missing_has_a_word_and_no_value(results, figure):
    waiting = {"label": "W", "run": "waiting", "published": None}
    assert {(bar.value, bar.word) for bar in measured_bars(results, waiting)} == {(None, "not run")}
    assert {bar.word for bar in published_bars(waiting)} == {"not published"}
    assert [bar.value for bar in published_bars(figure["series"][0])] == PUBLISHED


def test_a_criterion_without_ground_truth_is_missing(results, figure):
    for row in results["runs"]["single"]["seeds"]["0"]["grid"]["AP"]:
        row[0] = None
    assert measured_at(results, "single", IOUS[0]).state is State.MISSING


def test_the_figure_is_drawn_in_three_formats_and_alike_each_time(
    collected, results, figure, tmp_path
):
    for name in "ab":
        draw(collected, results, tmp_path / name)
    for suffix in ("svg", "pdf", "png", "txt"):
        first, second = ((tmp_path / name / f"figure6.{suffix}").read_bytes() for name in "ab")
        assert first == second, suffix


def test_the_caption_names_runs_seeds_scale_data_and_commits(collected, results, figure, tmp_path):
    caption = draw(collected, results, tmp_path)
    for words in (
        "AP over IoU (Figure 6).",
        "gain of Better over Plain",
        "base (seeds 0, 1; 0123456789, dirty)",
        "single (seed 0; 0123456789, dirty)",
        "standard deviation over seeds",
        "Scale mini",
        "Digits",
        "fedcba9876",
        "A note.",
    ):
        assert words in caption


def test_a_figure_of_runs_that_never_ran_is_drawn(collected, results, figure, tmp_path):
    figure["series"][0]["run"], figure["series"][1]["run"] = "waiting", "absent"
    caption = draw(collected, results, tmp_path)
    assert "waiting (not run); absent (not collected)" in caption
    assert "No run has finished" in caption


def test_an_unknown_figure_is_named_with_those_there_are(collected, results, figure):
    collected.write_text(json.dumps(results), encoding="utf-8")
    with pytest.raises(KeyError, match=r"figure9.*figure6"):
        draw_iou(collected, "figure9", collected.parent / "figure9")

import pytest

from tests.reporting.conftest import counted, draw_figure, train_record
from tests.reporting.conftest import figure as make_figure
from tsd.reporting.declared_figure import draw_declared, metrics_in, only_runs, provenance
from tsd.reporting.drawing import measured_seeds

FIGURE = make_figure("figure6", "iou", {"label": "Plain", "run": "base"}, metrics=["AP50"])


def test_an_unknown_figure_is_named_with_those_there_are(results, collected, tmp_path):
    results.figures = [FIGURE]
    results.write(collected)
    with pytest.raises(KeyError, match=r"figure9.*figure6"):
        draw_declared(collected, "figure9", tmp_path / "figure9")


def test_the_title_names_the_grid(results, collected, tmp_path):
    results.figures = [FIGURE]
    results.write(collected)
    draw_declared(collected, "figure6", tmp_path / "figure6.svg")
    assert "<!-- grid mini, 2 seeds per run -->" in (tmp_path / "figure6.svg").read_text()


def test_other_runs_do_not_count(results):
    shown = only_runs(results, ["single", "absent"])
    assert list(shown.runs) == ["single"]
    assert len(results.runs) > 1, "the results themselves stay as they are"


def test_runs_of_the_same_commits_are_named_together(results):
    results.runs["single"].seeds[0].train = train_record(commit="abc", dirty=False)
    seeds = {"base": [1, 0], "better": [0, 1], "single": [0], "waiting": [], "absent": []}
    assert provenance(results, seeds) == (
        "base, better (seeds 0, 1; 0123456789, dirty); single (seed 0; abc); "
        "waiting (not run); absent (not collected)"
    )


def test_seeds_of_different_commits_have_both_named(results):
    results.runs["base"].seeds[1].train = None
    assert provenance(results, {"base": [0, 1]}) == (
        "base (seeds 0, 1; 0123456789, dirty and commit unknown)"
    )


def test_the_caption_says_what_was_measured(results, tmp_path):
    results.data["embedded"].check = counted(results.dataset, {"one": 20})
    results.runs["base"].is_on_papers_data = False
    caption = draw_figure(results, FIGURE, tmp_path)
    assert "The network of every run is ResNet-18, FPN-48, 160 px." in caption
    assert "Measured values are of “Digits”, the paper’s of “COCO 2017”." in caption
    assert "AP.5 rests on 20 objects. Fewer than 30 objects are behind AP.5" in caption


def test_a_figure_does_not_draw_runs_about_other_data(results, tmp_path):
    assert measured_seeds(results)["base"] == [0, 1]
    results.runs["base"].is_about_these_data = False
    assert measured_seeds(results)["base"] == []
    caption = draw_figure(results, FIGURE, tmp_path)
    assert "base (not on this data)" in caption
    assert "ResNet-18" not in caption


def test_what_looks_into_networks_rests_on_no_metric(results):
    looks = make_figure("figure5", "proposals", {"label": "Plain", "run": "base"})
    assert metrics_in(looks) == []
    assert metrics_in(FIGURE) == ["AP50"]

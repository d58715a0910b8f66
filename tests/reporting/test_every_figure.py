"""Every declared figure is drawn before anything was run."""

import json
from pathlib import Path

import pytest

from tsd.experiments.load import load_experiments
from tsd.reporting.collect import collect
from tsd.reporting.iou_figure import draw_iou
from tsd.reporting.margin_figure import draw_margins
from tsd.reporting.proposals_figure import draw_proposals
from tsd.reporting.sensitivity_figure import draw_sensitivity

DRAW = {
    "iou": draw_iou,
    "margins": draw_margins,
    "proposals": draw_proposals,
    "sensitivity": draw_sensitivity,
}
FIGURES = load_experiments(Path("experiments")).figures


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_a_declared_figure_is_drawn_when_nothing_was_run(name, smoke_grid, tmp_path):
    collected = tmp_path / "results.json"
    runs = FIGURES[name].runs
    jobs = [job for job in smoke_grid.jobs if job.run.id in runs]
    collected.write_text(json.dumps(collect(smoke_grid, jobs)), encoding="utf-8")
    DRAW[FIGURES[name].kind](collected, name, tmp_path / name)
    for suffix in (".svg", ".pdf", ".png"):
        assert (tmp_path / name).with_suffix(suffix).stat().st_size > 5000
    assert "(not run)" in (tmp_path / name).with_suffix(".txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_published_values_of_a_figure_are_as_many_as_its_criteria(name):
    for series in FIGURES[name].series:
        assert series.published is None or len(series.published) == 5

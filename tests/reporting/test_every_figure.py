"""Every declared figure is drawn, whether anything was run or not."""

from pathlib import Path
from pkgutil import resolve_name

import pytest
import torch

from tsd.experiments.figure_kinds import FIGURE_KINDS, extractions
from tsd.experiments.load import load_experiments
from tsd.reporting.collect import collect
from tsd.reporting.declared_figure import draw_declared
from tsd.training.build import build_model

FIGURES = load_experiments(Path("experiments")).figures


def test_every_kind_has_a_figure():
    assert {figure.kind for figure in FIGURES.values()} == set(FIGURE_KINDS)


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_a_declared_figure_is_drawn_when_nothing_was_run(name, smoke_grid, tmp_path):
    caption = draw(smoke_grid, name, tmp_path)
    for suffix in (".svg", ".pdf", ".png"):
        assert (tmp_path / name).with_suffix(suffix).stat().st_size > 5000
    assert "(not run)" in caption


@pytest.mark.parametrize(
    "name", sorted(name for name, figure in FIGURES.items() if figure.kind in extractions())
)
def test_a_figure_shows_what_is_extracted_for_it(name, smoke_grid, tmp_path):
    kind, run = FIGURES[name].kind, FIGURES[name].runs[-1]
    job = smoke_grid.job(run, 0)
    with_random_weights(job)
    resolve_name(extractions()[kind])(job, job.folder.extracted(kind), count=2)
    caption = draw(smoke_grid, name, tmp_path)
    assert f"{run} (seed 0; " in caption


def draw(grid, name, folder):
    """Draw a figure from what the grid has of its runs, and return its caption."""
    collect(grid, grid.jobs_for(name)).write(folder / "results.json")
    draw_declared(folder / "results.json", name, folder / name)
    return (folder / f"{name}.txt").read_text(encoding="utf-8")


def with_random_weights(job):
    """Leave weights as training would, untrained."""
    model = build_model(job)
    model.init_weights()
    job.folder.path.mkdir(parents=True)
    torch.save({"state_dict": model.state_dict()}, job.folder.weights)

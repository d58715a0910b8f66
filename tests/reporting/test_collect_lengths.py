"""The results of a scale's longer variants, read from their own grids as far as they are there."""

import shutil
from pathlib import Path

import pytest
import yaml

from tests.reporting.conftest import train_record
from tsd.experiments.metrics import EVALUATION_VERSION
from tsd.experiments.settings import open_grid
from tsd.reporting.collect import collect
from tsd.results.records import EvaluationRecord
from tsd.run_folder import write_json

LONGER = {
    "id": "longer",
    "title": "longer",
    "note": "For a test.",
    "dataset": "embedded-tiny",
    "extends": "smoke",
    "length": 3,
}


@pytest.fixture
def grid(tmp_path):
    """Opens a grid of the smoke scale, or of its longer variant."""
    folder = Path(shutil.copytree("experiments", tmp_path / "experiments"))
    (folder / "scales" / "longer.yaml").write_text(yaml.safe_dump(LONGER))

    def of(scale):
        return open_grid({"experiments": str(folder), "scale": scale}, tmp_path / "results")

    return of


def finish(job, value, version=EVALUATION_VERSION):
    """Leave what a finished training leaves, with an AP."""
    train_record(key=job.key, seed=job.seed).write(job.folder.train)
    EvaluationRecord(key=job.key, version=version, metrics={"AP": value}, per_class={}).write(
        job.folder.metrics
    )
    write_json(job.folder.status, {"state": "done"})


def lengths(grid, target="gain_over_length"):
    """Scale → what it says of itself, and AP by run and seed."""
    found = collect(grid, grid.jobs_for(target)).lengths
    return {
        one.scale: (
            one.ratio,
            one.trainings,
            {run: {s: m["AP"] for s, m in seeds.items()} for run, seeds in one.runs.items()},
        )
        for one in found
    }


def test_both_grids_find_what_the_other_has(grid):
    smoke, longer = grid("smoke"), grid("longer")
    finish(smoke.job("r50", 0), 10.0)
    for seed in (0, 2):
        finish(longer.job("r50", seed), 20.0 + seed)
    assert lengths(smoke) == {
        "smoke": (1, "4 iterations", {"r50": {0: 10.0}}),
        "longer": (3, "12 iterations", {"r50": {0: 20.0, 2: 22.0}}),
    }
    assert lengths(longer)["smoke"] == (1 / 3, "4 iterations", {"r50": {0: 10.0}})
    assert lengths(longer)["longer"][2] == {"r50": {0: 20.0}}, "its own seeds are those asked for"


def test_what_is_not_there_is_no_error(grid):
    assert lengths(grid("smoke")) == {
        "smoke": (1, "4 iterations", {}),
        "longer": (3, "12 iterations", {}),
    }


def test_a_training_that_is_not_evaluated_is_not_taken(grid):
    job = grid("longer").job("r50", 0)
    finish(job, 20.0, version=EVALUATION_VERSION - 1)
    assert lengths(grid("smoke"))["longer"][2] == {}
    finish(job, 20.0)
    write_json(job.folder.status, {"state": "interrupted"})
    assert lengths(grid("smoke"))["longer"][2] == {}


def test_a_training_of_another_declaration_is_not_taken(grid):
    finish(grid("longer").job("r50", 0), 20.0)
    other = grid("longer").job("d_head", 0)
    finish(other, 30.0)
    other.folder.path.parent.rename(other.folder.path.parent.with_name("0123456789"))
    assert lengths(grid("smoke"))["longer"][2] == {"r50": {0: 20.0}}


def test_runs_of_no_such_figure_are_not_gathered(grid):
    assert lengths(grid("smoke"), "table7") == {}


def test_a_scale_without_variants_has_nothing_to_gather(grid):
    assert lengths(grid("paper")) == {}

"""The authors' weights, from a file to the table: random ones of a few channels on embedded data.

The tests share one folder and build on one another, in the order they stand in.
"""

import csv
import re

import pytest

from tests.projects import copy_workflow, dry_run, snakemake
from tests.training.released_scale import write_scale, write_weights
from tsd.experiments.settings import open_grid
from tsd.results.collected import Results

TABLE = "reports/small-released/tables/released.csv"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = copy_workflow(tmp_path_factory.mktemp("project"))
    write_scale(project)
    dataset = open_grid({"scale": "smoke"}).dataset
    write_weights(project / "authors.pth", dataset)
    write_weights(project / "others.pth", dataset, seed=1)
    return project


SCALE = "small-released.yaml"
GIVEN = "checkpoint=released_r50=authors.pth"


def test_without_a_file_the_workflow_says_what_it_needs(project):
    output = snakemake(project, settings=(f"scale={SCALE}",), fails=True)
    assert "needs files of weights: name them by `--config checkpoint=released_r50=FILE`" in output


def test_a_file_that_is_not_there_is_refused(project):
    settings = (f"scale={SCALE}", "checkpoint=nowhere.pth")
    output = snakemake(project, settings=settings, fails=True)
    assert "there is no file 'nowhere.pth' for released_r50" in output


def test_the_weights_become_a_table(project):
    output = snakemake(project, "released", settings=(f"scale={SCALE}", GIVEN))
    assert "is not trained: its weights are those of authors.pth" in output
    with (project / TABLE).open(encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if line["metric"] == "AP"]
    states = {line["run"]: line["state"] for line in lines}
    assert {run for run, state in states.items() if state == "evaluated"} == {
        "released_r50",
        "released_r50_at_005",
    }
    assert states["released_r101"] == "not at this scale"
    assert [line["published"] for line in lines if line["run"] == "released_r50"] == ["40.9"]


def test_the_report_says_that_nothing_was_trained(project):
    assert "train" not in dry_run(project, GIVEN, scale=SCALE)
    snakemake(project, settings=(f"scale={SCALE}", GIVEN))
    page = (project / "reports/small-released/index.html").read_text(encoding="utf-8")
    assert re.search(r"not trained here.*?weights of authors\.pth \(SHA-256 ", page, re.S)
    results = Results.read(project / "reports/small-released/results.json")
    (training,) = results.runs["released_r50"].seeds.values()
    assert training.train.taken_from.file == "authors.pth"
    assert training.tracking.run_id, "it is in MLflow"


def test_another_file_is_another_result(project):
    planned = dry_run(project, "checkpoint=released_r50=others.pth", scale=SCALE)
    assert planned["train"] == planned["detect"] == 2
    assert "train" not in dry_run(project, GIVEN, scale=SCALE)

"""AP on the way of trainings and over their length, through the workflow."""

import shutil

import pytest
import yaml
from mlflow import MlflowClient

from tests.projects import copy_project, dry_run, run, snakemake
from tsd.run_folder import read_json

CURVE = {
    "id": "curve",
    "title": "AP over the training",
    "source": "a test",
    "kind": "training",
    "series": [{"label": "TSD", "run": "tsd_wo_pc"}],
}
GAIN = {
    "id": "gain",
    "title": "Gain over the length",
    "source": "a test",
    "kind": "lengths",
    "series": [{"label": "joint", "run": "tsd_joint", "baseline": "tsd_wo_pc"}],
}
LONGER = {
    "id": "longer",
    "title": "longer",
    "note": "For a test.",
    "dataset": "embedded-tiny",
    "extends": "smoke",
    "length": 2,
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project with Table 2's two runs, a figure of each kind and a longer scale."""
    project = copy_project(tmp_path_factory.mktemp("project"), ["table2"])
    for figure in (CURVE, GAIN):
        path = project / "experiments" / "figures" / f"{figure['id']}.yaml"
        path.write_text(yaml.safe_dump(figure))
    (project / "experiments" / "scales" / "longer.yaml").write_text(yaml.safe_dump(LONGER))
    return project


def folder_of(project):
    (found,) = (project / "results/smoke/tsd_wo_pc").glob("*/seed0")
    return found


def test_a_figure_has_trainings_measured_on_their_way(project):
    planned = dry_run(project, "only=curve")
    assert planned["train"] == planned["milestones"] == planned["track_milestones"] == 1
    snakemake(project, "curve")
    record = read_json(folder_of(project) / "milestones.json")
    assert [one["iteration"] for one in record["milestones"]] == [2]
    assert record["missing"] is None
    caption = (project / "reports/smoke/figures/curve.txt").read_text()
    assert "tsd_wo_pc (seed 0; " in caption
    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    tracked = read_json(folder_of(project) / "milestones_tracking.json")
    history = client.get_metric_history(tracked["run_id"], "val/AP")
    assert [one.step for one in history] == [2, 4]


def test_a_training_without_such_weights_is_not_made_again(project):
    folder = folder_of(project)
    for measured in ("milestones.json", "milestones_tracking.json"):
        (folder / measured).unlink()
    for made in (folder / "milestones", project / "reports/smoke"):
        shutil.rmtree(made)
    planned = dry_run(project, "only=curve")
    assert planned["milestones"] == 1
    assert {"train", "detect"}.isdisjoint(planned)
    output = snakemake(project, "curve")
    assert "not measured on the way: no weights were kept after 2 of 4 iterations" in output
    assert read_json(folder / "milestones.json")["milestones"] == []
    caption = (project / "reports/smoke/figures/curve.txt").read_text()
    assert "Not drawn: TSD (tsd_wo_pc): no weights were kept after 2 of 4 iterations" in caption


def test_a_gain_over_the_length_takes_what_there_is_of_other_scales(project):
    snakemake(project, "gain")
    caption = (project / "reports/smoke/figures/gain.txt").read_text()
    assert "4 iterations (grid smoke): 1 seed of each run. With one seed" in caption
    assert "Not trained: 8 iterations (grid longer; scale longer trains them)." in caption
    assert "collect_part" not in dry_run(project, "only=gain")
    run(project, "snakemake", "--cores", "2", "--config", "scale=longer", "--", "gain")
    planned = dry_run(project, "only=gain")
    assert planned["collect_part"] == 1, "a longer training was measured in between"
    snakemake(project, "gain")
    caption = (project / "reports/smoke/figures/gain.txt").read_text()
    assert "8 iterations (grid longer): 1 seed of each run." in caption
    assert "Not trained" not in caption

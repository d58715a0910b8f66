"""The workflow as a user runs it: a small grid from nothing to the report, then changes to it.

The tests share one folder and build on one another, in the order they stand in.
"""

import csv
import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from tests.projects import ROOT, blocks, copy_project, dry_run, run, snakemake
from tsd.cli.summary_step import summaries_record
from tsd.experiments.settings import open_grid
from tsd.results.collected import Results
from tsd.results.records import SummariesRecord, TrackingRecord
from tsd.run_folder import read_json


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project with Table 2's two runs alone."""
    return copy_project(tmp_path_factory.mktemp("project"), ["table2"])


def edit_run(project, name, change):
    for path in (project / "experiments" / "runs").glob("*.yaml"):
        runs = yaml.safe_load(path.read_text())
        for declared in runs:
            if declared["id"] == name:
                change(declared)
                path.write_text(yaml.safe_dump(runs))
                return
    raise AssertionError(name)


def test_a_dry_run_shows_what_would_run(project):
    planned = dry_run(project)
    assert planned["make_data"] == planned["check_data"] == planned["report"] == 1
    assert planned["train"] == planned["detect"] == planned["evaluate"] == planned["track"] == 2
    assert not (project / "results").exists()


def test_a_target_of_the_papers_name_ends_with_its_table(project):
    output = snakemake(project, "table2")
    assert "resumes" not in output
    text = (project / "reports/smoke/tables/table2.md").read_text()
    assert "39.7" in text
    assert not (project / "reports/smoke/index.html").exists()


def test_the_report_follows_without_training_again(project):
    assert "train" not in dry_run(project)
    snakemake(project, "all")
    page = (project / "reports/smoke/index.html").read_text()
    collected = read_json(project / "reports/smoke/results.json")
    for declared in collected["runs"].values():
        seed = declared["seeds"]["0"]
        assert seed["state"] == "evaluated"
        assert declared["digest"] in page
        assert seed["tracking"]["run_id"] in page
        assert (project / seed["folder"] / "logs" / "train.log").stat().st_size > 0
        assert (project / seed["folder"] / "logs" / "train.tsv").exists()
    assert (project / "reports/smoke/figures/samples.png").exists()


def test_every_run_is_in_mlflow_once(project):
    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("tsd-smoke")
    runs = client.search_runs([experiment.experiment_id], "tags.kind = 'training'")
    assert sorted(r.data.tags["run"] for r in runs) == ["tsd_joint", "tsd_wo_pc"]
    values = {run.data.tags["run"]: run.data.metrics["final/AP"] for run in runs}
    over_seeds = client.search_runs([experiment.experiment_id], "tags.kind = 'summary'")
    means = {run.data.tags["run"]: run.data.metrics["AP/mean"] for run in over_seeds}
    assert means == values
    assert len(over_seeds) == 2
    for tracked in runs:
        assert tracked.info.status == "FINISHED"
        assert "final/AP" in tracked.data.metrics
        assert len(client.get_metric_history(tracked.info.run_id, "loss")) == 1
        card = read_json(project / tracked_folder(tracked) / "card.json")
        assert set(tracked.data.params) == set(card["params"])
        assert tracked.data.tags["mlflow.note.content"].startswith(card["tags"]["why"])
        folder = project / "mlartifacts" / tracked.info.run_id / "artifacts"
        artifacts = {path.name for path in folder.iterdir()}
        assert {"config.json", "detections.json", "metrics.json", "train.log"} <= artifacts
    views = experiment.tags.keys()
    assert {"mlflow.sharedViewState.all", "mlflow.sharedViewState.table2"} <= views
    params = [set(tracked.data.params) for tracked in runs]
    assert params[0] == params[1] >= {"m_c", "m_r", "protocol", "seed"}


def tracked_folder(tracked):
    """The folder of a training below its project, by the key that MLflow has of it."""
    return f"results/{tracked.data.tags['tsd.key']}"


def test_again_with_nothing_changed_runs_nothing(project):
    assert dry_run(project) == {}
    assert "Nothing to be done" in snakemake(project, "all")


def test_more_seeds_train_what_is_missing_alone(project):
    planned = dry_run(project, "seeds=3")
    assert planned["train"] == planned["evaluate"] == planned["track"] == 4
    assert planned["table"] == planned["report"] == 1
    assert "check_data" not in planned
    output = run(project, sys.executable, "-m", "tsd", "status", "--scale=smoke", "--seeds=3")
    assert "smoke: 2 evaluated, 4 not run" in output


def test_the_grid_can_be_asked_about(project):
    output = run(project, sys.executable, "-m", "tsd", "status", "--scale", "smoke")
    assert "smoke: 2 evaluated" in output
    output = run(project, sys.executable, "-m", "tsd", "headline", "--scale", "smoke")
    assert "reports/smoke/index.html" in output
    assert "39.7" in output


def test_editing_one_run_trains_that_run_alone_and_going_back_trains_nothing(project):
    edit_run(project, "tsd_joint", lambda r: r["set"].update({"optim_wrapper.optimizer.lr": 0.01}))
    planned = dry_run(project)
    assert planned["train"] == planned["detect"] == 1
    edit_run(project, "tsd_joint", lambda r: r["set"].pop("optim_wrapper.optimizer.lr"))
    assert "train" not in dry_run(project)


def test_a_failed_run_fails_alone_and_the_report_says_why(project):
    edit_run(project, "tsd_wo_pc", lambda r: r["set"].update({"optim_wrapper.optimizer.lr": 1e30}))
    edit_run(
        project,
        "tsd_joint",
        lambda r: r["set"].update({"model.roi_head.regression_reference": "shared"}),
    )
    output = snakemake(project, "all", fails=True)
    reason = re.search(r"\[tsd_wo_pc · seed 0\] failed: (\w+Error): ", output)
    assert reason
    collected = read_json(project / "reports/smoke.unfinished/results.json")
    states = {name: r["seeds"]["0"]["state"] for name, r in collected["runs"].items()}
    assert states == {"tsd_wo_pc": "failed", "tsd_joint": "evaluated"}
    page = (project / "reports/smoke.unfinished/index.html").read_text()
    assert reason[1] in page
    output = run(project, sys.executable, "-m", "tsd", "status", "--scale", "smoke")
    assert "smoke: 1 evaluated, 1 failed" in output


def test_after_the_mistake_is_mended_the_report_is_made_again(project):
    edit_run(project, "tsd_wo_pc", lambda r: r["set"].pop("optim_wrapper.optimizer.lr"))
    assert "train" not in dry_run(project)
    snakemake(project, "all")
    collected = read_json(project / "reports/smoke/results.json")
    assert {r["seeds"]["0"]["state"] for r in collected["runs"].values()} == {"evaluated"}
    assert not (project / "reports/smoke.unfinished").exists()


def test_snakemakes_own_report_has_the_tables_with_their_captions(project):
    config = ("--config", "scale=smoke", "--report", "snakemake.html")
    output = run(project, "snakemake", "--cores", "2", *config)
    assert "Adding table2.csv" in output
    page = (project / "snakemake.html").read_text()
    title = yaml.safe_load((project / "experiments/tables/table2.yaml").read_text())["title"]
    for text in (title, "a line for each row and metric", "Images of the validation set"):
        assert text in page
    assert dry_run(project) == {}


def test_a_corrected_published_value_reaches_the_report_without_training(project):
    table = project / "experiments/tables/table2.yaml"
    table.write_text(table.read_text().replace("39.7", "39.6"))
    assert {"train", "detect", "evaluate"}.isdisjoint(dry_run(project))
    snakemake(project, "all")
    assert "39.6" in (project / "reports/smoke/report.md").read_text()


def smoke(project):
    settings = {"experiments": str(project / "experiments"), "scale": "smoke"}
    return open_grid(settings, project / "results")


def test_what_mlflow_was_away_for_is_brought_in_when_the_workflow_has_done_something(project):
    path = smoke(project).job("tsd_joint", 0).folder.tracking
    record = TrackingRecord.read(path)
    TrackingRecord(error="the store is away").write(path)
    (project / "reports/smoke/tables/table2.md").unlink()
    snakemake(project, "table2")
    assert TrackingRecord.read(path) == record


def test_what_cannot_be_told_to_mlflow_fails_no_workflow(project):
    record = summaries_record(smoke(project))
    told, collected = record.read_text(), project / "reports/smoke/results.json"
    before = collected.read_text()
    SummariesRecord(error="the store is away").write(record)
    collected.write_text('{"version": 1}')
    (project / "reports/smoke/tables/table2.md").unlink()
    output = snakemake(project, "table2")
    assert "MLflow was not told what it has missed: " in output
    assert (project / "reports/smoke/tables/table2.md").exists()
    record.write_text(told)
    collected.write_text(before)


def test_other_parameters_of_the_embedded_data_make_other_data_and_train(project):
    path = project / "experiments/datasets/embedded-tiny.yaml"
    before = path.read_text()
    path.write_text(before.replace("train_images: 24", "train_images: 25"))
    planned = dry_run(project)
    path.write_text(before)
    assert planned["make_data"] == 1
    assert planned["train"] == 2


def test_another_scale_on_the_same_data_does_not_make_it_again(project):
    (project / "again.yaml").write_text(
        "{id: again, extends: smoke, title: again, note: for a test, dataset: embedded-tiny}"
    )
    planned = dry_run(project, scale="again.yaml")
    assert "make_data" not in planned
    assert planned["train"] == 2


def test_a_model_that_cannot_be_built_is_found_before_it_trains(project):
    broken = {"model.roi_head.sibling_head": None, "model.roi_head.progressive_constraint": {}}
    edit_run(project, "tsd_wo_pc", lambda r: r.update(set=broken))
    output = snakemake(project, "all", fails=True)
    edit_run(project, "tsd_wo_pc", lambda r: r.update(set={}))
    assert re.search(
        r"\[tsd_wo_pc · seed 0\] failed: DeclarationError: .*set sibling_head=dict", output
    )
    assert "[tsd_wo_pc · seed 0] starts" not in output
    page = (project / "reports/smoke.unfinished/index.html").read_text()
    assert "compares TSD with the sibling head" in page


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("scale=minni", "unknown scale 'minni'; did you mean 'mini'?"),
        ("scal=mini", "unknown setting 'scal'; did you mean 'scale'?"),
        ("dataset=nowhere.yaml", "nowhere.yaml: no such file"),
    ],
)
def test_a_wrong_setting_ends_before_anything_runs(project, setting, message):
    output = run(project, "snakemake", "--cores", "2", "--config", setting, fails=True)
    assert message in output
    assert "Traceback" not in output


def test_missing_data_end_before_anything_trains(project):
    content = yaml.safe_load((Path.cwd() / "experiments/datasets/coco2017.yaml").read_text())
    own = project / "own.yaml"
    own.write_text(yaml.safe_dump({**content, "id": "own", "root": "data/nowhere"}))
    output = snakemake(project, "all", settings=["dataset=own.yaml"], fails=True)
    assert "data/nowhere/annotations/instances_train2017.json" in output
    assert not list((project / "results").glob("smoke-own/*/*/*/status.json"))


def test_what_nobody_asked_for_is_shown_with_what_there_is_of_it(project):
    output = snakemake(project, "all", settings=["only=tsd_joint"])
    assert "] starts" not in output
    for file in ("index.html", "report.md", "tables/table2.csv"):
        assert (project / "reports/smoke" / file).exists()
    states = {
        row["run"]: row["state"]
        for row in csv.DictReader((project / "reports/smoke/tables/table2.csv").open())
    }
    assert states == {"tsd_joint": "evaluated", "tsd_wo_pc": "not run"}


def test_every_measured_number_is_in_mlflow_under_its_name(project):
    collected = Results.read(project / "reports/smoke/results.json")
    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    compared = 0
    for training in collected.trainings():
        if training.tracking is not None:
            tracked = client.get_run(training.tracking.run_id).data.metrics
            final = {k.removeprefix("final/"): v for k, v in tracked.items() if "final/" in k}
            assert final == {k: v for k, v in training.metrics.items() if v is not None}
            compared += len(final)
    assert compared > 20


def test_a_metric_is_added_to_the_finished_grid_as_contributing_says(project):
    function, declaration = blocks(ROOT / "CONTRIBUTING.md", "python", "A metric")
    shutil.copytree(ROOT / "tsd", project / "tsd")
    assert dry_run(project, "only=tsd_joint") == {}
    with (project / "tsd/evaluation/coco.py").open("a") as module:
        module.write(f"\n\n{function}")
    metrics = project / "tsd/experiments/metrics.py"
    before, end, after = metrics.read_text().partition("    )\n}\n")
    assert end
    metrics.write_text(f"{before}{declaration.strip()},\n{end}{after}")

    planned = dry_run(project, "only=tsd_joint")
    assert planned["evaluate"] == planned["track"] == planned["collect"] == planned["report"] == 1
    assert {"train", "detect", "check_data", "check_run"}.isdisjoint(planned)
    snakemake(project, "all", settings=["only=tsd_joint"])
    collected = read_json(project / "reports/smoke/results.json")
    training = collected["runs"]["tsd_joint"]["seeds"]["0"]
    assert training["metrics"]["recall50"] >= training["metrics"]["AR100"] >= 0
    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    tracked = client.get_run(training["tracking"]["run_id"])
    assert tracked.data.metrics["final/recall50"] == training["metrics"]["recall50"]
    assert "recall .5" in (project / "reports/smoke/index.html").read_text()

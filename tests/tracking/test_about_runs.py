"""What MLflow says about runs and experiments besides what was measured."""

import json
import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tsd.experiments.metrics import EVALUATION_VERSION
from tsd.tracking.store import describe_experiment, experiment_number, prepare_store, sync_run

EXPERIMENT = "tsd-mini"


@pytest.fixture(scope="module")
def uri(tmp_path_factory, empty_store):
    uri = f"sqlite:///{shutil.copy(empty_store, tmp_path_factory.mktemp('store'))}"
    prepare_store(uri, [EXPERIMENT])
    return uri


@pytest.fixture
def client(uri):
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@pytest.fixture
def run_dir(tmp_path):
    """A run's folder after three steps."""
    card = {"key": tmp_path.name, "name": "r50", "experiment": EXPERIMENT}
    write(tmp_path / "card.json", {**card, "tags": {}, "params": {}})
    write(tmp_path / "status.json", {"state": "running", "error": None})
    write_events(tmp_path, [10, 20, 30])
    return tmp_path


def write(path, content):
    path.write_text(json.dumps(content))


def write_events(folder, steps):
    events = ({"step": step, "time": 1.7e9 + step, "metrics": {"loss": 1.0}} for step in steps)
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))


def test_what_the_paper_prints_and_the_data_stand_beside_what_is_measured(run_dir, uri, client):
    card = json.loads((run_dir / "card.json").read_text())
    data = {"name": "embedded", "digest": "0123456789", "source": "data/embedded"}
    write(run_dir / "card.json", {**card, "paper": {"AP": 41.0}, "data": data})
    write(
        run_dir / "metrics.json",
        {"key": "any", "version": EVALUATION_VERSION, "metrics": {"AP": 46.3}, "per_class": {}},
    )
    status = {"state": "done", "host": "node7", "scheduler_job": "123", "attempts": 2}
    write(run_dir / "status.json", {**status, "error": None})
    for _ in range(2):
        run_id = sync_run(run_dir, uri)["run_id"]
        run = client.get_run(run_id)
        assert run.data.metrics["final/AP"] == 46.3
        assert run.data.metrics["paper/AP"] == 41.0
        (used,) = run.inputs.dataset_inputs
        assert (used.dataset.name, used.dataset.digest) == ("embedded", "0123456789")
    assert run.data.tags["host"] == "node7"
    assert (run.data.tags["scheduler_job"], run.data.tags["attempts"]) == ("123", "2")
    # Numbers of the whole training hide none of its later steps.
    write_events(run_dir, [10, 20, 30, 40])
    sync_run(run_dir, uri)
    assert client.get_metric_history(run_id, "loss")[-1].step == 40


def test_tags_of_an_experiment_are_written_where_they_differ(uri, client, monkeypatch):
    describe_experiment(uri, EXPERIMENT, {"mlflow.note.content": "about"})
    number = experiment_number(uri, EXPERIMENT)
    assert client.get_experiment(number).tags["mlflow.note.content"] == "about"
    monkeypatch.setattr(MlflowClient, "set_experiment_tag", lambda *_: pytest.fail("again"))
    describe_experiment(uri, EXPERIMENT, {"mlflow.note.content": "about"})
    assert experiment_number(uri, "no such experiment") is None


def test_a_log_is_kept_once_it_no_longer_grows(run_dir, uri, client):
    (run_dir / "logs").mkdir()
    (run_dir / "logs" / "train.log").write_text("begins")
    run_id = sync_run(run_dir, uri)["run_id"]
    log = (
        Path(uri.removeprefix("sqlite:///")).parent / "mlartifacts" / run_id / "artifacts/train.log"
    )
    assert not log.exists()
    write(run_dir / "status.json", {"state": "failed", "error": "why"})
    sync_run(run_dir, uri)
    assert log.read_text() == "begins"

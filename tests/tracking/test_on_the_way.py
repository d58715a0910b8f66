"""What a network was worth on the way of its training, as a curve in MLflow."""

import json
import shutil

import pytest
from mlflow import MlflowClient

from tests.tracking.test_store import evaluation, history, make_run, write, write_events
from tsd.experiments.metrics import EVALUATION_VERSION
from tsd.tracking.store import prepare_store, sync_run
from tsd.tracking.uri import artifact_folder


@pytest.fixture(scope="module")
def uri(tmp_path_factory, empty_store):
    """One database for the module."""
    uri = f"sqlite:///{shutil.copy(empty_store, tmp_path_factory.mktemp('store'))}"
    prepare_store(uri, ["tsd-mini"])
    return uri


@pytest.fixture
def client(uri):
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@pytest.fixture
def run_dir(tmp_path):
    """A run's folder after three steps, and its evaluation."""
    folder = make_run(tmp_path / "run", key=f"mini/{tmp_path.name}/seed0")
    write(folder / "status.json", {"state": "done", "error": None})
    write(folder / "metrics.json", evaluation(AP=36.1, AP60=50.0))
    return folder


def write_milestones(folder, **values):
    """Write what was measured on the way: ``at_10=12.5``."""
    milestones = [
        {
            "iteration": int(name.removeprefix("at_")),
            "learning_rate": None,
            "metrics": {"AP": value, "APs": None, "AP60": value},
        }
        for name, value in values.items()
    ]
    record = {
        "key": "any",
        "version": EVALUATION_VERSION,
        "iterations": 30,
        "milestones": milestones,
        "missing": None,
    }
    (folder / "milestones.json").write_text(json.dumps(record))


def curve(client, run_id, name="val/AP"):
    return [(step, value) for step, value, _ in history(client, run_id, name)]


def test_the_curve_has_the_steps_of_the_training_and_ends_with_the_evaluation(run_dir, uri, client):
    write_milestones(run_dir, at_10=12.5, at_20=24.0)
    run_id = sync_run(run_dir, uri)["run_id"]
    assert curve(client, run_id) == [(10, 12.5), (20, 24.0), (30, 36.1)]
    metrics = client.get_run(run_id).data.metrics
    assert metrics["final/AP"] == metrics["val/AP"] == 36.1
    assert "val/APs" not in metrics, "there was nothing to measure"
    assert "val/AP60" not in metrics, "it is one of dozens like it"
    assert metrics["final/AP60"] == 50.0
    folder = artifact_folder(uri, client.get_run(run_id).info.artifact_uri)
    assert (folder / "milestones.json").is_file()


def test_a_second_sync_stores_no_point_twice(run_dir, uri, client, monkeypatch):
    write_milestones(run_dir, at_10=12.5, at_20=24.0)
    run_id = sync_run(run_dir, uri)["run_id"]
    before = history(client, run_id, "val/AP")

    def refuse(*_arguments, **_keywords):
        pytest.fail("stored again")

    monkeypatch.setattr(MlflowClient, "log_batch", refuse)
    sync_run(run_dir, uri)
    assert history(client, run_id, "val/AP") == before


def test_a_curve_that_is_measured_later_hides_no_event_and_is_hidden_by_none(run_dir, uri, client):
    run_id = sync_run(run_dir, uri)["run_id"]
    assert curve(client, run_id) == []
    write_milestones(run_dir, at_10=12.5)
    sync_run(run_dir, uri)
    assert curve(client, run_id) == [(10, 12.5), (30, 36.1)]
    write_events(run_dir, [(10, 1.5), (20, 1.25), (30, 1.0), (31, 0.9)])
    sync_run(run_dir, uri)
    assert curve(client, run_id, "loss") == [(10, 1.5), (20, 1.25), (30, 1.0), (31, 0.9)]


def test_what_is_measured_anew_is_stored_anew(run_dir, uri, client):
    write_milestones(run_dir, at_10=12.5)
    run_id = sync_run(run_dir, uri)["run_id"]
    write_milestones(run_dir, at_10=13.0)
    write(run_dir / "metrics.json", evaluation(AP=37.0))
    sync_run(run_dir, uri)
    assert client.get_run(run_id).data.metrics["val/AP"] == 37.0
    assert (10, 13.0) in curve(client, run_id)


def test_while_an_evaluation_is_out_of_date_the_curve_stays(run_dir, uri, client):
    write_milestones(run_dir, at_10=12.5)
    run_id = sync_run(run_dir, uri)["run_id"]
    before = history(client, run_id, "val/AP")
    (run_dir / "metrics.json").unlink()
    sync_run(run_dir, uri)
    assert history(client, run_id, "val/AP") == before


def test_without_weights_on_the_way_there_is_no_curve(run_dir, uri, client):
    write_milestones(run_dir)
    run_id = sync_run(run_dir, uri)["run_id"]
    assert "val/AP" not in client.get_run(run_id).data.metrics

"""What MLflow refuses, and a deleted experiment, cost nothing that a later call cannot mend."""

import json
import os
import shutil
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from tests.reporting.conftest import train_record
from tsd.cli import steps
from tsd.experiments.metrics import EVALUATION_VERSION
from tsd.liveness import this_process
from tsd.results.records import EvaluationRecord, TrackingRecord
from tsd.run_folder import read_json, update_status, write_json
from tsd.tracking.batches import pair_batches
from tsd.tracking.run_files import TrackingError
from tsd.tracking.store import follow_run, prepare_store, sync_run
from tsd.tracking.uri import artifact_folder

EXPERIMENT = "tsd-mini"
STARRED = "model.roi_head.bbox_head.*.fc_out_channels"


@pytest.fixture(scope="module")
def uri(tmp_path_factory, empty_store):
    uri = f"sqlite:///{shutil.copy(empty_store, tmp_path_factory.mktemp('store'))}"
    prepare_store(uri, [EXPERIMENT])
    return uri


@pytest.fixture
def client(uri):
    return MlflowClient(uri, uri)


def card(key, experiment=EXPERIMENT, **params):
    return {
        "key": key,
        "name": key,
        "experiment": experiment,
        "tags": {"run": "r"},
        "params": params,
    }


def trained(folder, key, **params):
    """A run's folder after three steps, its training done."""
    write_json(folder / "card.json", card(key, **params))
    write_json(folder / "status.json", {"state": "done", "error": None})
    events = [{"step": s, "time": 1.7e9, "metrics": {"loss": 1 / s}} for s in (10, 20, 30)]
    (folder / "events.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
    return folder


def test_a_run_with_a_star_in_its_set_is_tracked(tmp_path, uri, client):
    folder = trained(tmp_path / "run", "star", **{STARRED: 128, "": "empty", "../x": [1]})
    run = client.get_run(sync_run(folder, uri)["run_id"])
    assert run.info.status == "FINISHED"
    assert run.data.params == {
        "model.roi_head.bbox_head._U2A_.fc_out_channels": "128",
        "_U_": "empty",
        "_U2E_./x": "[1]",
    }
    assert sync_run(folder, uri)["run_id"] == run.info.run_id
    assert "tsd.param_conflict" not in client.get_run(run.info.run_id).data.tags


@pytest.mark.parametrize("kind", ["params", "tags", "metrics"])
def test_a_refused_part_keeps_the_others_and_the_status_and_is_mended_by_the_next_sync(
    tmp_path, uri, client, monkeypatch, kind
):
    folder = trained(tmp_path / "run", f"refused-{kind}", lr=0.1)
    (folder / "config.json").write_text("{}")
    log_batch = MlflowClient.log_batch

    def refuse(self, run_id, **parts):
        if kind in parts:
            raise MlflowException("refused", 1000)
        return log_batch(self, run_id, **parts)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", refuse)
        with pytest.raises(TrackingError, match="refused"):
            sync_run(folder, uri)
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    (found,) = client.search_runs([experiment], f"tags.`tsd.key` = 'refused-{kind}'")
    assert found.info.status == "FINISHED"
    stored = {
        "params": set(found.data.params),
        "tags": set(found.data.tags) & {"run"},
        "metrics": set(found.data.metrics),
    }
    expected = {"params": {"lr"}, "tags": {"run"}, "metrics": {"loss"}}
    assert stored == {**expected, kind: set()}
    kept = artifact_folder(uri, found.info.artifact_uri)
    assert [path.name for path in kept.iterdir()] == ["config.json"]

    assert sync_run(folder, uri)["run_id"] == found.info.run_id
    data = client.get_run(found.info.run_id).data
    assert (set(data.params), set(data.metrics)) == ({"lr"}, {"loss"})
    assert data.tags["run"] == "r"


def test_large_params_go_in_several_requests(tmp_path, uri, client, monkeypatch):
    sizes = []
    log_batch = MlflowClient.log_batch

    def note(self, run_id, **parts):
        sizes.append(sum(len(json.dumps([p.key, p.value])) for p in parts.get("params", ())))
        return log_batch(self, run_id, **parts)

    monkeypatch.setattr(MlflowClient, "log_batch", note)
    params = {f"p{i}": "\u2713" * 6000 for i in range(40)}  # six bytes each in JSON
    folder = trained(tmp_path / "run", "large", **params)
    assert client.get_run(sync_run(folder, uri)["run_id"]).data.params == params
    assert sum(size > 0 for size in sizes) >= 3
    assert max(sizes) <= 500_000


def test_batches_of_pairs_hold_all_of_them_in_order():
    pairs = {f"n{i}": "x" * (i % 50) for i in range(200)}
    batches = list(pair_batches(pairs, most=7, most_bytes=150))
    assert [pair for batch in batches for pair in batch] == list(pairs.items())
    assert all(len(batch) <= 7 for batch in batches)
    assert all(sum(len(json.dumps(p)) for p in batch) <= 150 for batch in batches)


def test_a_killed_training_does_not_stay_running(tmp_path, uri, client):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    folder = trained(tmp_path / "run", "killed")
    here = this_process()["host"]
    write_json(folder / "status.json", {"state": "running", "host": here, "pid": process.pid})
    run_id = sync_run(folder, uri)["run_id"]
    assert client.get_run(run_id).info.status == "RUNNING"
    process.kill()
    process.wait()
    follow_run(folder, uri, parent_pid=process.pid)
    assert client.get_run(run_id).info.status == "KILLED"


def test_preparing_a_store_writes_to_it(uri, client):
    prepare_store(uri, [EXPERIMENT])
    opened = client.get_experiment_by_name(EXPERIMENT).tags["tsd.opened"]
    assert opened.startswith(time.strftime("%Y-"))


def test_a_store_that_takes_nothing_is_found_at_the_start(uri, monkeypatch):
    def refuse(*arguments):
        raise MlflowException("attempt to write a readonly database")

    monkeypatch.setattr(MlflowClient, "set_experiment_tag", refuse)
    with pytest.raises(TrackingError, match="readonly"):
        prepare_store(uri, [EXPERIMENT])


@pytest.fixture
def grid(smoke_grid, tmp_path, empty_store, monkeypatch):
    """A grid with a finished, a failed and a running training, and a store of its own."""
    for job, state in zip(smoke_grid.jobs, ("done", "failed", "running"), strict=False):
        folder = trained(job.folder.path, job.key)
        write_json(job.folder.card, card(job.key, smoke_grid.experiment, lr=0.1))
        if state == "done":
            train_record(key=job.key).write(job.folder.train)
            EvaluationRecord(
                key=job.key, version=EVALUATION_VERSION, metrics={"AP": 1.5}, per_class={}
            ).write(job.folder.metrics)
        update_status(job.folder, state=state, error="broke", **this_process())
        assert folder.exists()
    monkeypatch.setattr(steps, "grid_of", lambda options: smoke_grid)
    monkeypatch.setattr(steps, "planned_job", lambda grid, options: smoke_grid.jobs[0])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{shutil.copy(empty_store, tmp_path)}")
    return smoke_grid


def test_a_deleted_experiment_is_told_before_training_with_what_to_do_and_then_all_is_brought_in(
    grid, capfd
):
    uri = os.environ["MLFLOW_TRACKING_URI"]
    prepare_store(uri, [grid.experiment])
    client = MlflowClient(uri, uri)
    experiment = client.get_experiment_by_name(grid.experiment).experiment_id
    client.delete_experiment(experiment)

    steps.open_tracking(Namespace())
    said = capfd.readouterr().out
    remedy = f"MLFLOW_TRACKING_URI={uri} mlflow experiments restore --experiment-id {experiment}"
    assert f"`{remedy}`" in said
    assert "the workflow goes on without it" in said
    assert "track-missing" in said
    finished, failed, running = grid.jobs[:3]
    steps.track(Namespace(log=None, out=finished.folder.tracking))
    assert "deleted" in TrackingRecord.read(finished.folder.tracking).error
    assert client.get_experiment(experiment).lifecycle_stage == "deleted"  # not restored silently

    restored = subprocess.run(
        [Path(sys.executable).with_name("mlflow"), *remedy.split()[2:]],
        capture_output=True,
        text=True,
    )
    assert restored.returncode == 0, restored.stderr
    steps.open_tracking(Namespace())
    assert "cannot be used" not in capfd.readouterr().out
    steps.track_missing(Namespace())
    record = TrackingRecord.read(finished.folder.tracking)
    assert record.error is None
    assert client.get_run(record.run_id).data.metrics["final/AP"] == 1.5
    states = {run.data.tags["tsd.key"]: run.info.status for run in client.search_runs([experiment])}
    assert states == {finished.key: "FINISHED", failed.key: "FAILED"}
    assert not failed.folder.tracking.exists()
    assert read_json(running.folder.status)["state"] == "running"

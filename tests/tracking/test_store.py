import json
import math
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tsd.experiments.metrics import EVALUATION_VERSION
from tsd.tracking import connection
from tsd.tracking.run_files import TrackingError
from tsd.tracking.store import follow_run, prepare_store, sync_run
from tsd.tracking.uri import artifact_folder, redact

EXPERIMENT = "tsd-mini"
NOBODY_LISTENS = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def uri(tmp_path_factory, empty_store):
    """One database for the module: its creation is the slow part; runs differ by key."""
    uri = f"sqlite:///{shutil.copy(empty_store, tmp_path_factory.mktemp('store'))}"
    prepare_store(uri, [EXPERIMENT])
    return uri


@pytest.fixture
def client(uri):
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@pytest.fixture
def run_dir(tmp_path):
    """A run's folder after three steps."""
    return make_run(tmp_path / "run", key=f"mini/{tmp_path.name}/seed0")


def make_run(folder, key, params=None):
    folder.mkdir()
    card = {
        "key": key,
        "name": "r50 · seed 0",
        "experiment": EXPERIMENT,
        "tags": {"tsd.run": "r50"},
        "params": {"lr": 0.02, "head": "TSD"} if params is None else params,
    }
    write(folder / "card.json", card)
    write(folder / "status.json", {"state": "running", "error": None})
    write_events(folder, [(10, 1.5), (20, 1.25), (30, 1.0)])
    return folder


def evaluation(**metrics):
    """The content of ``metrics.json``."""
    return {"key": "any", "version": EVALUATION_VERSION, "metrics": metrics, "per_class": {}}


def write(path, content):
    path.write_text(json.dumps(content))


def write_events(folder, losses, tail=""):
    lines = [
        json.dumps({"step": step, "time": 1.7e9 + step, "metrics": {"loss": loss, "lr": 0.02}})
        for step, loss in losses
    ]
    (folder / "events.jsonl").write_text("".join(line + "\n" for line in lines) + tail)


def history(client, run_id, name="loss"):
    return [(m.step, m.value, m.timestamp) for m in client.get_metric_history(run_id, name)]


def test_a_run_is_stored(run_dir, uri, client):
    where = sync_run(run_dir, uri)
    run_id = where["run_id"]
    run = client.get_run(run_id)
    assert run.info.run_name == "r50 · seed 0"
    assert run.info.status == "RUNNING"
    assert run.data.params == {"lr": "0.02", "head": "TSD"}
    assert run.data.tags["tsd.run"] == "r50"
    assert run.data.tags["tsd.key"] == f"mini/{run_dir.parent.name}/seed0"
    assert history(client, run_id) == [
        (10, 1.5, 1_700_000_010_000),
        (20, 1.25, 1_700_000_020_000),
        (30, 1.0, 1_700_000_030_000),
    ]
    experiment_id = client.get_experiment_by_name(EXPERIMENT).experiment_id
    assert where == {"uri": uri, "experiment_id": experiment_id, "run_id": run_id}


def test_a_second_sync_changes_nothing(run_dir, uri, client, monkeypatch):
    write(run_dir / "metrics.json", evaluation(AP=36.1))
    write(run_dir / "status.json", {"state": "done", "error": None})
    run_id = sync_run(run_dir, uri)["run_id"]
    before = client.get_run(run_id).to_dictionary()
    names = ("loss", "lr", "final/AP")
    histories = [history(client, run_id, name) for name in names]
    folder = artifact_folder(uri, client.get_run(run_id).info.artifact_uri)
    written = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}

    def refuse(*arguments, **keywords):
        pytest.fail("uploaded again")

    monkeypatch.setattr(MlflowClient, "log_batch", refuse)
    assert sync_run(run_dir, uri)["run_id"] == run_id
    assert client.get_run(run_id).to_dictionary() == before
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == written
    assert [history(client, run_id, name) for name in names] == histories
    assert [step for step, _, _ in histories[0]] == [10, 20, 30]


def test_resume_with_a_rewritten_tail_repeats_no_step(run_dir, uri, client):
    run_id = sync_run(run_dir, uri)["run_id"]
    write_events(run_dir, [(10, 1.5), (20, 1.2), (30, 0.9), (40, 0.8)])
    assert sync_run(run_dir, uri)["run_id"] == run_id
    losses = [(step, value) for step, value, _ in history(client, run_id)]
    assert losses == [(10, 1.5), (20, 1.25), (30, 1.0), (40, 0.8)]


def test_resume_from_before_the_last_stored_step(run_dir, uri, client):
    run_id = sync_run(run_dir, uri)["run_id"]
    write_events(run_dir, [(10, 1.5), (15, 1.4)])
    sync_run(run_dir, uri)
    write_events(run_dir, [(10, 1.5), (15, 1.4), (35, 0.7)])
    sync_run(run_dir, uri)
    assert [step for step, _, _ in history(client, run_id)] == [10, 20, 30, 35]


def test_status_goes_to_failed_and_back(run_dir, uri, client):
    write(run_dir / "status.json", {"state": "failed", "error": "out of memory", "updated": 1.7e9})
    run_id = sync_run(run_dir, uri)["run_id"]
    run = client.get_run(run_id)
    assert (run.info.status, run.data.tags["tsd.error"]) == ("FAILED", "out of memory")
    assert run.info.end_time == 1_700_000_000_000

    write(run_dir / "status.json", {"state": "running", "error": None})
    assert sync_run(run_dir, uri)["run_id"] == run_id
    run = client.get_run(run_id)
    assert run.info.status == "RUNNING"
    assert "tsd.error" not in run.data.tags

    write(run_dir / "status.json", {"state": "done", "error": None, "updated": 1.8e9})
    assert sync_run(run_dir, uri)["run_id"] == run_id
    info = client.get_run(run_id).info
    assert (info.status, info.end_time) == ("FINISHED", 1_800_000_000_000)


def test_a_changed_param_keeps_its_first_value(run_dir, uri, client):
    run_id = sync_run(run_dir, uri)["run_id"]
    card = json.loads((run_dir / "card.json").read_text())
    card["params"] |= {"lr": 0.01, "epochs": 12}
    write(run_dir / "card.json", card)
    assert sync_run(run_dir, uri)["run_id"] == run_id
    data = client.get_run(run_id).data
    assert data.params == {"lr": "0.02", "head": "TSD", "epochs": "12"}
    assert data.tags["tsd.param_conflict"] == "lr: kept '0.02', not '0.01'"


def test_limits_of_a_request(tmp_path, uri, client):
    params = {f"p{i}": i for i in range(230)} | {"long": "x" * 7000}
    run_dir = make_run(tmp_path / "run", key=f"limits/{tmp_path.name}", params=params)
    many = {f"m{i}": float(i) for i in range(7)}
    events = [{"step": s, "time": 1.7e9, "metrics": many} for s in range(300)]
    events.append({"step": 300, "time": 1.7e9, "metrics": {f"wide{i}": 1 for i in range(1200)}})
    (run_dir / "events.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
    run_id = sync_run(run_dir, uri)["run_id"]
    data = client.get_run(run_id).data
    assert len(data.params) == 231
    assert data.params["long"].startswith("xxx")
    assert "cut from 7000 characters" in data.params["long"]
    assert len(data.metrics) == 1207
    assert [step for step, _, _ in history(client, run_id, "m6")] == list(range(300))
    sync_run(run_dir, uri)
    assert "tsd.param_conflict" not in client.get_run(run_id).data.tags


def test_values_that_are_not_finite_are_left_out(run_dir, uri, client):
    write_events(run_dir, [(10, 1.5), (20, math.nan), (30, math.inf), (40, 1.0)])
    write(run_dir / "metrics.json", evaluation(AP=36.1, APs=None))
    run_id = sync_run(run_dir, uri)["run_id"]
    assert [step for step, _, _ in history(client, run_id)] == [10, 40]
    assert [step for step, _, _ in history(client, run_id, "lr")] == [10, 20, 30, 40]
    metrics = client.get_run(run_id).data.metrics
    assert metrics["final/AP"] == 36.1
    assert "final/APs" not in metrics


@pytest.mark.parametrize("tail", ['{"step": 40, "ti', '{"step": 40, "time": 1.7e9}', "\ufffd"])
def test_a_cut_last_line_waits(run_dir, uri, client, tail):
    write_events(run_dir, [(10, 1.5)], tail=tail)
    run_id = sync_run(run_dir, uri)["run_id"]
    assert [step for step, _, _ in history(client, run_id)] == [10]
    write_events(run_dir, [(10, 1.5), (40, 0.5)])
    sync_run(run_dir, uri)
    assert [step for step, _, _ in history(client, run_id)] == [10, 40]


def test_final_metrics_do_not_hide_later_steps(run_dir, uri, client):
    write(run_dir / "metrics.json", evaluation(AP=36.1))
    (run_dir / "events.jsonl").unlink()
    run_id = sync_run(run_dir, uri)["run_id"]
    write_events(run_dir, [(0, 2.0), (10, 1.5)])
    sync_run(run_dir, uri)
    assert [step for step, _, _ in history(client, run_id)] == [0, 10]


def test_artifacts_are_replaced_when_changed(run_dir, uri, client, tmp_path):
    write(run_dir / "config.json", {"lr": 1})
    write(run_dir / "detections.json", [])
    write(run_dir / "metrics.json", evaluation(AP=36.1))
    (run_dir / "per_class.csv").write_text("class,AP\ncat,36.1\n")
    run_id = sync_run(run_dir, uri)["run_id"]
    folder = Path(uri.removeprefix("sqlite:///")).parent / "mlartifacts" / run_id / "artifacts"
    listed = sorted(path.name for path in folder.iterdir())
    assert listed == ["config.json", "detections.json", "metrics.json", "per_class.csv"]

    write(run_dir / "metrics.json", evaluation(AP=36.2))  # as long as before
    sync_run(run_dir, uri)
    assert json.loads((folder / "metrics.json").read_text()) == evaluation(AP=36.2)
    assert client.get_run(run_id).data.metrics["final/AP"] == 36.2
    # No address of this machine, which would be wrong once the project is moved.
    assert client.get_run(run_id).info.artifact_uri == f"mlflow-artifacts:/{run_id}/artifacts"


def test_prepare_twice(uri, client, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    prepare_store(uri, [EXPERIMENT, "tsd-smoke"])
    before = {e.name: e.experiment_id for e in client.search_experiments()}
    prepare_store(uri, [EXPERIMENT, "tsd-smoke"])
    assert {e.name: e.experiment_id for e in client.search_experiments()} == before
    assert {EXPERIMENT, "tsd-smoke"} <= set(before)
    assert list(tmp_path.iterdir()) == []


def test_a_locked_database_is_tried_again(run_dir, uri, client, monkeypatch):
    delays = []
    log_batch = MlflowClient.log_batch

    def locked_at_first(*arguments, **keywords):
        if len(delays) < 2:
            raise connection.MlflowException("(sqlite3.OperationalError) database is locked")
        return log_batch(*arguments, **keywords)

    monkeypatch.setattr(MlflowClient, "log_batch", locked_at_first)
    monkeypatch.setattr(connection.time, "sleep", delays.append)
    run_id = sync_run(run_dir, uri)["run_id"]
    assert delays == [0.2, 0.4]
    assert len(history(client, run_id)) == 3


def test_a_database_locked_for_good_is_given_up(run_dir, uri, monkeypatch):
    def locked(*arguments, **keywords):
        raise connection.MlflowException("(sqlite3.OperationalError) database is locked")

    delays = []
    monkeypatch.setattr(MlflowClient, "log_batch", locked)
    monkeypatch.setattr(connection.time, "sleep", delays.append)
    with pytest.raises(TrackingError, match="database is locked"):
        sync_run(run_dir, uri)
    assert tuple(delays) == connection.RETRY_DELAYS_S


def test_an_unreachable_store(run_dir, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingError, match=r"127\.0\.0\.1:1"):
        sync_run(run_dir, NOBODY_LISTENS)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    follow_run(run_dir, NOBODY_LISTENS, parent_pid=gone.pid, interval_s=0.01)
    assert "127.0.0.1:1" in capsys.readouterr().err


@pytest.mark.parametrize("folder_uri", ["mlruns", "/tmp/mlruns", "file:///tmp/mlruns"])  # noqa: S108
def test_a_folder_is_no_store(run_dir, folder_uri):
    with pytest.raises(TrackingError, match="give a database or a server"):
        sync_run(run_dir, folder_uri)


def test_credentials_are_not_shown(run_dir, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingError) as caught:
        sync_run(run_dir, "http://jan:secret@127.0.0.1:1/?token=secret")
    assert "127.0.0.1:1" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://jan:s3/c@r?t@db:5432/mlflow?sslpassword=x", "postgresql://db:5432/mlflow"),
        ("https://token@tracking.example", "https://tracking.example"),
        ("https://tracking.example:5000", "https://tracking.example:5000"),
        ("sqlite:////home/a@b/mlflow.db", "sqlite:////home/a@b/mlflow.db"),
    ],
)
def test_redacted_uri(uri, shown):
    assert redact(uri) == shown


def test_follow_stops_when_the_run_is_done(run_dir, uri, client, monkeypatch):
    def train_on(_event, _interval):
        write_events(run_dir, [(10, 1.5), (20, 1.25), (30, 1.0), (40, 0.5)])
        write(run_dir / "status.json", {"state": "done", "error": None})

    monkeypatch.setattr(threading.Event, "wait", train_on)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as parent:
        follow_run(run_dir, uri, parent_pid=parent.pid)
        assert parent.poll() is None
        parent.communicate(b"\n")
    run_id = sync_run(run_dir, uri)["run_id"]
    assert client.get_run(run_id).info.status == "FINISHED"
    assert [step for step, _, _ in history(client, run_id)] == [10, 20, 30, 40]


def test_follow_sees_the_last_lines_of_a_parent_that_is_gone(run_dir, uri, client):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    follow_run(run_dir, uri, parent_pid=gone.pid, interval_s=1000)
    run_id = sync_run(run_dir, uri)["run_id"]
    assert [step for step, _, _ in history(client, run_id)] == [10, 20, 30]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("card.json", "{", r"card\.json: not JSON"),
        ("card.json", "[]", r"card\.json: expected an object, got list"),
        ("card.json", '{"key": "a"}', r"card\.json: 'name' is missing or no str"),
        ("card.json", '{"key": 3}', r"card\.json: 'key' is missing or no str"),
        ("status.json", '{"state": "lost"}', r"status\.json: state 'lost' is none of running"),
        ("events.jsonl", "{\n{}\n", r"events\.jsonl:1: not an event"),
        (
            "events.jsonl",
            '{"step": 2, "time": 1, "metrics": {}}\n' * 2,
            r"events\.jsonl:2: step 2 follows 2: two trainings .*Delete the folder .* to train",
        ),
    ],
)
def test_a_malformed_file_is_named(run_dir, uri, name, text, message):
    (run_dir / name).write_text(text)
    with pytest.raises(TrackingError, match=message):
        sync_run(run_dir, uri)


def test_a_missing_card_is_named(run_dir, uri):
    (run_dir / "card.json").unlink()
    with pytest.raises(TrackingError, match=r"card\.json: 'key' is missing"):
        sync_run(run_dir, uri)

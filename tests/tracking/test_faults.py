"""What happens to MLflow's server costs no training a moment and no event."""

import importlib.util
import json
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.tracking.live_server import PASSWORD, USER, Followers, Server, SlowProxy
from tests.tracking.test_store import EXPERIMENT, history, make_run, write
from tsd.tracking.postgres import Postgres, find_programs
from tsd.tracking.run_files import TrackingError
from tsd.tracking.store import prepare_store, sync_run
from tsd.tracking.uri import artifact_folder

TRAININGS, EVENTS = 8, 60
VARIABLES = {
    "MLFLOW_TRACKING_USERNAME": USER,
    "MLFLOW_TRACKING_PASSWORD": PASSWORD,
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
}


def lacking(*packages):
    """Why a server cannot run here; None if it can."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        return f"{' and '.join(missing)} is not installed (make server-packages)"
    if "psycopg2" in packages and find_programs() is None:
        return "PostgreSQL is not installed (apt-get install postgresql)"
    return None


def skip_where(reason):
    if reason is None:
        return
    if os.environ.get("TSD_REQUIRE_SERVER"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def open_folder():
    """A folder that everybody may pass through, as PostgreSQL's user has to where root tests."""
    folder = Path(tempfile.mkdtemp(prefix="tsd-server-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request, open_folder, monkeypatch):
    """A server that is not started yet."""
    driver = ["psycopg2"] if request.param == "postgresql" else []
    skip_where(lacking("flask_wtf", *driver))
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    server = Server(open_folder / "server", request.param)
    yield server
    server.stop()


@pytest.fixture
def trainings(tmp_path):
    """The folders of some trainings that have begun."""
    folders = [make_run(tmp_path / f"run{i}", key=f"faults/{i}") for i in range(TRAININGS)]
    for folder in folders:
        (folder / "events.jsonl").write_text("")
    return folders


def train_on(folders, steps):
    """Write the events of some steps, as trainings do: into files, whatever becomes of a server."""
    for step in steps:
        for folder in folders:
            event = {"step": step, "time": 1.7e9 + step, "metrics": {"loss": 1 / step, "lr": 0.1}}
            with (folder / "events.jsonl").open("a") as log:
                log.write(json.dumps(event) + "\n")
        time.sleep(0.02)


def stored(client, folders):
    """The steps that are stored of each training, one entry for each time."""
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    runs = {run.data.tags["tsd.key"]: run.info for run in client.search_runs([experiment])}
    assert len(runs) == len(folders)
    return {key: [step for step, _, _ in history(client, run.run_id)] for key, run in runs.items()}


def test_no_event_is_lost_when_the_server_is_down_or_killed_or_slow(server, trainings):
    quarter = EVENTS // 4
    part = [range(1 + i * quarter, 1 + (i + 1) * quarter) for i in range(4)]
    # Down at the start: the trainings train, and whoever follows them is told.
    train_on(trainings, part[0])
    with pytest.raises(TrackingError, match=server.uri):
        sync_run(trainings[0], server.uri)
    server.start()
    prepare_store(server.uri, [EXPERIMENT])
    client = MlflowClient(server.uri, server.uri)

    followers = Followers(server.uri, trainings)
    wait_for(lambda: client.search_experiments() and has_some(client))
    train_on(trainings, part[1])
    server.kill()
    train_on(trainings, part[2])
    for folder in trainings:
        assert len((folder / "events.jsonl").read_text().splitlines()) == 3 * quarter
    server.start()
    syncs, faults = followers.end()
    assert syncs >= TRAININGS
    assert faults > 0, "the server was down for a while"

    proxy = SlowProxy(server.port, delay_s=0.2)
    train_on(trainings, part[3])
    sync_run(trainings[0], proxy.uri)
    assert proxy.pieces > 4
    proxy.close()
    for folder in trainings[1:]:
        sync_run(folder, server.uri)
    whole = list(range(1, EVENTS + 1))
    assert stored(client, trainings) == {f"faults/{i}": whole for i in range(TRAININGS)}
    print(f"{faults} faults, {syncs} syncs, {TRAININGS * EVENTS} events, none lost")

    # Artifacts go through the server, and a second time nothing changes.
    write(trainings[0] / "config.json", {"lr": 1})
    write(trainings[0] / "status.json", {"state": "done", "error": None, "updated": 1.8e9})
    run_id = sync_run(trainings[0], server.uri)["run_id"]
    (listed,) = client.list_artifacts(run_id)
    assert listed.path == "config.json"
    assert artifact_folder(server.uri, client.get_run(run_id).info.artifact_uri) is None
    before = client.get_run(run_id).to_dictionary()
    assert sync_run(trainings[0], server.uri)["run_id"] == run_id
    assert client.get_run(run_id).to_dictionary() == before
    assert stored(client, trainings)["faults/0"] == whole
    assert_no_secret_is_left(server)


def wait_for(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.2)
    pytest.fail("nothing has come")


def has_some(client):
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    return any(run.data.metrics for run in client.search_runs([experiment]))


def assert_no_secret_is_left(server):
    for path in server.folder.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path
    for name in ("artifacts", "postgres"):
        if (server.folder / name).exists():
            assert stat.S_IMODE((server.folder / name).stat().st_mode) == 0o700


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, open_folder, empty_store):
    """A database that processes write to without a server in between; its address."""
    if request.param == "sqlite":
        yield f"sqlite:///{shutil.copy(empty_store, open_folder)}"
        return
    skip_where(lacking("psycopg2"))
    postgres = Postgres(open_folder / "postgres")
    postgres.start()
    postgres.create_databases("mlflow", "mlflow")
    postgres.start()  # it runs
    postgres.create_databases("mlflow")  # and has it
    yield postgres.uri("mlflow")
    postgres.stop()


def test_eight_processes_write_at_once(database, trainings):
    prepare_store(database, [EXPERIMENT])
    client = MlflowClient(database, database)
    followers = Followers(database, trainings)
    train_on(trainings, range(1, 10))
    wait_for(lambda: has_some(client))
    train_on(trainings, range(10, EVENTS + 1))
    syncs, faults = followers.end()
    assert syncs > TRAININGS
    assert faults == 0
    whole = list(range(1, EVENTS + 1))
    assert stored(client, trainings) == {f"faults/{i}": whole for i in range(TRAININGS)}
    print(f"{syncs} syncs, {TRAININGS * EVENTS} events, none lost")

"""A server that cannot be started says why, before it has changed anything."""

import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from tsd.cli.main import main
from tsd.tracking import postgres, server
from tsd.tracking.postgres import Postgres, PostgresError
from tsd.tracking.server import ServerError, ServerSettings, serve

WORDS = "correct horse battery"


@pytest.fixture
def named(monkeypatch):
    """Name and password in the environment, and all packages there."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", WORDS)
    monkeypatch.setattr(server.importlib.util, "find_spec", lambda name: object())


@pytest.mark.parametrize("missing", ["USERNAME", "PASSWORD"])
def test_nobody_comes_in_without_a_name_and_a_password(named, missing, monkeypatch, tmp_path):
    monkeypatch.delenv(f"MLFLOW_TRACKING_{missing}")
    with pytest.raises(SystemExit, match=f"set .*MLFLOW_TRACKING_{missing}"):
        main(["server", "--folder", str(tmp_path / "server")])
    assert not (tmp_path / "server").exists()


def test_a_short_password_is_refused_and_not_shown(named, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "short")
    with pytest.raises(ServerError, match="fewer than 12 characters") as caught:
        serve(ServerSettings(tmp_path / "server"))
    assert "short" not in str(caught.value)


def test_packages_that_are_missing_are_named(named, monkeypatch, tmp_path):
    monkeypatch.setattr(server.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ServerError, match="needs flask_wtf and psycopg2: `make server`"):
        serve(ServerSettings(tmp_path / "server"))
    with pytest.raises(ServerError, match="needs flask_wtf: "):
        serve(ServerSettings(tmp_path / "server", database="sqlite"))


def test_a_second_server_in_a_folder_is_refused(named, tmp_path):
    with (
        FileLock(tmp_path / ".lock"),
        pytest.raises(ServerError, match="another server runs in this folder"),
    ):
        serve(ServerSettings(tmp_path, database="sqlite"))


def test_without_postgresql_the_message_says_how_to_get_it_or_do_without(
    named, monkeypatch, tmp_path
):
    monkeypatch.setattr(postgres, "PACKAGED", str(tmp_path / "nothing"))
    monkeypatch.setattr(postgres.shutil, "which", lambda name: None)
    with pytest.raises(ServerError, match=r"apt-get install postgresql.*--database sqlite"):
        serve(ServerSettings(tmp_path / "server"))


def test_the_newest_of_debians_versions_is_taken(monkeypatch, tmp_path):
    for version in ("9.6", "13", "15"):
        program = tmp_path / version / "bin" / "initdb"
        program.parent.mkdir(parents=True)
        program.touch()
    monkeypatch.setattr(postgres, "PACKAGED", str(tmp_path))
    assert postgres.find_programs() == tmp_path / "15" / "bin"
    data = tmp_path / "a b"
    assert Postgres(data).uri("runs") == f"postgresql://tsd@/runs?host={tmp_path}/a%20b"
    with pytest.raises(PostgresError, match="too long for a socket"):
        Postgres(tmp_path / ("x" * 90))


def test_what_is_configured_holds_no_secret_and_nothing_but_loopback_is_listened_on(
    named, monkeypatch, tmp_path
):
    started = []

    def note(command, environment, folder):
        started.append((command, environment))
        return 0

    monkeypatch.setattr(server, "_run_until_told", note)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert serve(ServerSettings(tmp_path / "server", database="sqlite")) == 0
    ((command, environment),) = started
    assert "--host=127.0.0.1" in command
    assert "--app-name=basic-auth" in command
    assert not any(WORDS in part for part in command)
    assert environment["MLFLOW_AUTH_ADMIN_PASSWORD"] == WORDS
    assert "MLFLOW_TRACKING_URI" not in environment
    files = [path for path in (tmp_path / "server").rglob("*") if path.is_file()]
    assert tmp_path / "server" / "basic_auth.ini" in files
    assert not any(WORDS in path.read_text() for path in files)


def test_who_ends_the_command_ends_all_that_it_started(tmp_path):
    child = f"import time; open({str(tmp_path / 'begun')!r}, 'w'); time.sleep(600)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"

    def end_us():
        while not (tmp_path / "begun").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end_us).start()
    handler = signal.getsignal(signal.SIGTERM)
    assert server._run_until_told([sys.executable, "-c", code], os.environ, tmp_path) == 0
    assert signal.getsignal(signal.SIGTERM) == handler
    assert not any(str(tmp_path / "begun") in command for command in commands())


def commands():
    """What each process of this machine was started as."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended since
            yield path.read_text(errors="replace")

"""Trainings that nobody waits for are asked to end, and no others."""

import signal
import subprocess
import sys
import time

import pytest

from tsd.cluster import orphans
from tsd.cluster.orphans import end_orphans
from tsd.experiments.reading import DeclarationError
from tsd.liveness import start_of, this_process
from tsd.run_folder import write_json

SAVES = """
import signal, sys, time
def save(*_):
    time.sleep(0.5)
    sys.exit(75)
signal.signal(signal.SIGTERM, save)
print("trains", flush=True)
time.sleep(600)
"""

IGNORES = SAVES.replace("signal.SIGTERM, save", "signal.SIGTERM, signal.SIG_IGN")


@pytest.fixture
def training(tmp_path):
    """Starts a process that stands for a training; writes its status."""
    started = []

    def start(run, code=SAVES, **changes):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "trains\n"
        named = {**this_process(), "pid": process.pid, "pid_started": start_of(process.pid)}
        status = {"state": "running", "updated": time.time(), "workflow": gone(), **named}
        write_json(tmp_path / run / "digest" / "seed0" / "status.json", {**status, **changes})
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def gone():
    """A Snakemake that is not there any more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return {**this_process(), "pid": process.pid, "pid_started": 1}


def reap(process):
    """As init does to a process whose parent is gone."""
    return process.wait(timeout=30)


def test_orphans_are_asked_to_save_and_waited_for(training, tmp_path):
    orphaned = [training("one"), training("two")]
    said = []
    before = time.monotonic()
    end_orphans(tmp_path, said.append)
    assert time.monotonic() - before >= 0.4
    assert [reap(process) for process in orphaned] == [75, 75]
    assert len(said) == 2
    assert "one/digest/seed0: a training that an earlier Snakemake left behind (process " in said[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"workflow": this_process()},  # its Snakemake lives
        {"workflow": None},  # started by a person
        {"workflow": {**this_process(), "host": "elsewhere", "pid": 1}},
        {"host": "elsewhere"},
        {"scheduler_job": "17"},
        {"state": "done"},
        {"pid_started": 1},  # its number belongs to another process by now
    ],
)
def test_other_trainings_are_left_alone(training, tmp_path, changes):
    process = training("run", **changes)
    said = []
    end_orphans(tmp_path, said.append)
    time.sleep(0.2)
    assert process.poll() is None
    assert said == []


def test_one_that_does_not_end_is_told(training, tmp_path, monkeypatch):
    process = training("run", IGNORES)
    monkeypatch.setattr(orphans, "SECONDS_TO_END", 0.5)
    with pytest.raises(DeclarationError, match=rf"do not end: processes \[{process.pid}\]"):
        end_orphans(tmp_path, lambda line: None)


def test_one_that_ends_just_now_is_no_mistake(training, tmp_path, monkeypatch):
    training("run")

    def vanished(pid, number):
        raise ProcessLookupError

    monkeypatch.setattr(orphans.os, "kill", vanished)
    monkeypatch.setattr(orphans, "_lives", lambda process: False)
    end_orphans(tmp_path, lambda line: None)


def test_one_of_another_user_is_told(training, tmp_path, monkeypatch):
    process = training("run")

    def refuse(pid, number):
        assert (pid, number) == (process.pid, signal.SIGTERM)
        raise PermissionError

    monkeypatch.setattr(orphans.os, "kill", refuse)
    with pytest.raises(DeclarationError, match=rf"process {process.pid} of another user"):
        end_orphans(tmp_path, lambda line: None)
    monkeypatch.undo()


def test_without_results_there_is_nothing_to_do(tmp_path):
    end_orphans(tmp_path / "nowhere", lambda line: pytest.fail("said something"))

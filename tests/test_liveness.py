"""A process is told by machine, number and start, not by its number alone."""

import json
import os
import subprocess
import sys
import time

import pytest

from tsd import liveness
from tsd.liveness import SILENCE, is_alive, is_training, start_of, this_process


@pytest.fixture
def other():
    """Another process, which lives until it is ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def status(process, **changes):
    named = {**this_process(), "pid": process.pid, "pid_started": start_of(process.pid)}
    return {"state": "running", "updated": time.time(), **named, **changes}


def test_this_process_lives_and_started_after_its_parent():
    own = this_process()
    assert own["pid"] == os.getpid()
    assert is_alive(own["pid"], own["pid_started"])
    assert start_of(os.getpid()) >= start_of(os.getppid()) > 0


def test_a_process_that_has_ended_is_not_alive_though_nobody_has_asked_how(other):
    started = start_of(other.pid)
    assert is_alive(other.pid, started)
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # its exit status is still there
    assert not is_alive(other.pid, started)
    other.wait()
    assert not is_alive(other.pid, started)
    assert start_of(other.pid) is None


def test_a_name_with_brackets_and_spaces_confuses_nothing(tmp_path):
    program = tmp_path / "a) R 1 (b"
    program.symlink_to(sys.executable)
    with subprocess.Popen([program, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = start_of(process.pid)
        process.kill()
    assert started is not None
    assert started >= start_of(os.getpid())


def test_a_number_that_was_given_to_another_process_is_no_sign_of_life(other):
    assert is_training(status(other))
    assert not is_training(status(other, pid_started=start_of(other.pid) - 1))
    assert is_training(status(other, pid_started=None))  # not written down by earlier versions


@pytest.mark.parametrize(
    ("changes", "goes_on"),
    [
        ({"state": "done"}, False),
        ({"state": "interrupted"}, False),
        ({"host": "elsewhere"}, True),
        ({"host": "elsewhere", "updated": time.time() - SILENCE - 1}, False),
        ({"host": "elsewhere", "pid": 2**22 + 1}, True),
        ({"pid": 2**22 + 1}, False),
    ],
)
def test_what_a_status_says(other, changes, goes_on):
    assert is_training(status(other, **changes)) is goes_on


def test_a_status_that_names_no_process_is_believed():
    assert is_training({"state": "running"})
    assert not is_training({})


def test_programs_know_the_workflow_that_waits_for_them(monkeypatch):
    monkeypatch.delenv(liveness.WORKFLOW_VARIABLE, raising=False)
    assert liveness.named_workflow() is None
    monkeypatch.setenv(liveness.WORKFLOW_VARIABLE, "")
    assert liveness.named_workflow() is None
    liveness.name_workflow()
    code = (
        "import json; from tsd.liveness import named_workflow; print(json.dumps(named_workflow()))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(said.stdout) == this_process()

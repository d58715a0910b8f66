"""NVIDIA's MPS is started in a private folder and ended with the workflow, however that ends."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster.fake_gpus import MPS, executable
from tsd.cluster import mps
from tsd.cluster.mps import LOGS, PIPES, leave_own_mps, start_mps
from tsd.liveness import is_alive

GPUS = ["GPU-a", "GPU-b"]

OWNS = """
import os, sys
from tsd.cluster.mps import start_mps
started = start_mps(["GPU-a"], print, os.getpid())
print(started.folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def control(tmp_path, monkeypatch):
    """A fake control program; what it was told, line by line."""
    executable(tmp_path / "bin", "nvidia-cuda-mps-control", MPS)
    log = tmp_path / "told"
    log.touch()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_MPS_LOG", str(log))
    monkeypatch.setattr(mps, "DEFAULT_PIPES", tmp_path / "default")
    for name in (PIPES, LOGS):
        monkeypatch.delenv(name, raising=False)
    return lambda: log.read_text().splitlines()


def pid_in(folder):
    return int((Path(folder) / "nvidia-cuda-mps-control.pid").read_text())


def wait_until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_it_has_a_private_folder_and_knows_the_gpus_and_ends_when_told(control):
    started = start_mps(GPUS, pytest.fail, os.getpid())
    folder = Path(started.folder)
    assert started.variables == {PIPES: str(folder), LOGS: str(folder)}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert control() == [f"start {folder} {folder} GPU-a,GPU-b", "get_server_list"]
    daemon = pid_in(folder)
    assert is_alive(daemon, None)
    started.stop(pytest.fail)
    assert control()[-1] == "quit"
    assert not is_alive(daemon, None)
    assert not folder.exists()


def test_the_environment_of_the_workflow_is_left_to_the_workflow(control):
    started = start_mps(GPUS, pytest.fail, os.getpid())
    assert PIPES not in os.environ
    started.stop()


def test_it_ends_with_a_workflow_that_is_killed(control):
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    folder = owner.stdout.readline().strip()
    daemon = pid_in(folder)
    assert is_alive(daemon, None)
    owner.kill()
    owner.wait()
    wait_until(lambda: not Path(folder).exists())
    assert not is_alive(daemon, None)
    assert control()[-1] == "quit"
    owner.stdin.close()
    owner.stdout.close()


def test_one_that_does_not_answer_quit_is_ended_by_a_signal(control, monkeypatch):
    started = start_mps(GPUS, pytest.fail, os.getpid())
    daemon = pid_in(started.folder)
    control_program = Path(os.environ["PATH"].split(":")[0]) / "nvidia-cuda-mps-control"
    control_program.write_text("#!/bin/sh\nexit 1\n")
    started.stop(pytest.fail)
    wait_until(lambda: not is_alive(daemon, None))


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        (
            "FAKE_MPS_FAILS",
            "NVIDIA's MPS does not start, and programs take turns on a GPU: An inst",
        ),
        (
            "FAKE_MPS_SILENT",
            "NVIDIA's MPS does not start, and programs take turns on a GPU: status",
        ),
    ],
)
def test_where_it_does_not_start_a_remark_is_made_and_nothing_stays(
    control, monkeypatch, tmp_path, variable, said
):
    monkeypatch.setenv(variable, "1")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    remarks = []
    assert start_mps(GPUS, remarks.append, os.getpid()) is None
    (remark,) = remarks
    assert remark.startswith(said)
    assert not list(tmp_path.glob("tsd-mps-*"))


def test_a_long_path_is_not_taken_since_a_socket_has_no_room_for_it(control, monkeypatch, tmp_path):
    place = tmp_path / ("long" * 20)
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    started = start_mps(GPUS, pytest.fail, os.getpid())
    assert len(started.folder) < 40
    started.stop()


def test_one_of_the_users_own_is_used(control, monkeypatch, tmp_path):
    remarks = []
    monkeypatch.setenv(PIPES, "/run/mps")
    assert start_mps(GPUS, remarks.append, os.getpid()) is None
    monkeypatch.delenv(PIPES)
    mps.DEFAULT_PIPES.mkdir()
    (mps.DEFAULT_PIPES / "nvidia-cuda-mps-control.pid").write_text(str(os.getpid()))
    assert start_mps(GPUS, remarks.append, os.getpid()) is None
    assert len(remarks) == 2
    assert all("the MPS that runs already" in remark for remark in remarks)
    assert control() == []


def test_a_file_that_an_mps_has_left_is_no_mps(control):
    mps.DEFAULT_PIPES.mkdir()
    for content in ("4194304999", "no number"):
        (mps.DEFAULT_PIPES / "nvidia-cuda-mps-control.pid").write_text(content)
        started = start_mps(GPUS, pytest.fail, os.getpid())
        started.stop()


def test_without_nvidias_program_a_remark_is_made(control, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    remarks = []
    assert start_mps(GPUS, remarks.append, os.getpid()) is None
    assert remarks == [
        "there is no nvidia-cuda-mps-control here: programs on a GPU take turns, which is slower"
    ]


def test_what_measures_leaves_ours_and_keeps_the_users(monkeypatch):
    for folder, left in (("/var/tsd-mps-abc", True), ("/run/mps", False)):
        monkeypatch.setenv(PIPES, folder)
        monkeypatch.setenv(LOGS, folder)
        leave_own_mps()
        assert (PIPES not in os.environ) == (LOGS not in os.environ) == left
    monkeypatch.delenv(PIPES)
    leave_own_mps()

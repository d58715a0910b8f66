"""Places on GPUs: several processes, killed ones, and one that wants a GPU for itself."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tsd.cluster.gpu_slots import Slots, slots_folder
from tsd.experiments.reading import DeclarationError

HOLDS = """
import json, os, sys
from pathlib import Path
from tsd.cluster.gpu_slots import Slots
folder, shares, alone, forks = sys.argv[1:]
def say(line):
    print(line, flush=True)
slots = Slots(Path(folder), json.loads(shares))
with slots.take(alone == "alone", lambda line: say("waits")) as gpu:
    if forks and os.fork() == 0:
        os.setsid()
        os.execvp("sleep", ["sleep", "60"]) if forks == "exec" else __import__("time").sleep(60)
    say(gpu)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Starts a process that takes a place; its first word is the GPU, or that it waits."""
    started = []

    def start(shares, alone=False, forks=""):
        arguments = [str(tmp_path), json.dumps(shares), "alone" if alone else "", forks]
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDS, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        process.says = lambda: process.stdout.readline().strip()
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def ends(process):
    process.stdin.close()
    process.wait(timeout=30)


def take(tmp_path, shares, alone=False):
    return Slots(tmp_path, shares).take(alone, pytest.fail)


def test_four_jobs_are_on_four_places_of_two_gpus_and_the_fifth_waits(holder):
    shares = {"a": 2, "b": 2}
    four = [holder(shares) for _ in range(4)]
    assert sorted(process.says() for process in four) == ["a", "a", "b", "b"]
    fifth = holder(shares)
    assert fifth.says() == "waits"
    ends(four[2])
    assert fifth.says() in ("a", "b")


def test_the_least_loaded_gpu_is_taken_in_proportion_to_what_it_may_hold(holder):
    shares = {"small": 1, "large": 4}
    assert [holder(shares).says() for _ in range(5)] == ["small", *["large"] * 4]
    assert holder({"small": 2, "large": 9}).says() == "large"


def test_a_killed_process_gives_its_place_back(holder, tmp_path):
    process = holder({"a": 1})
    assert process.says() == "a"
    process.kill()
    process.wait()
    with take(tmp_path, {"a": 1}) as gpu:
        assert gpu == "a"


@pytest.mark.parametrize("forks", ["fork", "exec"])
def test_and_so_does_one_whose_children_live_on(holder, tmp_path, forks):
    process = holder({"a": 1}, forks=forks)
    assert process.says() == "a"
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 5
    with Slots(tmp_path, {"a": 1}).take(False, lambda line: None) as gpu:
        assert gpu == "a"
        assert time.monotonic() < deadline


def test_one_that_wants_a_gpu_alone_waits_for_an_empty_one(holder):
    shares = {"a": 3}
    first = holder(shares)
    assert first.says() == "a"
    alone = holder(shares, alone=True)
    assert alone.says() == "waits"
    time.sleep(1.2)  # until it has said that it wants the GPU
    late = holder(shares)
    assert late.says() == "waits"  # although two places are free
    ends(first)
    assert alone.says() == "a"
    time.sleep(1.2)
    ends(alone)
    assert late.says() == "a"


def test_while_one_has_a_gpu_alone_others_take_the_next(holder):
    shares = {"a": 2, "b": 2}
    assert holder(shares, alone=True).says() == "a"
    assert [holder(shares).says() for _ in range(2)] == ["b", "b"]
    assert holder(shares).says() == "waits"


def test_a_gpu_for_one_job_is_not_shared_with_those_of_another_scale(holder):
    assert holder({"a": 1}).says() == "a"
    assert holder({"a": 12}).says() == "waits"


def test_what_was_wanted_is_given_up_when_another_gpu_is_free(holder):
    shares = {"a": 1, "b": 1}
    on_a, on_b = holder(shares), holder(shares)
    assert {on_a.says(), on_b.says()} == {"a", "b"}
    alone = holder(shares, alone=True)
    assert alone.says() == "waits"
    time.sleep(1.2)
    ends(on_b)
    got = alone.says()
    ends(on_a)
    other = holder(shares)
    assert {got, other.says()} == {"a", "b"}


def test_a_place_is_given_back_at_the_end_and_after_a_failure(tmp_path):
    for _ in range(2):
        with take(tmp_path, {"MIG-GPU-1/2/0": 1}, alone=True) as gpu:
            assert gpu == "MIG-GPU-1/2/0"
    with pytest.raises(ZeroDivisionError), take(tmp_path, {"a": 2}):
        raise ZeroDivisionError
    with take(tmp_path, {"a": 2}, alone=True):
        pass


def test_the_folder_is_this_users_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = slots_folder()
    assert folder == slots_folder() == tmp_path / f"tsd-gpus-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    with pytest.raises(DeclarationError, match="only you can write to"):
        slots_folder()
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DeclarationError, match="only you can write to"):
        slots_folder()

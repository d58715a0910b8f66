"""Two trainings never meet in one folder."""

import errno
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from filelock import FileLock

from tests.training.test_resume import (
    After,
    attempt,
    environment,
    job_with,
    project,  # noqa: F401 a fixture
    silent,
    status_of,
    tsd_command,
    wait_for_iteration,
)
from tsd.event_file import DisorderedEventsError
from tsd.liveness import SILENCE, start_of, this_process
from tsd.run_folder import RunFolder, read_json, update_status, write_json
from tsd.training import folder_lock
from tsd.training.checkpoint_hook import checkpoints
from tsd.training.folder_lock import FolderInUseError, alone_in
from tsd.training.interruption import InterruptedTrainingError
from tsd.training.train import train

HOLDS = """
import sys
from pathlib import Path
from tsd.run_folder import RunFolder
from tsd.training.folder_lock import alone_in
with alone_in(RunFolder(Path(sys.argv[1])), print):
    print("holds", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


@pytest.fixture
def holder(folder):
    """Another process that is alone in the folder."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "holds\n"
        yield process
        process.kill()


def running(process, **changes):
    named = {**this_process(), "pid": process.pid, "pid_started": start_of(process.pid)}
    return {"state": "running", "since": 0, "updated": time.time(), **named, **changes}


def enter(folder):
    with alone_in(folder, silent):
        return True


def test_a_folder_may_be_entered_again_by_the_same_process_and_later_by_another(folder):
    with alone_in(folder, silent):
        assert enter(folder)
        write_json(folder.status, {"state": "running", **this_process()})
        assert enter(folder)
    command = [sys.executable, "-c", HOLDS, str(folder.path)]
    update_status(folder, state="interrupted")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.stdout == "holds\n"


def test_a_second_training_is_told_of_the_first_at_once(folder, holder):
    status = running(holder)
    write_json(folder.status, status)
    before = time.monotonic()
    with pytest.raises(
        FolderInUseError, match=rf"run: another process trains here: {holder.pid} on .*, since 19"
    ) as refused:
        enter(folder)
    assert f"`kill {holder.pid}`" in str(refused.value)
    assert time.monotonic() - before < 5
    assert read_json(folder.status) == status


def test_a_lock_whose_holder_does_not_say_who_it_is_is_waited_for(folder, holder, monkeypatch):
    monkeypatch.setattr(folder_lock, "SECONDS_TO_WAIT", 1)
    with pytest.raises(FolderInUseError, match="does not say which"):
        enter(folder)
    monkeypatch.setattr(folder_lock, "SECONDS_TO_WAIT", 60)
    monkeypatch.setattr(folder_lock.time, "sleep", lambda seconds: holder.kill())
    assert enter(folder)


def test_a_killed_process_leaves_no_lock(folder, holder):
    write_json(folder.status, running(holder))
    holder.kill()
    holder.wait()
    assert enter(folder)


def test_a_number_that_another_process_has_by_now_keeps_nobody_out(folder):
    write_json(folder.status, {"state": "running", **this_process(), "pid": os.getppid()})
    assert enter(folder)


@pytest.mark.parametrize(
    ("changes", "here", "refused"),
    [
        ({}, None, True),
        ({"updated": 0}, None, False),
        ({"scheduler_job": "7"}, None, True),
        ({"scheduler_job": "7"}, "8", False),  # the scheduler has ended the other
        ({}, "8", True),
    ],
)
def test_of_another_machine_its_last_sign_counts(folder, monkeypatch, changes, here, refused):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    if here:
        monkeypatch.setenv("SLURM_JOB_ID", here)
    elsewhere = {"host": "node7", "pid": 12, "pid_started": 5, "since": 0, "updated": time.time()}
    write_json(folder.status, {"state": "running", **elsewhere, **changes})
    if not refused:
        assert enter(folder)
        return
    silent_at = time.strftime("%H:%M", time.localtime(elsewhere["updated"] + SILENCE))
    with pytest.raises(FolderInUseError, match=rf"12 on node7, .*30 minutes .* at {silent_at}"):
        enter(folder)


def test_a_scheduler_gives_the_other_the_time_to_save(folder, holder, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "8")
    write_json(folder.status, running(holder, scheduler_job="7"))
    monkeypatch.setattr(folder_lock.time, "sleep", lambda seconds: holder.kill())
    assert enter(folder)


def test_without_locks_the_status_still_counts(folder, holder, monkeypatch):
    def none(*arguments, **keywords):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(FileLock, "acquire", none)
    said = []
    with alone_in(folder, said.append):
        pass
    assert "Function not implemented" in said[0]
    write_json(folder.status, running(holder))
    with pytest.raises(FolderInUseError, match=str(holder.pid)):
        enter(folder)


def test_a_second_training_leaves_status_log_and_events_of_the_first_alone(project):  # noqa: F811
    first = subprocess.Popen(
        tsd_command(project), cwd=project, env=environment(), start_new_session=True
    )
    try:
        wait_for_iteration(project, 10, first)
        before = status_of(project)
        second = attempt(project)
        assert second.returncode == 69
        assert f"another process trains here: {first.pid} on " in second.stderr
        assert "Traceback" not in second.stderr
        now = status_of(project)
        same = ("pid", "pid_started", "since", "attempts", "state", "error")
        assert [now.get(key) for key in same] == [before.get(key) for key in same]
        assert (project / "train.log").resolve() == project / "train.1.log"
        assert not (project / "train.2.log").exists()
        assert first.poll() is None
        # Killed without a word it leaves no lock, though its loader's workers outlive it.
        wait_for_iteration(project, 60, first)
    finally:
        first.kill()
    first.wait()
    third = attempt(project, "--minutes=0.34")
    assert third.returncode == 75, third.stderr
    assert "resumes at iteration" in third.stdout
    (events,) = project.glob("results/*/r50/*/seed0/events.jsonl")
    steps = [json.loads(line)["step"] for line in events.read_text().splitlines()]
    assert steps == sorted(set(steps))
    assert status_of(project)["attempts"] == 2


LENGTH = {"train_cfg": {"type": "IterBasedTrainLoop", "max_iters": 30, "val_interval": 1000}}


def interleave(job):
    """Write what a second training would have left among the events of the first."""
    lines = job.folder.events.read_text().splitlines()
    job.folder.events.write_text("".join(f"{line}\n" for line in [*lines, lines[0]]))


def test_a_training_does_not_go_on_where_two_have_written(smoke_grid, tmp_path):
    job = job_with(smoke_grid, tmp_path, LENGTH, "r50")
    with pytest.raises(InterruptedTrainingError):
        train(job, [], silent, After(20))
    interleave(job)
    left = {path: path.read_bytes() for path in job.folder.path.rglob("*") if path.is_file()}
    with pytest.raises(
        DisorderedEventsError,
        match=r"events\.jsonl:3: step 10 follows 20: two trainings .*Delete the folder .*seed0 to",
    ):
        train(job, [], silent)
    assert {p: p.read_bytes() for p in job.folder.path.rglob("*") if p.is_file()} == left
    # Without checkpoints nothing of unknown origin is gone on with.
    for path in checkpoints(job.folder.work):
        path.unlink()
    train(job, [], silent)
    assert read_json(job.folder.train)["iterations"] == 30


def test_a_last_line_that_a_kill_cut_is_no_disorder(smoke_grid, tmp_path):
    job = job_with(smoke_grid, tmp_path, LENGTH, "r50")
    with pytest.raises(InterruptedTrainingError):
        train(job, [], silent, After(20))
    with job.folder.events.open("a") as log:
        log.write('{"step": 3')
    train(job, [], silent)
    assert read_json(job.folder.train)["attempts"] == 2


def test_a_signal_while_it_waits_for_the_lock_ends_a_training(folder, holder):
    code = HOLDS.replace("with alone_in", "print('waits', flush=True)\nwith alone_in")
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder.path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "waits\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == -signal.SIGTERM

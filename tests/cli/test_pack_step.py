"""How a training that shares a job is tried and taken over; a program stands for the training."""

import sys
from argparse import Namespace
from types import SimpleNamespace

import pytest

from tsd.cli import pack_step
from tsd.run_folder import RunFolder, read_json, write_json

TRAINS = """
import json, os, sys
from pathlib import Path
folder, state, permanent, signal = sys.argv[1:5]
status = {"state": state, "error": "a reason", "permanent": permanent == "yes"}
Path(folder, "status.json").write_text(json.dumps(status))
Path(folder, "options.json").write_text(json.dumps(sys.argv[5:]))
if state == "done":
    for name in ("trained.json", "weights.pth"):
        Path(folder, name).write_text("{}")
    sys.exit(0)
if signal == "yes":
    os.kill(os.getpid(), 9)
sys.exit(75 if state == "interrupted" else 1)
"""


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """Tries a training that ends in a certain way; its exit status, None if that is success."""
    folder = RunFolder(tmp_path)
    program = tmp_path / "trains.py"
    program.write_text(TRAINS)
    resources = SimpleNamespace(gpus=0)
    job = SimpleNamespace(
        key="mini/r50/0/seed0",
        folder=folder,
        results="results",
        command_line_options=[],
        scale=SimpleNamespace(resources=resources),
    )
    monkeypatch.setattr(pack_step, "job_of", lambda options: job)
    monkeypatch.setattr(pack_step, "visible_devices", lambda announce: [])
    started = pack_step.subprocess.Popen
    outcome = tmp_path / "attempt.json"

    def attempt(state, permanent=False, attempt=1, killed=False, minutes=60):
        words = [state, "yes" if permanent else "no", "yes" if killed else "no"]
        monkeypatch.setattr(
            pack_step.subprocess,
            "Popen",
            lambda command: started(
                [sys.executable, str(program), str(tmp_path), *words, *command]
            ),
        )
        options = Namespace(
            out=outcome, attempt=attempt, attempts=4, threads=1, minutes=minutes, log=None
        )
        handlers = {n: pack_step.signal.getsignal(n) for n in (*pack_step.PASSED_ON, 2)}
        try:
            pack_step.attempt(options)
        except SystemExit as end:
            return end.code
        finally:
            for number, handler in handlers.items():
                pack_step.signal.signal(number, handler)
        return None

    def take_over():
        pack_step.take_over(Namespace(outcome=outcome))

    return SimpleNamespace(attempt=attempt, take_over=take_over, outcome=outcome, folder=folder)


def test_a_training_that_ends_is_taken_over(packed):
    assert packed.attempt("done") is None
    assert read_json(packed.outcome) == {"trained": True, "status": 0}
    packed.take_over()
    assert packed.folder.train.is_file()
    assert not packed.outcome.exists()


def test_one_that_fails_for_good_fails_no_group_but_its_own_step(packed):
    assert packed.attempt("failed", permanent=True) is None
    with pytest.raises(SystemExit, match="mini/r50/0/seed0: failed: a reason"):
        packed.take_over()
    assert not packed.outcome.exists()  # so that the next call tries it again
    assert not packed.folder.train.exists()


@pytest.mark.parametrize(
    ("state", "killed", "status"),
    [("interrupted", False, 75), ("failed", False, 1), ("running", True, -9)],
)
def test_one_that_another_attempt_may_help_has_the_job_tried_again_but_for_the_last_time(
    packed, state, killed, status
):
    assert packed.attempt(state, killed=killed) == status
    assert not packed.outcome.exists()
    assert packed.attempt(state, attempt=4, killed=killed) is None
    assert read_json(packed.outcome) == {"trained": False, "status": status}
    with pytest.raises(SystemExit, match=f"seed0: {state}: a reason"):
        packed.take_over()


def test_the_training_knows_how_long_the_job_has(packed):
    packed.attempt("done", minutes=60)
    (minutes,) = (
        float(word.removeprefix("--minutes="))
        for word in read_json(packed.folder.path / "options.json")
        if word.startswith("--minutes=")
    )
    assert 59 < minutes <= 60
    packed.attempt("done", minutes=0)
    assert "--minutes=0" in read_json(packed.folder.path / "options.json")


def test_the_training_has_the_folder_of_results_of_the_job(packed):
    packed.attempt("done")
    assert "--results=results" in read_json(packed.folder.path / "options.json")


def test_weights_that_are_not_there_are_no_training(packed):
    write_json(packed.outcome, {"trained": True})
    with pytest.raises(SystemExit, match="not trained: it ended without a word"):
        packed.take_over()

"""A training that has ended is recorded once, whoever trains it again."""

import subprocess

import pytest

from tsd.liveness import this_process
from tsd.results.records import TrainRecord
from tsd.run_folder import read_json, update_status, write_json
from tsd.training.checkpoint_hook import checkpoints
from tsd.training.event_log import EventLogHook
from tsd.training.finished import finished_training, sha256
from tsd.training.train import train


def silent(_line):
    pass


@pytest.fixture
def job(smoke_grid):
    """A job that has been trained and evaluated."""
    job = smoke_grid.job("r50", 0)
    train(job, [], silent)
    for outcome in (job.folder.detect, job.folder.metrics, job.folder.tracking):
        write_json(outcome, {"kept": True})
    return job


@pytest.fixture
def later(monkeypatch):
    """Has whatever is written from now on be of another commit; counts the iterations made."""
    made = []
    monkeypatch.setattr("tsd.provenance.commit", lambda: ("f" * 40, False))
    after = EventLogHook.after_train_iter
    monkeypatch.setattr(
        EventLogHook,
        "after_train_iter",
        lambda self, *args, **kwargs: (made.append(1), after(self, *args, **kwargs)),
    )
    return made


def content(job):
    """What a run's folder holds: path → bytes."""
    files = (path for path in job.folder.path.rglob("*") if path.is_file())
    return {str(path.relative_to(job.folder.path)): path.read_bytes() for path in files}


def test_the_record_is_written_twice_with_the_sum_of_the_weights(job):
    record = TrainRecord.read(job.folder.trained)
    assert record == TrainRecord.read(job.folder.train)
    assert record.weights_sha256 == sha256(job.folder.weights)
    assert finished_training(job) == record
    assert job.folder.is_trained


def test_training_it_again_changes_nothing_and_says_so(job, later):
    before = content(job)
    said = []
    train(job, [], said.append)
    assert content(job) == before
    assert later == []
    assert len(said) == 1
    assert "nothing to train" in said[0]
    assert str(job.folder.train) in said[0]


@pytest.mark.parametrize("lost", ["train", "trained"])
def test_a_record_that_was_deleted_is_copied_from_the_other(job, later, lost):
    before = content(job)
    getattr(job.folder, lost).unlink()
    train(job, [], silent)
    assert content(job) == before
    assert later == []


def test_a_process_that_was_killed_at_the_very_end_is_completed(job, later):
    with subprocess.Popen(["true"]) as ended:
        pass
    update_status(job.folder, state="running", **{**this_process(), "pid": ended.pid})
    train(job, [], silent)
    assert read_json(job.folder.status)["state"] == "done"
    assert later == []
    update_status(job.folder, state="failed", error="of a later step")
    train(job, [], silent)
    assert read_json(job.folder.status)["state"] == "failed"


@pytest.mark.parametrize("damage", ["missing", "other"])
def test_lost_weights_come_back_from_the_last_checkpoint_with_the_same_record(job, later, damage):
    record, weights = job.folder.trained.read_bytes(), job.folder.weights.read_bytes()
    assert len(checkpoints(job.folder.work)) == 1
    if damage == "missing":
        job.folder.weights.unlink()
    else:
        job.folder.weights.write_bytes(weights[:-1] + b"?")
    said = []
    train(job, [], said.append)
    assert any(f"{job.folder.weights} is " in line for line in said)
    assert job.folder.weights.read_bytes() == weights
    assert job.folder.train.read_bytes() == job.folder.trained.read_bytes() == record
    assert later == []
    assert not job.folder.metrics.exists()  # they may be of the damaged weights


def test_without_weights_and_checkpoints_it_is_trained_anew(job, later):
    job.folder.weights.write_bytes(b"")
    for path in checkpoints(job.folder.work):
        path.unlink()
    train(job, [], silent)
    assert len(later) == 4
    record = TrainRecord.read(job.folder.trained)
    assert record.weights_sha256 == sha256(job.folder.weights)
    assert record.commit == "f" * 40


@pytest.mark.parametrize("change", [{"digest": "0123456789"}, {"seed": 1}, {"iterations": None}])
def test_a_record_of_another_training_or_none_at_all_is_not_believed(job, change):
    for path in (job.folder.trained, job.folder.train):
        write_json(path, {**read_json(path), **change})
    said = []
    assert finished_training(job, said.append) is None
    assert len(said) == (2 if "iterations" in change else 0)
    assert all("not believed" in line for line in said)


def test_a_record_from_before_sums_were_written_is_believed(job, later):
    for path in (job.folder.trained, job.folder.train):
        old = read_json(path)
        del old["weights_sha256"]
        write_json(path, old)
    job.folder.trained.unlink()
    before = job.folder.train.read_bytes()
    train(job, [], silent)
    assert job.folder.train.read_bytes() == job.folder.trained.read_bytes() == before
    assert later == []

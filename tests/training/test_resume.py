"""What is interrupted goes on as if nothing had happened."""

import contextlib
import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from mlflow import MlflowClient

from tests.projects import ended_with_its_group
from tsd.experiments.scale_schema import SettingsForBases
from tsd.run_folder import read_json
from tsd.tracking.store import prepare_store
from tsd.training import checkpoint_hook, interruption
from tsd.training.checkpoint_hook import checkpoints, newest_sound_checkpoint
from tsd.training.checkpoints import load_as_data
from tsd.training.course_measures import of_training_alone
from tsd.training.event_log import NonFiniteLossError
from tsd.training.failures import may_pass
from tsd.training.interruption import InterruptedTrainingError, Interruption
from tsd.training.train import train

FLIPS = {"train_dataloader.dataset.pipeline.RandomFlip.prob": 0.5}

BY_ITERATION = {"train_cfg": {"type": "IterBasedTrainLoop", "max_iters": 14, "val_interval": 1000}}

BY_EPOCH = {  # four iterations each
    "train_cfg": {"type": "EpochBasedTrainLoop", "max_epochs": 3, "val_interval": 1000},
    "train_dataloader.sampler": {"type": "DefaultSampler", "shuffle": True},
    "train_dataloader.batch_sampler": {"type": "AspectRatioBatchSampler"},
    "train_dataloader.batch_size": 2,
    "param_scheduler": [
        {
            "type": "LinearLR",
            "start_factor": 0.1,
            "by_epoch": True,
            "begin": 0,
            "end": 1,
            "convert_to_iter_based": True,
        },
        {"type": "MultiStepLR", "by_epoch": True, "milestones": [1, 2], "gamma": 0.1},
    ],
}


class After:
    """Interrupts after a number of iterations."""

    def __init__(self, iterations):
        self._left = iterations

    @property
    def reason(self):
        self._left -= 1
        return "asked for" if self._left == 0 else None


def silent(_line):
    pass


def job_with(grid, results, settings, run="tsd_pc"):
    changed = {**grid.scale.set, **settings}
    bases = [*grid.scale.bases, SettingsForBases(match="tsd_faster-rcnn_r50_fpn", set=FLIPS)]
    scale = grid.scale.model_copy(update={"set": changed, "bases": bases})
    return replace(grid, scale=scale, results=results).job(run, 0)


def weights(job):
    return load_as_data(str(job.folder.weights))["state_dict"]


def measurements(job):
    """The events of a training, less what depends on the machine and on who else uses it."""
    events = map(json.loads, job.folder.events.read_text().splitlines())
    return [(event["step"], of_training_alone(event["metrics"])) for event in events]


def assert_same(job, other):
    expected, found = weights(job), weights(other)
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        assert torch.equal(tensor, found[name]), name
    assert measurements(job) == measurements(other)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("settings", [BY_ITERATION, BY_EPOCH], ids=["iterations", "epochs"])
def test_interrupted_wherever_it_may_be_the_outcome_is_the_same_to_the_bit(
    smoke_grid, tmp_path, settings, workers
):
    straight = job_with(smoke_grid, tmp_path / "straight", settings)
    train(straight, [], silent)
    settings = settings | {"train_dataloader.num_workers": workers}
    other = job_with(smoke_grid, tmp_path / "interrupted", settings)
    assert other.digest == straight.digest
    chance = random.Random(f"{settings}")
    ends_epoch = 4
    for iterations in (ends_epoch, chance.randint(1, 3), chance.randint(1, 3)):
        with pytest.raises(InterruptedTrainingError, match="asked for; saved at iteration"):
            train(other, [], silent, After(iterations))
    train(other, [], silent)
    assert read_json(other.folder.train)["attempts"] == 4
    assert_same(straight, other)


def test_a_damaged_newest_checkpoint_is_passed_over(smoke_grid, tmp_path):
    settings = {"train_cfg": {**BY_ITERATION["train_cfg"], "max_iters": 23}}
    straight = job_with(smoke_grid, tmp_path / "straight", settings, "r50")
    train(straight, [], silent)
    job = job_with(smoke_grid, tmp_path / "damaged", settings, "r50")
    with pytest.raises(InterruptedTrainingError):
        train(job, [], silent, After(12))
    older, newest = checkpoints(job.folder.work)
    assert (older.name, newest.name) == ("iter_10.pth", "iter_12.pth")
    with newest.open("r+b") as file:
        file.truncate(newest.stat().st_size // 2)
    (job.folder.work / ".iter_13.pth").write_bytes(b"half")
    said = []
    train(job, [], said.append)
    assert said[:2] == [
        "iter_12.pth is damaged; the one before it is taken",
        "resumes at iteration 10 of 23",
    ]
    assert_same(straight, job)
    assert [path.name for path in checkpoints(job.folder.work)] == ["iter_23.pth"]
    assert not list(job.folder.work.glob(".iter_*"))


def test_a_checkpoint_with_a_flipped_bit_is_damaged(tmp_path):
    for iteration in (10, 20):
        torch.save({"weights": torch.ones(1000)}, tmp_path / f"iter_{iteration}.pth")
    path = tmp_path / "iter_20.pth"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert newest_sound_checkpoint(tmp_path, silent) == tmp_path / "iter_10.pth"


def test_with_only_damaged_checkpoints_training_starts_over(tmp_path):
    (tmp_path / "iter_10.pth").write_bytes(b"")
    assert newest_sound_checkpoint(tmp_path, silent) is None


def test_a_full_disk_costs_a_checkpoint_and_nothing_else(smoke_grid, tmp_path, monkeypatch):
    settings = {"train_cfg": {**BY_ITERATION["train_cfg"], "max_iters": 25}}
    straight = job_with(smoke_grid, tmp_path / "straight", settings, "r50")
    train(straight, [], silent)

    def full(partial, path):
        if path.name == "iter_20.pth":
            raise OSError(errno.ENOSPC, "No space left on device")
        partial.replace(path)

    monkeypatch.setattr(checkpoint_hook, "replace_durably", full)
    job = job_with(smoke_grid, tmp_path / "full", settings, "r50")
    said = []
    with pytest.raises(InterruptedTrainingError):
        train(job, [], said.append, After(20))
    assert any("no checkpoint at iteration 20" in line and "No space" in line for line in said)
    assert [path.name for path in checkpoints(job.folder.work)] == ["iter_10.pth"]
    assert not list(job.folder.work.glob(".iter_*"))
    train(job, [], said.append)
    assert "resumes at iteration 10 of 25" in said
    assert_same(straight, job)


def test_as_many_checkpoints_as_promised_are_kept(smoke_grid, tmp_path):
    settings = {"train_cfg": {**BY_ITERATION["train_cfg"], "max_iters": 45}}
    job = job_with(smoke_grid, tmp_path, settings, "r50")
    with pytest.raises(InterruptedTrainingError):
        train(job, [], silent, After(42))
    assert [path.name for path in checkpoints(job.folder.work)] == ["iter_40.pth", "iter_42.pth"]


def test_no_checkpoint_follows_a_loss_that_is_not_finite(smoke_grid, tmp_path):
    settings = {**BY_ITERATION, "optim_wrapper.optimizer.lr": 1e30}
    job = job_with(smoke_grid, tmp_path, settings, "r50")
    with pytest.raises(NonFiniteLossError, match=r"iteration 4: .*loss = (nan|inf)"):
        train(job, [], silent, After(4))
    assert not checkpoints(job.folder.work)


def test_time_that_is_nearly_over_interrupts(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(interruption.time, "monotonic", lambda: now[0])
    hour = Interruption(minutes=60)
    now[0] += 54 * 60
    assert hour.reason is None
    now[0] += 61
    assert hour.reason == "its 60 minutes are nearly over"
    assert Interruption().reason is None


def test_signals_interrupt_and_a_second_ctrl_c_does_what_it_always_did(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    with Interruption() as noticed:
        assert noticed.reason is None
        for number in (signal.SIGUSR1, signal.SIGINT):
            os.kill(os.getpid(), number)
            assert not noticed.by_scheduler
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
            assert noticed.reason == "signal SIGTERM"
            assert noticed.by_scheduler
    with Interruption() as noticed:
        os.kill(os.getpid(), signal.SIGINT)
        assert noticed.reason == "signal SIGINT"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (InterruptedTrainingError("signal SIGTERM"), True),
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.ESTALE, "Stale file handle"), True),
        (ConnectionResetError("by peer"), True),
        (torch.distributed.DistBackendError("NCCL"), True),
        (RuntimeError("DataLoader worker (pid 12) is killed by signal: Killed. "), True),
        (RuntimeError("Caught RuntimeError in DataLoader worker process 0."), False),
        (NonFiniteLossError("iteration 10: loss = nan"), False),
        (torch.OutOfMemoryError("CUDA out of memory"), False),
        (FileNotFoundError("no image"), False),
        (PermissionError("not yours"), False),
        (ValueError("a setting"), False),
        (KeyError("bbox"), False),
    ],
)
def test_what_another_attempt_may_cure(error, passes):
    assert may_pass(error) is passes


@pytest.fixture
def project(tmp_path, tiny_data):
    """A folder to call ``python -m tsd`` in, with a scale of 400 iterations."""
    dataset = yaml.safe_load(Path("experiments/datasets/embedded-tiny.yaml").read_text())
    (tmp_path / "data.yaml").write_text(
        yaml.safe_dump({**dataset, "id": "tiny", "root": str(tiny_data), "embedded": None})
    )
    (tmp_path / "long.yaml").write_text(
        yaml.safe_dump(
            {
                "id": "long",
                "extends": "smoke",
                "title": "long enough to interrupt",
                "note": "for a test",
                "dataset": "embedded-tiny",
                "set": {
                    "train_cfg": {**BY_ITERATION["train_cfg"], "max_iters": 400},
                    "train_dataloader.num_workers": 2,
                    "train_dataloader.persistent_workers": True,
                },
            }
        )
    )
    prepare_store(f"sqlite:///{tmp_path}/mlflow.db", ["tsd-long-tiny"])
    return tmp_path


def tsd_command(project, *options):
    return [
        *(sys.executable, "-m", "tsd", "train", f"--experiments={Path.cwd()}/experiments"),
        *("--scale=long.yaml", "--dataset=data.yaml", "--run=r50", "--seed=0", "--threads=1"),
        *("--log=train.log", *options),
    ]


def environment():
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_TRACKING", "SLURM_"))}
    return {**kept, "PYTHONPATH": str(Path.cwd())}


def attempt(project, *options):
    """Train until it ends by itself."""
    return subprocess.run(
        tsd_command(project, *options),
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )


def status_of(project):
    found = list(project.glob("results/*/r50/*/seed0/status.json"))
    return read_json(found[0]) if found else {}


def wait_for_iteration(project, iteration, process):
    deadline = time.time() + 300
    while status_of(project).get("iteration", 0) < iteration:
        assert process.poll() is None, (project / "train.log").read_text()
        assert time.time() < deadline, "does not get on"
        time.sleep(0.2)


@contextlib.contextmanager
def in_background(project):
    """A training that is not waited for; whatever becomes of the test, it does not outlive it."""
    process = subprocess.Popen(
        tsd_command(project),
        cwd=project,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with ended_with_its_group(process):
        yield process


def test_a_signal_to_all_saves_and_the_next_attempt_goes_on_in_the_same_mlflow_run(project):
    with in_background(project) as process:
        wait_for_iteration(project, 20, process)
        os.killpg(process.pid, signal.SIGTERM)  # the loader's workers too, as a scheduler does
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 75
    assert "interrupted: signal SIGTERM; saved at iteration" in said
    status = status_of(project)
    assert status["state"] == "interrupted"
    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("tsd-long-tiny")
    (tracked,) = client.search_runs([experiment.experiment_id])
    assert tracked.info.status == "KILLED"

    again = attempt(project, "--minutes=0.34")
    assert again.returncode == 75
    assert "resumes at iteration" in again.stdout
    assert "minutes are nearly over; saved at iteration" in again.stdout
    (tracked,) = client.search_runs([experiment.experiment_id])
    assert tracked.info.status == "KILLED"
    assert status_of(project)["attempts"] == 2
    logs = [project / f"train.{attempt}.log" for attempt in (1, 2)]
    assert (project / "train.log").resolve() == logs[1]
    for log in logs:
        assert log.read_text().startswith("== ")
        assert "InterruptedTrainingError: " in log.read_text()


def test_what_would_fail_again_is_not_tried_again(project):
    scale = yaml.safe_load((project / "long.yaml").read_text())
    scale["set"]["optim_wrapper.optimizer.lr"] = 1e30
    (project / "long.yaml").write_text(yaml.safe_dump(scale))
    first = attempt(project)
    assert first.returncode == 1
    assert "failed: NonFiniteLossError: iteration 10: " in first.stdout
    assert status_of(project)["permanent"] is True
    (project / "train.log").unlink()  # as Snakemake does
    second = attempt(project, "--attempt=2")
    assert second.returncode == 1
    assert "not tried again, it would fail again: NonFiniteLossError" in second.stderr
    assert (project / "train.log").resolve() == project / "train.1.log"
    assert status_of(project)["attempts"] == 1
    third = attempt(project)
    assert "failed: NonFiniteLossError" in third.stdout
    assert status_of(project)["attempts"] == 2

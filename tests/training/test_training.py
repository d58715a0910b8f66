"""Training, interruption, failure and inference of one job, through the files it leaves."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch

from tsd.experiments.card import card_of, places_of
from tsd.reporting.collect import collect_job
from tsd.results.collected import State
from tsd.run_folder import read_json
from tsd.training.checkpoint_hook import checkpoints
from tsd.training.checkpoints import load_as_data
from tsd.training.detect import detect
from tsd.training.event_log import EventLogHook, NonFiniteLossError
from tsd.training.train import train

RUN = "tsd_pc"


def silent(_line):
    pass


def events(folder):
    return [json.loads(line) for line in folder.events.read_text().splitlines()]


def with_settings(grid, **settings):
    changed = {**grid.scale.set, **{k.replace("__", "."): v for k, v in settings.items()}}
    return replace(grid, scale=grid.scale.model_copy(update={"set": changed}))


def test_train_then_detect(smoke_grid):
    job = smoke_grid.job(RUN, 0)
    said = []
    places = places_of(RUN, smoke_grid.experiments)
    train(job, places, said.append)
    summary = read_json(job.folder.train)
    assert summary["iterations"] == 4
    assert summary["attempts"] == 1
    assert summary["digest"] == job.digest
    card = read_json(job.folder.card)
    assert card["key"] == job.key
    declared = card_of(job, places)
    assert card["params"] == declared["params"]
    assert card["tags"].items() >= declared["tags"].items()
    assert len(card["tags"]["git_commit"]) == 40 == len(card["tags"]["mlflow.source.git.commit"])
    assert card["tags"]["mlflow.source.name"].startswith("python -m tsd train ")
    (event,) = events(job.folder)
    assert event["step"] == 4
    assert {"loss", "loss_tsd_cls", "loss_pc_loc", "lr"} <= set(event["metrics"])
    course = {"grad_norm", "images_per_second", "memory_mib", "system/cpu_utilization_percentage"}
    assert all(event["metrics"][name] > 0 for name in course)
    assert read_json(job.folder.status)["state"] == "done"

    detect(job, silent)
    detections = read_json(job.folder.detections)
    assert read_json(job.folder.detect)["images"] == 4
    assert {d["image_id"] for d in detections} <= {1, 2, 3, 4}
    assert {d["category_id"] for d in detections} <= set(range(1, 11))


def test_the_same_seed_gives_the_same_weights_and_another_seed_does_not(smoke_grid, tmp_path):
    weights = []
    for attempt, seed in ((1, 0), (2, 0), (3, 1)):
        job = replace(smoke_grid.job("r50", seed), results=tmp_path / str(attempt))
        train(job, [], silent)
        weights.append(
            load_as_data(str(job.folder.weights))["state_dict"]["roi_head.bbox_head.fc_cls.weight"]
        )
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


KILLED = """
import sys
from pathlib import Path
from tests.training.test_training import silent, with_settings
from tsd.experiments.settings import open_grid
from dataclasses import replace
from tsd.training.train import train
grid = open_grid({"scale": "smoke"}, Path(sys.argv[1]))
grid = replace(grid, dataset=grid.dataset.model_copy(update={"root": sys.argv[2]}))
settings = {"train_cfg__max_iters": 300, "auto_scale_lr__enable": sys.argv[3] == "True"}
train(with_settings(grid, **settings).job("r50", 0), [], silent)
"""

BEFORE_TRAIN = EventLogHook.before_train


@pytest.mark.parametrize("auto_scale_lr", [False, True])
def test_a_killed_training_resumes_where_it_was(smoke_grid, tiny_data, monkeypatch, auto_scale_lr):
    smoke_grid = with_settings(smoke_grid, auto_scale_lr__enable=auto_scale_lr)
    job = with_settings(smoke_grid, train_cfg__max_iters=300).job("r50", 0)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(job.results), str(tiny_data), str(auto_scale_lr)]
    )
    deadline = time.time() + 300
    while not checkpoints(job.folder.work):
        assert process.poll() is None, "ended before it was killed"
        assert time.time() < deadline, "no checkpoint"
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert collect_job(job).state is State.INTERRUPTED
    with job.folder.events.open("a") as log:
        log.write('{"step": 299, "time": 0, "metrics": {"loss": 1.0}}\n{"step": 30')

    # Resumed in another place, as after a move, and with the end brought near.
    saved = load_as_data(str(checkpoints(job.folder.work)[-1]))
    resumed_at = saved["meta"]["iter"]
    near = with_settings(smoke_grid, train_cfg__max_iters=resumed_at + 7).job("r50", 0)
    near.folder.path.parent.mkdir(parents=True)
    job.folder.path.rename(near.folder.path)
    said = []
    started_with = {}

    def note_weights(self, runner):
        started_with.update({k: v.clone() for k, v in runner.model.state_dict().items()})
        BEFORE_TRAIN(self, runner)

    monkeypatch.setattr(EventLogHook, "before_train", note_weights)
    train(near, [], said.append)
    assert said[0] == f"resumes at iteration {resumed_at} of {resumed_at + 7}"
    for name, tensor in saved["state_dict"].items():
        assert torch.equal(started_with[name], tensor), name
    summary = read_json(near.folder.train)
    assert summary["iterations"] == resumed_at + 7
    assert summary["attempts"] == 2
    steps = [event["step"] for event in events(near.folder)]
    assert steps == sorted(set(steps))
    assert steps[-1] == resumed_at + 7
    assert len(checkpoints(near.folder.work)) == 1


def test_a_loss_that_is_not_finite_stops_the_training_and_is_named(smoke_grid):
    grid = with_settings(smoke_grid, optim_wrapper__optimizer__lr=1e30, train_cfg__max_iters=40)
    with pytest.raises(NonFiniteLossError, match=r"iteration \d+: .*loss.* = (nan|inf)"):
        train(grid.job("r50", 0), [], silent)


def test_checkpoints_are_read_as_data(tmp_path):
    class Malicious:
        def __reduce__(self):
            return (print, ("executed",))

    torch.save({"state_dict": {}, "extra": Malicious()}, tmp_path / "bad.pth")
    with pytest.raises(Exception, match=r"(?i)weights.only|unsupported"):
        load_as_data(str(tmp_path / "bad.pth"))
    with pytest.raises(FileNotFoundError, match=r"no checkpoint at .*missing\.pth"):
        load_as_data(str(tmp_path / "missing.pth"))

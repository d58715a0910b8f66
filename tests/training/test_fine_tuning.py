"""Training goes on from the authors' weights, on other data with other classes."""

from dataclasses import replace

import pytest
import torch
import yaml

from tests.training.released_scale import SCALE
from tests.training.released_state import SMALL, released_state
from tsd.experiments.schema import Run
from tsd.experiments.settings import open_grid
from tsd.training.released_checkpoint import convert_checkpoint
from tsd.training.train import train

NETWORK = {key: value for key, value in SCALE["set"].items() if key.startswith("model.")}


@pytest.fixture
def job(tiny_data, tmp_path):
    """A run as docs/authors-weights.md declares it, on ten classes, which it hardly moves from."""
    released, ours = tmp_path / "released.pth", tmp_path / "ours.pth"
    torch.save({"state_dict": released_state()}, released)
    convert_checkpoint(released, ours)
    scale = {
        "id": "fine-tuning",
        "title": "one iteration",
        "note": "A test.",
        "dataset": "embedded-tiny",
        "extends": "smoke",
        "set": {
            "train_cfg": {"type": "IterBasedTrainLoop", "max_iters": 1, "val_interval": 9},
            "optim_wrapper.optimizer.lr": 1e-30,
        },
        "bases": [{"match": "released_tsd_faster*", "set": NETWORK}, *SCALE["bases"]],
    }
    path = tmp_path / "fine-tuning.yaml"
    path.write_text(yaml.safe_dump(scale))
    grid = open_grid({"scale": str(path)}, tmp_path / "results")
    dataset = grid.dataset.model_copy(update={"root": str(tiny_data)})
    run = Run(
        id="mine",
        base="released_tsd_faster-rcnn_r50_fpn",
        why="How far do the authors' weights go on my data?",
        set={"load_from": str(ours)},
    )
    experiments = replace(grid.experiments, runs={**grid.experiments.runs, "mine": run})
    return replace(grid, dataset=dataset, experiments=experiments).job("mine", 0)


def test_all_but_the_layers_of_the_classes_is_taken_over(job, capfd):
    train(job, [], print)
    said = capfd.readouterr().out
    weights = torch.load(job.folder.weights, weights_only=True)["state_dict"]
    loaded = torch.load(job.config.load_from, weights_only=True)["state_dict"]
    assert weights.keys() == loaded.keys()
    dropped = {name for name in weights if weights[name].shape != loaded[name].shape}
    assert dropped == {
        f"roi_head.{head}.{layer}.{part}"
        for head in ("bbox_head", "sibling_head")
        for layer in ("fc_cls", "fc_reg")
        for part in ("weight", "bias")
    }
    assert len(weights["roi_head.bbox_head.fc_cls.bias"]) == 11 != SMALL["classes"] + 1
    for name in weights.keys() - dropped:
        moved = (weights[name].cpu() - loaded[name]).abs().max()
        assert moved < 1e-20, name
    for name in dropped:
        assert f"size mismatch for {name}" in said
    assert said.count("size mismatch for") == len(dropped)


def test_a_file_that_is_missing_ends_the_training(job):
    run = job.run.model_copy(update={"set": {"load_from": "nowhere.pth"}})
    with pytest.raises(FileNotFoundError, match=r"no checkpoint at nowhere\.pth"):
        train(replace(job, run=run, shared=None), [], print)

"""What an interruption leaves equal where sums have no fixed order, as on a GPU.

A GPU adds the gradients of a cell in any order, so that no two trainings have the same last bits
there. What is left of "as if nothing had happened" is tested here: a resumed training sees the same
images in the same order and the same augmentation, with the same learning rates, and its weights
stay much closer to those of an undisturbed one than other images would bring them. Where PyTorch is
told to be deterministic, the bits are the same again.

Without a GPU, noise is added to the gradients of the pooling.
"""

import hashlib
import json

import pytest
import torch
from mmdet.models import DetDataPreprocessor

from tests.training.test_resume import (
    BY_ITERATION,
    FLIPS,
    After,
    assert_same,
    job_with,
    silent,
    weights,
)
from tsd.models import weighted_cells
from tsd.training.interruption import InterruptedTrainingError
from tsd.training.train import train

ROUNDING = 1e-6
"""By how much of itself a gradient differs between two orders of its sums, in float32."""

NEAR = 0.3
"""Distance of the weights as a part of what other images bring. With rounding alone it was 0.15;
with an optimizer that has forgotten its state, 0.54."""


@pytest.fixture
def noise(monkeypatch):
    """Gradients of the pooling differ in their last bits from call to call, as on a GPU."""
    if torch.cuda.is_available():
        return  # which has noise of its own
    exact = weighted_cells._gradient_of_features
    chance = torch.Generator().manual_seed(0)

    def rounded(*inputs):
        return [
            gradient * (1 + ROUNDING * torch.randn(gradient.shape, generator=chance))
            for gradient in exact(*inputs)
        ]

    monkeypatch.setattr(weighted_cells, "_gradient_of_features", rounded)


@pytest.fixture
def batches(monkeypatch):
    """A hash of each batch that a network is given to learn from, in their order."""
    seen = []
    forward = DetDataPreprocessor.forward

    def recorded(self, data, training=False):
        if training:
            pixels = b"".join(image.numpy().tobytes() for image in data["inputs"])
            seen.append(hashlib.sha256(pixels).hexdigest())
        return forward(self, data, training)

    monkeypatch.setattr(DetDataPreprocessor, "forward", recorded)
    return seen


def distance(one, other):
    """Between the weights of two trainings, in the units of the weights."""
    pairs = [(w, other[name]) for name, w in one.items() if w.is_floating_point()]
    return torch.stack([(a - b).double().square().sum() for a, b in pairs]).sum().sqrt()


def learning_rates(job):
    events = map(json.loads, job.folder.events.read_text().splitlines())
    return [(event["step"], event["metrics"]["lr"]) for event in events]


def interrupted(grid, results, iterations):
    """A training that is interrupted so often, each time after so many iterations."""
    job = job_with(grid, results, BY_ITERATION)
    for count in iterations:
        with pytest.raises(InterruptedTrainingError):
            train(job, [], silent, After(count))
    train(job, [], silent)
    return job


def test_images_and_learning_rates_are_the_same_and_the_weights_are_near(
    smoke_grid, tmp_path, noise, batches, monkeypatch
):
    straight = job_with(smoke_grid, tmp_path / "straight", BY_ITERATION)
    train(straight, [], silent)
    expected = list(batches)
    assert len(set(expected)) == BY_ITERATION["train_cfg"]["max_iters"]
    batches.clear()
    resumed = interrupted(smoke_grid, tmp_path / "resumed", (5, 3))
    assert batches == expected
    assert learning_rates(resumed) == learning_rates(straight)

    batches.clear()
    monkeypatch.setitem(FLIPS, "train_dataloader.dataset.pipeline.RandomFlip.prob", 1.0)
    mirrored = job_with(smoke_grid, tmp_path / "mirrored", BY_ITERATION)
    train(mirrored, [], silent)
    assert len(set(batches) - set(expected)) > len(expected) / 2
    found = distance(weights(straight), weights(resumed))
    assert found < NEAR * distance(weights(straight), weights(mirrored))
    assert found > 0 or torch.cuda.is_available()  # else there was no noise


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_where_pytorch_is_deterministic_the_bits_are_the_same_on_a_gpu(smoke_grid, tmp_path):
    torch.use_deterministic_algorithms(True)
    try:
        straight = job_with(smoke_grid, tmp_path / "straight", BY_ITERATION)
        train(straight, [], silent)
        assert_same(straight, interrupted(smoke_grid, tmp_path / "resumed", (5, 3)))
    finally:
        torch.use_deterministic_algorithms(False)

"""What an event says besides losses, and that measuring it changes nothing."""

import math
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper
from torch import nn

from tsd.training.course_measures import CourseMeasures


def trained(clip_grad, measured=True):
    """A layer after three steps, what was measured after the last one, and its gradient there."""
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    wrapper = OptimWrapper(optimizer, clip_grad=clip_grad)
    config = SimpleNamespace(train_dataloader=ConfigDict(batch_size=4))
    runner = SimpleNamespace(iter=0, world_size=2, optim_wrapper=wrapper, cfg=config)
    measures = CourseMeasures(runner) if measured else None
    found = norm = None
    for step in (1, 2, 3):
        if measures:
            measures.expect(step == 3)
        loss = layer(torch.full((5, 3), 10.0 * step)).square().mean()
        gradients = torch.autograd.grad(loss, list(layer.parameters()), retain_graph=True)
        norm = math.sqrt(sum(float(one.square().sum()) for one in gradients))
        wrapper.update_params(loss)
        if measures and step == 3:
            found = measures.measure(3)
    return layer.state_dict(), found, norm


@pytest.mark.parametrize("clip_grad", [None, {"max_norm": 0.5}, {"type": "value", "clip_value": 9}])
def test_the_norm_is_that_of_the_gradients_before_they_are_clipped(clip_grad):
    _, found, norm = trained(dict(clip_grad) if clip_grad else None)
    by_value = clip_grad is not None and "clip_value" in clip_grad
    # Where single values are cut, mmengine computes no norm before.
    assert found["grad_norm"] == pytest.approx(norm, rel=1e-5) or (
        by_value and 0 < found["grad_norm"] < norm
    )
    assert found["grad_norm"] > 1


@pytest.mark.parametrize("clip_grad", [None, {"max_norm": 0.5}])
def test_measuring_changes_no_weight(clip_grad):
    measured, _, _ = trained(dict(clip_grad) if clip_grad else None)
    alone, found, _ = trained(dict(clip_grad) if clip_grad else None, measured=False)
    assert found is None
    assert all(torch.equal(measured[name], alone[name]) for name in alone)


def test_speed_and_load_are_told(monkeypatch):
    clock = iter([100.0, 104.0])
    monkeypatch.setattr("tsd.training.course_measures.time.perf_counter", lambda: next(clock))
    _, found, _ = trained(None)
    # Three iterations of two processes with four images each, in four seconds.
    assert found["images_per_second"] == 6
    assert 1 < found["memory_mib"] < 1e6
    assert 0 < found["system/system_memory_usage_percentage"] <= 100
    assert "system/cpu_utilization_percentage" in found

"""What a training step asks of a GPU is counted on a CPU, and stays below a bound."""

import pytest
import torch
from torch import nn

from tsd.bench.small_step import counts_of_step
from tsd.bench.step_counts import count_step


class Asks(nn.Module):
    """A network that does what it is told with its weights."""

    def __init__(self, does):
        super().__init__()
        self.weight = nn.Parameter(torch.arange(4.0))
        self.does = does


@pytest.mark.parametrize(
    ("does", "launches", "waits"),
    [
        (lambda w: w.view(2, 2), 0, 0),
        (lambda w: (w + 1).view(2, 2) * 2, 2, 0),
        (lambda w: w.sum().item(), 1, 1),
        (lambda w: w.tolist(), 0, 1),
        (lambda w: bool((w > 1).any()), 2, 1),
        (lambda w: w.nonzero(), 1, 1),
        (lambda w: w[w > 1], 2, 1),
        (lambda w: w[torch.tensor([1])], 1, 1),
        (lambda w: w.new_tensor([1.0]), 0, 1),
        (lambda w: torch.tensor([1.0], device=w.device) * 2, 1, 1),
        (lambda w: torch.arange(3, device=w.device) + 1, 2, 0),
        (lambda w: torch.arange(3) + 1, 0, 0),
        (lambda w: torch.ones(4).to(w.device) + 1, 1, 1),
        (lambda w: torch.ones(4).to(w.device, non_blocking=True) + 1, 1, 0),
        (lambda w: torch.ones(4).tolist(), 0, 0),
    ],
)
def test_what_counts(does, launches, waits):
    model = Asks(does)
    with torch.no_grad():
        counts = count_step(lambda: does(model.weight), model)
    assert sum(counts.launches.values()) == launches, counts
    assert sum(counts.waits.values()) == waits, counts


def test_the_backward_pass_counts():
    model = Asks(None)
    forward = count_step(lambda: (model.weight * 2).sum(), model)
    both = count_step(lambda: (model.weight * 2).sum().backward(), model)
    assert sum(both.launches.values()) > sum(forward.launches.values())


@pytest.mark.parametrize(("run", "launches", "waits"), [("tsd_pc", 1700, 32), ("r50", 1080, 20)])
def test_a_step_of_mini_starts_no_more_work_than_it_did(run, launches, waits):
    counts = counts_of_step(run)
    assert launches / 2 < sum(counts.launches.values()) <= launches, counts.launches.most_common(9)
    assert 0 < sum(counts.waits.values()) <= waits, counts.waits

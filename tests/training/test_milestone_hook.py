"""Weights that a training keeps on its way: those of this training, and no others."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tsd.experiments.milestones import iterations_of
from tsd.run_folder import RunFolder
from tsd.training import milestone_hook
from tsd.training.checkpoints import load_as_data
from tsd.training.milestone_hook import MilestoneHook


class Step(nn.Module):
    """A model whose only weight says after which iteration it was kept."""

    def __init__(self):
        super().__init__()
        self.done = nn.Parameter(torch.zeros(1))


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path)


def go(folder, milestones, start, stop, length, said=None):
    """Train from one iteration to another, in a training of some length."""
    runner = SimpleNamespace(iter=start, max_iters=length, model=Step())
    hook = MilestoneHook(folder, milestones, [].append if said is None else said.append)
    hook.before_train(runner)
    for runner.iter in range(start, stop):
        with torch.no_grad():
            runner.model.done.fill_(runner.iter + 1)
        hook.after_train_iter(runner, 0)


def kept(folder):
    """Iteration, as the file's name says it → iteration, as the weights tell it."""
    return {
        iteration: int(load_as_data(str(path))["state_dict"]["done"])
        for iteration, path in folder.weights_on_the_way().items()
    }


def test_weights_are_kept_after_the_declared_parts(folder):
    go(folder, (0.5, 0.25, 0.9), 0, 12, 12)
    assert kept(folder) == {3: 3, 6: 6, 11: 11}
    assert list(folder.weights_on_the_way()) == [3, 6, 11]


def test_a_training_that_goes_on_keeps_what_lies_behind_it_and_makes_the_rest_anew(folder):
    go(folder, (0.25, 0.5, 0.75), 0, 10, 12)
    old = folder.weights_at(3).stat().st_mtime_ns
    folder.weights_at(6).write_bytes(b"of an attempt that went further")
    go(folder, (0.25, 0.5, 0.75), 4, 5, 12)
    assert set(folder.weights_on_the_way()) == {3}, "nothing stands for what is still to come"
    go(folder, (0.25, 0.5, 0.75), 5, 12, 12)
    assert kept(folder) == {3: 3, 6: 6, 9: 9}
    assert folder.weights_at(3).stat().st_mtime_ns == old


def test_a_training_that_begins_anew_keeps_nothing_of_the_one_before(folder):
    go(folder, (0.25, 0.5), 0, 12, 12)
    go(folder, (), 0, 12, 12)
    assert kept(folder) == {}


def test_weights_that_cannot_be_written_are_told_and_end_nothing(folder, monkeypatch):
    def full(*_arguments):
        raise OSError("no space left")

    monkeypatch.setattr(milestone_hook, "write_weights", full)
    said = []
    go(folder, (0.5,), 0, 12, 12, said)
    assert said == ["no weights are kept at iteration 6: no space left"]
    assert folder.weights_on_the_way() == {}


def test_files_of_other_names_are_no_weights(folder):
    go(folder, (0.5,), 0, 12, 12)
    (folder.weights_at(6).parent / "weights_best.pth").touch()
    assert set(folder.weights_on_the_way()) == {6}


@given(
    st.lists(st.floats(0, 1, exclude_min=True, exclude_max=True), max_size=5), st.integers(1, 50)
)
def test_iterations_lie_within_the_training_and_each_is_there_once(parts, length):
    found = iterations_of(parts, length)
    assert found == sorted(set(found))
    assert all(0 < iteration < length for iteration in found)
    assert len(found) <= len(parts)

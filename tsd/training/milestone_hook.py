"""The weights of a training on its way, from which AP over the training is measured."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from tsd.run_folder import RunFolder, replace_durably


class MilestoneHook(Hook):
    """Keeps the weights after some parts of a training.

    Nothing of the training changes by it. If weights cannot be written, it goes on without them.

    Args:
        folder: The training's folder.
        milestones: Parts of the iterations, each between 0 and 1.
        announce: Called with lines that tell a waiting person what goes wrong.
    """

    priority = "LOWEST"

    def __init__(
        self, folder: RunFolder, milestones: Iterable[float], announce: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._milestones = tuple(milestones)
        self._announce = announce

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Write the weights if the training has come to a milestone."""
        step = runner.iter + 1
        if not is_main_process() or step not in iterations_of(self._milestones, runner.max_iters):
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        path = self._folder.weights_at(step)
        try:
            path.parent.mkdir(exist_ok=True)
            write_weights(model, path)
        except OSError as error:
            self._announce(f"no weights are kept at iteration {step}: {error}")


def iterations_of(milestones: Iterable[float], max_iterations: int) -> list[int]:
    """The iterations after which a training of some length keeps its weights, in order.

    Args:
        milestones: Parts of the iterations, each between 0 and 1.
        max_iterations: Length of the training.
    """
    found = {round(part * max_iterations) for part in milestones}
    return sorted(step for step in found if 0 < step < max_iterations)


def write_weights(model: nn.Module, path: Path) -> None:
    """Write a model's weights and nothing else, so that a crash leaves no half of them.

    Raises:
        OSError: They cannot be written; what was there stays.
    """
    partial = path.with_name(f".{path.name}")
    try:
        torch.save({"state_dict": model.state_dict()}, partial)
        replace_durably(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise

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

from tsd.experiments.milestones import iterations_of
from tsd.run_folder import RunFolder, replace_durably


class MilestoneHook(Hook):
    """Keeps the weights after some parts of a training.

    Nothing of the training changes by it. If weights cannot be written, it goes on without them.
    Weights of an earlier attempt that went further than this one begins are deleted: they would
    stand for this training, and it may come out otherwise.

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

    def before_train(self, runner: Runner) -> None:
        """Delete the weights of milestones that are still to come."""
        if is_main_process():
            for iteration, weights in self._folder.weights_on_the_way().items():
                if iteration > runner.iter:
                    weights.unlink(missing_ok=True)

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

"""How a training's losses come into mmengine's log without waiting for each of them."""

from typing import Any

import torch
from mmengine.hooks import RuntimeInfoHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor


@HOOKS.register_module()
class LossLogHook(RuntimeInfoHook):
    """``RuntimeInfoHook``, which reads the losses of a step at once.

    mmengine reads each of them by itself from where it was computed. On a GPU that is a wait for
    each, ten and more in a step.
    """

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Hand a step's losses to mmengine's message hub."""
        for name, value in as_numbers(outputs or {}).items():
            runner.message_hub.update_scalar(f"train/{name}", value)


def as_numbers(outputs: dict[str, Any]) -> dict[str, Any]:
    """What a step returned, its tensors of one element as numbers, which are read at once."""
    tensors = {
        name: value.detach().reshape(())
        for name, value in outputs.items()
        if isinstance(value, Tensor)
    }
    if not tensors:
        return outputs
    numbers = torch.stack([value.double() for value in tensors.values()]).tolist()
    return {**outputs, **dict(zip(tensors, numbers, strict=True))}

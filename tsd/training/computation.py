"""How the numbers of a training are computed, where a scale asks for another way than the usual.

The compiled config has the key ``computation`` with what is asked for
(:class:`tsd.experiments.scale_schema.Computation`), and is without it where nothing is.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn

from tsd.experiments.reading import DeclarationError

COMPILED = ("backbone", "neck")
"""The parts of a detector that are compiled: their shapes follow from the image's alone."""


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Computes forward passes in bfloat16, wherever PyTorch's autocast finds that safe.

    Weights, gradients and the optimizer stay in float32. bfloat16 has the range of float32, so that
    losses are not scaled, as mmengine's ``AmpOptimWrapper`` scales them for float16. That one
    needs a GPU; this one works on a CPU too.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """What a forward pass of a training runs in.

        Args:
            model: The network.
        """
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, torch.bfloat16):
            yield


def require_possible(config: Config, origin: str) -> None:
    """Refuse what this machine cannot do, before anything trains.

    Args:
        config: The compiled config.
        origin: The file of the scale, for the message.

    Raises:
        DeclarationError: The GPU has no bfloat16, or the CPU's part cannot be compiled.
    """
    asked = config.get("computation", {})
    if (
        asked.get("precision") == "bfloat16"
        and torch.cuda.is_available()
        and not torch.cuda.is_bf16_supported(including_emulation=False)
    ):
        raise DeclarationError(
            f"{origin}: key computation.precision: {torch.cuda.get_device_name()} does not compute "
            "in bfloat16, which GPUs do from NVIDIA's Ampere on; give float32"
        )
    compilers = [os.environ.get("CXX", ""), "c++", "g++", "clang++"]
    if (
        asked.get("compile")
        and not torch.cuda.is_available()
        and not any(map(shutil.which, compilers))
    ):
        raise DeclarationError(
            f"{origin}: key computation.compile: torch.compile needs a C++ compiler on a CPU, and "
            "there is none on the PATH; install g++, name one in CXX, or leave the key out"
        )


def prepare_for_computation(model: nn.Module, config: Config) -> None:
    """Bring a network, in place, into the order and form that its config asks for.

    Args:
        model: A detector that is about to be trained, on its device.
        config: The compiled config.
    """
    asked = config.get("computation", {})
    if asked.get("channels_last"):
        model.to(memory_format=torch.channels_last)
    if asked.get("compile"):
        for name in COMPILED:
            getattr(model, name).compile()

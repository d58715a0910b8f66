"""Saving and restoring the state of all random generators.

The states are made of tensors and numbers alone, because checkpoints are read as data and may hold
nothing else (:mod:`tsd.training.checkpoints`).
"""

import random
from typing import Any, cast

import numpy as np
import torch


def capture() -> dict[str, Any]:
    """Get the state of Python's, numpy's and torch's generators, and the current GPU's if any."""
    _, words, *rest = cast(tuple, np.random.get_state())
    return {
        "python": random.getstate(),
        "numpy": (torch.from_numpy(words.astype(np.int64)), *rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    }


def restore(state: dict[str, Any]) -> None:
    """Put the generators back into a captured state.

    Args:
        state: What :func:`capture` returned, perhaps on a machine that has a GPU where this one
            has none, or the other way round. The state of a GPU that is not there is left out.
    """
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    words, *rest = state["numpy"]
    np.random.set_state(("MT19937", words.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state["torch"].cpu().to(torch.uint8))
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu().to(torch.uint8))

"""Values that no training can have, whatever else its config says.

A batch of no images or a learning rate below zero fails only when a training uses it, hours after
it was asked for, and one that is no number trains to the end and measures nothing. So they are
refused as soon as somebody sets them. What a setting means follows from its name, wherever in a
config it stands.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tsd.experiments.reading import DeclarationError


@dataclass(frozen=True)
class ValueRange:
    """The numbers that a setting may have.

    Attributes:
        least: No number is smaller.
        most: No number is larger.
        beyond_least: Whether ``least`` itself is no valid number.
        is_whole: Whether the number counts something.
    """

    least: float
    most: float = math.inf
    beyond_least: bool = False
    is_whole: bool = False

    def has(self, number: float) -> bool:
        """Whether a number is one of them. Infinity never is."""
        above = number > self.least if self.beyond_least else number >= self.least
        is_whole = not self.is_whole or isinstance(number, int)
        return math.isfinite(number) and above and number <= self.most and is_whole

    def __str__(self) -> str:
        noun = "a whole number" if self.is_whole else "a number"
        least = f"above {self.least:g}" if self.beyond_least else f"of {self.least:g} or more"
        return f"{noun} {least}" + (f", up to {self.most:g}" if self.most < math.inf else "")


_COUNT = ValueRange(1, is_whole=True)
_COUNT_OR_NONE = ValueRange(0, is_whole=True)
_POSITIVE = ValueRange(0, beyond_least=True)
_NOT_NEGATIVE = ValueRange(0)
_PART = ValueRange(0, 1)
_FACTOR_OF_WARM_UP = ValueRange(0, 1, beyond_least=True)

RANGES = {
    "accumulative_counts": _COUNT,
    "base_batch_size": _COUNT,
    "batch_size": _COUNT,
    "crop_size": _POSITIVE,
    "decay_mult": _NOT_NEGATIVE,
    "end_factor": _PART,
    "eta_min": _NOT_NEGATIVE,
    "img_scale": _POSITIVE,
    "loss_weight": _NOT_NEGATIVE,
    "lr": _POSITIVE,
    "lr_mult": _NOT_NEGATIVE,
    "m_c": _PART,
    "m_r": _PART,
    "max_epochs": _COUNT,
    "max_iters": _COUNT,
    "max_norm": _POSITIVE,
    "min_size": _NOT_NEGATIVE,
    "momentum": _PART,
    "num_classes": _COUNT,
    "num_workers": _COUNT_OR_NONE,
    "pad_size_divisor": _COUNT,
    "pos_fraction": _PART,
    "prob": _PART,
    "score_thr": _PART,
    "scale": _POSITIVE,
    "scales": _POSITIVE,
    "size_divisor": _COUNT,
    "start_factor": _FACTOR_OF_WARM_UP,
    "strides": _POSITIVE,
    "val_interval": _COUNT,
    "weight_decay": _NOT_NEGATIVE,
}
"""Name of a setting → the numbers that it, or each number in the list that it is, may have."""


def require_in_range(value: Any, path: str, place: str) -> None:
    """Refuse a value that no training can have, at any depth.

    Args:
        value: A plain value, or nested mappings and lists of such.
        path: The dotted path of the setting that has it; empty for a whole config.
        place: What an error says before the path.

    Raises:
        DeclarationError: A number is none, or lies outside of what the name of its setting allows.
            Names the setting and the valid numbers.
    """
    for where, number in _numbers(value, path):
        name = next((part for part in reversed(where.split(".")) if not part.isdecimal()), "")
        valid = RANGES.get(name)
        if math.isnan(number):
            expected = str(valid or "a number")
        elif valid is not None and not valid.has(number):
            expected = str(valid)
        else:
            continue
        raise DeclarationError(f"{place}{where!r}: expected {expected}, found {number!r}")


def _numbers(value: Any, path: str) -> Iterator[tuple[str, float]]:
    """Every number in a value with its dotted path; entries of lists go by their position."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _numbers(inner, f"{path}.{index}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value

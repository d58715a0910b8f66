"""Trainings that are longer or shorter than those of another scale, and equal in all else.

A gain at a short training may be a gain in speed alone, which a longer one would lose. A scale
therefore has variants that differ in the key ``length`` only, and a figure shows gains over them.

All parts of a schedule are multiplied: the length of the training and, of each scheduler, where it
begins, where it ends and where it steps. At the same part of a training the learning rate is then
the same. The one exception is the warm-up, which keeps its number of iterations: it protects the
first updates, while activations and an optimizer's averages settle, and how many updates that
takes does not depend on how many follow. Mmdet's own schedules do likewise: those of 12, 20 and 24
epochs all warm up for 500 iterations.
"""

import contextlib
from collections.abc import Mapping
from typing import Any

from tsd.experiments.load import Experiments
from tsd.experiments.reading import DeclarationError
from tsd.experiments.scale_schema import Scale
from tsd.experiments.schedule import LENGTH_OF, warms_up

_COUNTS = {
    "Constant": ("begin", "end"),
    "CosineAnnealing": ("begin", "end", "T_max"),
    "Linear": ("begin", "end"),
    "MultiStep": ("begin", "end", "milestones"),
    "Poly": ("begin", "end"),
    "Step": ("begin", "end", "step_size"),
}
"""How the type of a scheduler begins → its settings that count epochs or iterations."""

_OF_A_VARIANT = {
    "comparable",
    "id",
    "length",
    "milestones",
    "note",
    "only",
    "resources",
    "seeds",
    "title",
}
"""Keys in which scales may differ that are variants of each other: none but the length changes what
is trained."""


def lengthen(content: dict[str, Any], length: float, place: str) -> None:
    """Multiply all parts of a schedule but the warm-up, in place.

    Args:
        content: A compiled config as nested dictionaries and lists.
        length: How many times as long the training is to be.
        place: Named in errors: the scale's file.

    Raises:
        DeclarationError: If a part of the schedule would not be a whole number, or it is not known
            which parts there are. Names the setting.
    """
    place = f"{place}: key length: {length:g}"
    loop = content["train_cfg"]
    kind = loop.get("type", "EpochBasedTrainLoop")
    if kind not in LENGTH_OF:
        raise DeclarationError(
            f"{place}: train_cfg.type = {kind!r}: it is not known which setting of such a training "
            f"says how long it is; of {' and '.join(LENGTH_OF)} it is"
        )
    setting = LENGTH_OF[kind]
    loop[setting] = _times(loop.get(setting), length, f"{place}: train_cfg.{setting}")
    schedulers = content.get("param_scheduler") or []
    for number, scheduler in enumerate(
        [schedulers] if isinstance(schedulers, Mapping) else schedulers
    ):
        _lengthen_scheduler(scheduler, length, f"{place}: param_scheduler.{number}")


def _lengthen_scheduler(scheduler: dict[str, Any], length: float, place: str) -> None:
    """Multiply what a scheduler counts, in place; a warm-up begins later and lasts as long."""
    kind = str(scheduler.get("type"))
    counts = next((names for start, names in _COUNTS.items() if kind.startswith(start)), None)
    if counts is None:
        raise DeclarationError(
            f"{place} ({kind}): it is not known which of its settings count epochs or iterations; "
            f"of those whose names begin with {', '.join(_COUNTS)} it is"
        )
    begin = scheduler.get("begin", 0)
    end = scheduler.get("end")
    rises = warms_up(scheduler)
    for name in ("begin",) if rises else counts:
        value = scheduler.get(name)
        if isinstance(value, list | tuple):
            scheduler[name] = [
                _times(one, length, f"{place}.{name}.{index}") for index, one in enumerate(value)
            ]
        elif value is not None:
            scheduler[name] = _times(value, length, f"{place}.{name}")
    if rises and isinstance(end, int):
        scheduler["end"] = scheduler.get("begin", 0) + end - begin


def _times(count: object, length: float, place: str) -> int:
    """The product, which has to be a whole number."""
    if not isinstance(count, int) or isinstance(count, bool):
        raise DeclarationError(f"{place} = {count!r}: expected an integer")
    product = count * length
    if abs(product - round(product)) > 1e-6:
        raise DeclarationError(
            f"{place} = {count} would become {product:g}, which is no whole number"
        )
    return round(product)


def variants(experiments: Experiments, scale: Scale) -> list[Scale]:
    """The declared scales that differ from one in the length of their trainings alone.

    Args:
        experiments: The declarations.
        scale: Combined with those that it extends; it need not be a declared one.

    Returns:
        They are combined with those that they extend, and the shortest comes first. The scale
        itself, and others with trainings of its length, are not among them.
    """
    found = []
    for name in experiments.scales:
        with contextlib.suppress(DeclarationError):  # it may be about runs that are left out here
            found.append(experiments.scale(name))
    others = [
        other
        for other in found
        if other.length != scale.length and _without_length(other) == _without_length(scale)
    ]
    return sorted(others, key=lambda other: other.length)


def _without_length(scale: Scale) -> dict[str, Any]:
    return scale.model_dump(exclude=_OF_A_VARIANT)


def length_in_words(config: Mapping[str, Any]) -> str:
    """Write how long a training is: "3,300 iterations", or "13 epochs"; empty if nothing says so.

    Args:
        config: The compiled config.
    """
    loop = config["train_cfg"]
    setting = LENGTH_OF.get(loop.get("type", "EpochBasedTrainLoop"))
    count = loop.get(setting) if setting else None
    if not isinstance(count, int):
        return ""
    return f"{count:,} {'epochs' if setting == 'max_epochs' else 'iterations'}"

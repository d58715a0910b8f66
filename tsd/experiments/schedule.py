"""Whether a training's schedule fits its length, from the declared numbers alone.

A config is put together from a base, a scale, a data set and a run. When one of them changes how
long a training is, the schedule that another declares may no longer fit: a warm-up that never
ends, or a learning rate that never falls, trains to the end without a word and gives numbers that
mean something else. mmengine refuses only an end before a beginning, and does not say of what.

Schedulers count epochs or iterations from their ``begin``. In a training that is counted in epochs
the number of iterations follows from the data; what depends on it is checked once that is known.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tsd.experiments.reading import DeclarationError

LENGTH_OF = {"EpochBasedTrainLoop": "max_epochs", "IterBasedTrainLoop": "max_iters"}
"""Kind of training → the setting of ``train_cfg`` that says how long it is."""

_RISES = {"Linear": ("start_factor", "end_factor", 1.0), "Constant": ("factor", "", 1.0)}
"""How the type of a scheduler begins that may warm up → the settings of the factors at its start
and at its end, and the factor at its end where there is no such setting."""

_FACTOR = 1 / 3
"""mmengine's default for the factor at the start of a warm-up."""

_FALLS_UNTIL_ITS_END = ("CosineAnnealing", "Poly", "Linear")


@dataclass(frozen=True)
class _Remark:
    """Something about a schedule that does not fit; whether it makes the training pointless."""

    text: str
    is_fault: bool = True


@dataclass(frozen=True)
class _Length:
    """How long a training is in the unit of one of its schedulers.

    Attributes:
        number: Of epochs or iterations; None as long as it is not known.
        words: How to call it to a reader, with the setting that says so.
    """

    number: float | None
    words: str


def check_schedule(
    config: Mapping[str, Any], place: str, epoch_length: int | None = None
) -> list[str]:
    """Compare the schedulers of a config with the length of its training.

    Args:
        config: A compiled config as plain data.
        place: Named in errors: the file and the run.
        epoch_length: Iterations of an epoch; None as long as the data are not at hand.

    Returns:
        What a reader should know although the training makes sense, each in a sentence.

    Raises:
        DeclarationError: If the training would be over before its warm-up, a scheduler would never
            take effect, or the learning rate would never fall. Names settings and values.
    """
    loop = config["train_cfg"]
    length_setting = LENGTH_OF.get(loop.get("type", "EpochBasedTrainLoop"))
    if length_setting is None:
        return []
    length = loop.get(length_setting)
    if not _is_count(length):
        raise DeclarationError(
            f"{place}: train_cfg.{length_setting} = {length!r}: expected how many, at least 1"
        )
    schedulers = config.get("param_scheduler") or []
    if isinstance(schedulers, Mapping):
        schedulers = [schedulers]
    remarks = [
        _Remark(f"param_scheduler.{index}{remark.text}", remark.is_fault)
        for index, scheduler in enumerate(schedulers)
        if isinstance(scheduler, Mapping) and "type" in scheduler
        for remark in _remarks(scheduler, length_setting, length, epoch_length)
    ]
    faults = [remark.text for remark in remarks if remark.is_fault]
    if faults:
        raise DeclarationError("\n".join(f"{place}: {text}" for text in faults))
    return [remark.text for remark in remarks]


def _is_count(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 1


def _remarks(
    scheduler: Mapping[str, Any], length_setting: str, length: int, epoch_length: int | None
) -> Iterator[_Remark]:
    """What does not fit of one scheduler; each text goes on from its place in the config."""
    for setting in ("begin", "end", "T_max", "step_size"):
        value = scheduler.get(setting)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            yield _Remark(f".{setting} = {value!r}: expected an integer")
            return
    by_epoch = scheduler.get("by_epoch", True)
    converted = scheduler.get("convert_to_iter_based", False)
    if by_epoch and length_setting == "max_iters" and not converted:
        yield _Remark(
            f" ({scheduler['type']}) counts epochs, and this training counts iterations "
            "(train_cfg.type), so that it would never take effect: set by_epoch: false"
        )
        return
    total = _length(by_epoch, length_setting, length, epoch_length)
    begin, end = scheduler.get("begin", 0), scheduler.get("end", total.number)
    if end is not None and end <= begin:
        if "end" in scheduler:
            yield _Remark(f".end = {end} has to be larger than its begin = {begin}")
        else:
            yield _Remark(f".begin = {begin} lies beyond {total.words}")
        return
    if total.number is None:
        return
    if begin >= total.number:
        yield _Remark(f".begin = {begin} lies beyond {total.words}")
        return
    yield from _remarks_on_kind(scheduler, begin, end, total, total.number)


def _length(by_epoch: bool, setting: str, length: int, epoch_length: int | None) -> _Length:
    """The length of a training in epochs or in iterations."""
    words = f"train_cfg.{setting} = {length}"
    if by_epoch == (setting == "max_epochs"):
        return _Length(length, f"the end of the training ({words})")
    if epoch_length is None:
        return _Length(None, words)
    number = length / epoch_length if by_epoch else length * epoch_length
    unit = "epochs" if by_epoch else "iterations"
    return _Length(
        number,
        f"the end of the training, which has {number:g} {unit} ({words}, "
        f"{epoch_length} iterations an epoch)",
    )


def _remarks_on_kind(
    scheduler: Mapping[str, Any], begin: int, end: float, total: _Length, length: float
) -> Iterator[_Remark]:
    """What does not fit of a scheduler that does begin within the training."""
    kind = scheduler["type"]
    if warms_up(scheduler):
        if end > length:
            yield _Remark(f".end = {end} lets the warm-up ({kind}) last beyond {total.words}")
        elif end - begin == 1 and not scheduler.get("convert_to_iter_based"):
            yield _Remark(
                f" ({kind}, begin = {begin}, end = {end:g}): mmengine lets a warm-up of a single "
                "step keep its first value for ever; it has to last for two at least, or be "
                "counted in iterations (convert_to_iter_based: true)"
            )
        return
    last = total.words if end >= length else f"its end ({scheduler['end']})"
    if kind.startswith("MultiStep"):
        milestones = list(scheduler.get("milestones", []))
        late = [m for m in milestones if begin + m >= min(end, length)]
        if late and late == milestones:
            yield _Remark(
                f".milestones = {milestones}: none lies before {last}, so that the value never "
                "falls"
            )
        elif late:
            yield _Remark(
                f".milestones: {late} have no effect, as they do not lie before {last}",
                is_fault=False,
            )
    elif kind.startswith("Step"):
        step_size = scheduler.get("step_size", 1)
        if begin + step_size >= min(end, length):
            yield _Remark(
                f".step_size = {step_size}: no step lies before {last}, so that the value never "
                "falls"
            )
    elif kind.startswith(_FALLS_UNTIL_ITS_END):
        setting = "T_max" if scheduler.get("T_max") else "end"
        if (begin + scheduler["T_max"] if setting == "T_max" else end) > length:
            yield _Remark(
                f".{setting} = {scheduler[setting]} lets it ({kind}) go on beyond {total.words}, "
                "so that it does not fall as far as it should",
                is_fault=False,
            )


def warms_up(scheduler: Mapping[str, Any]) -> bool:
    """Whether a scheduler lets the learning rate rise to its full value."""
    for kind, (start, end, at_end) in _RISES.items():
        if scheduler["type"].startswith(kind):
            factors = scheduler.get(start, _FACTOR), scheduler.get(end, at_end)
            return all(isinstance(f, int | float) for f in factors) and factors[0] < factors[1]
    return False

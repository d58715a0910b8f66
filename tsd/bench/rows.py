"""What a row of the bench is, and how two sides of a ratio are timed."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

Sides = Mapping[str, Callable[[], object]]
"""Name of what is measured → a function that does it once."""


class NotMeasuredError(Exception):
    """A row cannot be measured here; the message says why."""


@dataclass(frozen=True)
class Bench:
    """How the bench is run.

    Attributes:
        device: ``cpu`` or ``cuda``.
        rounds: How often each side is timed, after a first time that does not count.
        height: Of an image in pixels; 800 × 1,344 is one of COCO's after resizing (Section 3.1) and
            padding.
        width: Likewise.
        rois: How many RoIs are pooled.
        images: How many images' detections are evaluated; COCO's val split has 5,000.
        runs: How many runs a report has.
        seconds: How long trainings that share a GPU are watched.
    """

    device: str
    rounds: int
    height: int = 800
    width: int = 1344
    rois: int = 512
    images: int = 5000
    runs: int = 1000
    seconds: float = 20

    @property
    def shape(self) -> str:
        """The size of an image, for the table."""
        return f"{self.height} × {self.width}"


@dataclass(frozen=True)
class Measurement:
    """What a row has given.

    Attributes:
        values: One value for each round, such as the ratio of two times.
        seconds: Name of a side → the median of its seconds; empty where no time was taken.
    """

    values: list[float]
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """Of the values."""
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """The lower and the upper quartile of the values; of one value twice this one."""
        if len(self.values) == 1:
            return self.values[0], self.values[0]
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return low, high


@dataclass(frozen=True)
class Row:
    """A line of the bench's table.

    Attributes:
        id: Its name in the JSON file.
        title: What is measured, and against what; the names of the bench's sizes stand in braces.
        bar: The value should be at most this, or at least; None where nothing was promised.
        unit: Of the value.
        measure: Measures it; raises :class:`NotMeasuredError` where it cannot be measured.
        devices: On which devices it means something.
        more_is_better: Whether the value should be at least the bar.
    """

    id: str
    title: str
    bar: float | None
    unit: str
    measure: Callable[[Bench], Measurement]
    devices: tuple[str, ...] = ("cpu", "cuda")
    more_is_better: bool = False

    def meets(self, value: float) -> bool:
        """Whether a value is as good as the bar asks for."""
        if self.bar is None:
            return True
        return value >= self.bar if self.more_is_better else value <= self.bar


def time_ratio(bench: Bench, ours: str, baseline: str, sides: Sides) -> Measurement:
    """Time sides in turn, and divide the times of two of them round by round.

    In turn, because a machine's speed changes over minutes.

    Args:
        bench: How often, and where.
        ours: Name of the side that is divided.
        baseline: Name of the side that it is divided by.
        sides: All sides that are timed.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(bench.rounds + 1):
        for name, run in sides.items():
            elapsed = _timed(run, bench.device)
            if turn:
                seconds[name].append(elapsed)
    return ratio(ours, baseline, seconds)


def ratio(ours: str, baseline: str, seconds: Mapping[str, list[float]]) -> Measurement:
    """Divide the seconds of two sides round by round.

    Args:
        ours: Name of the side that is divided.
        baseline: Name of the side that it is divided by.
        seconds: Those of all sides, in each round.
    """
    pairs = zip(seconds[ours], seconds[baseline], strict=True)
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    return Measurement([a / b for a, b in pairs], medians)


def _timed(run: Callable[[], object], device: str) -> float:
    """Seconds that a call takes, until the device has done its work too."""
    _wait(device)
    started = time.perf_counter()
    run()
    _wait(device)
    return time.perf_counter() - started


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def peak_memory(run: Callable[[], object]) -> float:
    """MiB of a GPU's memory that a call takes beyond what is taken before it."""
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    run()
    torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated() - before) / 2**20

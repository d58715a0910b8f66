"""On what runtimes were measured; those of several devices are not set against each other."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from tsd.experiments.metrics import Step
from tsd.results.collected import Results, Training


class Clock(NamedTuple):
    """What a runtime was measured on: the device, and the threads that computed on it."""

    device: str
    threads: int

    def __str__(self) -> str:
        return f"{self.device}, {self.threads} {'thread' if self.threads == 1 else 'threads'}"


def clock_of(training: Training) -> Clock | None:
    """Return what the runtime of a training was measured on; None where nobody wrote it down.

    Args:
        training: The training.
    """
    record = training.latency
    return None if record is None else Clock(record.device, record.threads)


def common_clock(results: Results) -> Clock | None:
    """Return what most runtimes were measured on, the first by name of several.

    Args:
        results: What was collected.

    Returns:
        None where nobody wrote it down of any.
    """
    clocks = Counter(clock for one in results.trainings() if (clock := clock_of(one)) is not None)
    return min(clocks, key=lambda clock: (-clocks[clock], clock), default=None)


def is_of_runtimes(results: Results, metric: str) -> bool:
    """Tell whether a metric is a time, which depends on what it is measured on.

    Args:
        results: What was collected.
        metric: Id of the metric.
    """
    return metric in results.metrics and results.metrics[metric].step is Step.LATENCY


def timed_alike(results: Results, seeds: Mapping[int, Training]) -> dict[int, Training]:
    """Leave out the trainings whose runtime was measured on another device than most were.

    Args:
        results: What was collected.
        seeds: Seed → training, of a run.
    """
    if not any(map(clock_of, seeds.values())):
        return dict(seeds)
    common = common_clock(results)
    return {seed: one for seed, one in seeds.items() if clock_of(one) in (None, common)}

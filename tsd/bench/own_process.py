"""Runs a function in a process of its own, so that its memory can be told from everybody else's."""

import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True)
class Spent(Generic[Value]):
    """What a call gave, and what it took.

    Attributes:
        value: What the function returned.
        seconds: Of the processor, so that other programs on the machine count little.
        mebibytes: By how much the process grew at its largest while the function ran.
        peak: How large the process was at its largest, in MiB.
    """

    value: Value
    seconds: float
    mebibytes: float
    peak: float


def in_own_process(function: Callable[..., Value], *arguments: object) -> Spent[Value]:
    """Call a function in a fresh process.

    Args:
        function: One of a module's own, which the process imports before anything is measured.
        arguments: Its arguments, which are copied into the process.
    """
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=fresh) as pool:
        return pool.submit(_measured, function, *arguments).result()


def _measured(function: Callable[..., Value], *arguments: object) -> Spent[Value]:
    before = _largest()
    started = time.process_time()
    value = function(*arguments)
    seconds = time.process_time() - started
    peak = _largest()
    return Spent(value, seconds, peak - before, peak)


def _largest() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10  # KiB on Linux

"""Runs a function in a process of its own, so that its memory can be told from everybody else's."""

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
FORGET_PEAK = "5"
"""Written to ``CLEAR``, it has Linux take the process's present size for its largest."""

Value = TypeVar("Value")
Prepare = Callable[..., tuple[object, ...]]


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


def in_own_process(
    function: Callable[..., Value], *arguments: object, prepare: Prepare | None = None
) -> Spent[Value]:
    """Call a function in a fresh process.

    Args:
        function: One of a module's own, which the process imports before anything is measured.
        arguments: Its arguments, which are copied into the process.
        prepare: Makes other arguments of them in the process, before anything is measured.
    """
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=fresh) as pool:
        return pool.submit(_measured, function, prepare, *arguments).result()


def _measured(
    function: Callable[..., Value], prepare: Prepare | None, *arguments: object
) -> Spent[Value]:
    if prepare is not None:
        arguments = prepare(*arguments)
    CLEAR.write_text(FORGET_PEAK, encoding="ascii")
    before = _memory("VmRSS")
    started = time.process_time()
    value = function(*arguments)
    seconds = time.process_time() - started
    peak = _memory("VmHWM")
    return Spent(value, seconds, peak - before, peak)


def _memory(name: str) -> float:
    """A number of this process's memory in MiB, by the name that Linux gives it."""
    lines = STATUS.read_text(encoding="ascii").splitlines()
    (kibibytes,) = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return int(kibibytes) / 2**10

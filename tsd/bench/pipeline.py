"""What is around the trainings: the plan of a large grid, the report of one."""

import functools
import time

from tsd.bench.large_report import write_report
from tsd.bench.own_process import Spent, in_own_process
from tsd.bench.rows import Bench, Measurement, Row
from tsd.experiments.settings import open_grid

SEEDS = 5
"""So many trainings each run has."""


def _plan(_bench: Bench) -> Measurement:
    """Seconds that it takes to open a grid and compile every run of it."""
    started = time.perf_counter()
    grid = open_grid({"scale": "paper", "seeds": str(SEEDS), "only": "all"})
    for job in grid.jobs:
        _ = job.digest
    return Measurement([time.perf_counter() - started])


@functools.cache
def _report(runs: int) -> Spent[float]:
    return in_own_process(write_report, runs, SEEDS)


ROWS = (
    Row("plan", f"compiling the whole grid with {SEEDS} seeds", 10.0, "s", _plan, ("cpu",)),
    Row(
        "report",
        f"writing the report of {{runs}} runs with {SEEDS} seeds each, processor time",
        30.0,
        "s",
        lambda bench: Measurement([_report(bench.runs).value]),
        ("cpu",),
    ),
    Row(
        "report-memory",
        f"memory of the process that writes the report of {{runs}} runs with {SEEDS} seeds each",
        2000.0,
        "MiB",
        lambda bench: Measurement([_report(bench.runs).peak]),
        ("cpu",),
    ),
)

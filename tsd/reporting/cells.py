"""What stands in a table's cells: measured and published values, differences and gains.

Everything is computed in full precision from the content of ``results.json``; how a number is
written is decided in :mod:`tsd.reporting.wording`.
"""

import json
import math
import statistics
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

Results = dict[str, Any]
"""The content of ``results.json``."""


class State(StrEnum):
    """How far the training of a run, or the value of a cell, has come."""

    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    RUNNING = "running"
    TRAINED = "trained"
    PENDING = "pending"
    MISSING = "missing"
    NOT_MEASURED = "not measured"
    NOT_DECLARED = "not declared"
    NOT_AT_SCALE = "not at this scale"
    NOT_COLLECTED = "not collected"


UNFINISHED = (State.FAILED, State.INTERRUPTED, State.RUNNING, State.TRAINED, State.PENDING)
"""States of a training without results; the one a reader has to know of first comes first."""


@dataclass(frozen=True)
class Measured:
    """A metric of a run over its seeds.

    Args:
        state: Whether all, some or none of the declared seeds gave a value, and why.
        values: Seed → value, of the seeds that gave one.
        declared: Number of declared seeds.
    """

    state: State
    values: dict[int, float]
    declared: int

    @property
    def mean(self) -> float | None:
        """Over the seeds; None without any value."""
        return statistics.fmean(self.values.values()) if self.values else None

    @property
    def sd(self) -> float | None:
        """Sample standard deviation over the seeds; None with fewer than two."""
        return statistics.stdev(self.values.values()) if len(self.values) > 1 else None


@dataclass(frozen=True)
class Cell:
    """One metric of one row. All numbers are in the metric's unit, None where there is none.

    Args:
        metric: Id of the metric.
        measured: What our run gave.
        published: What the paper printed.
        gain: Measured mean minus that of the row's baseline run.
        gain_sd: Standard error of the gain; None unless run and baseline have two seeds each.
        published_gain: The same difference between the paper's values.
    """

    metric: str
    measured: Measured
    published: float | None
    gain: float | None
    gain_sd: float | None
    published_gain: float | None

    @property
    def difference(self) -> float | None:
        """Measured minus published."""
        return minus(self.measured.mean, self.published)


@dataclass(frozen=True)
class FilledRow:
    """A table row with a cell for each of the table's metrics.

    Args:
        row: Its declaration.
        run: What was collected of its run; None where there is no such run.
        cells: In the order of the table's metrics.
    """

    row: dict[str, Any]
    run: dict[str, Any] | None
    cells: list[Cell]


def read_results(collected: Path) -> Results:
    """Read the collected file."""
    return json.loads(collected.read_text(encoding="utf-8"))


def minus(a: float | None, b: float | None) -> float | None:
    """Return the difference, None where either is missing."""
    return None if a is None or b is None else a - b


def measure(results: Results, name: str | None, metric: str) -> Measured:
    """Gather a metric over the seeds of a run; a value that is not finite counts as missing.

    Args:
        results: The content of ``results.json``.
        name: Id of the run; None where a row declares none.
        metric: Id of the metric.
    """
    if name is None:
        return Measured(State.NOT_DECLARED, {}, 0)
    if name not in results["runs"]:
        return Measured(State.NOT_COLLECTED, {}, 0)
    if not results["runs"][name]["at_scale"]:
        return Measured(State.NOT_AT_SCALE, {}, 0)
    seeds = results["runs"][name]["seeds"]
    measured = [training["metrics"] for training in seeds.values() if "metrics" in training]
    found = {int(seed): seeds[seed].get("metrics", {}).get(metric) for seed in seeds}
    values = {
        seed: float(value)
        for seed, value in sorted(found.items())
        if value is not None and math.isfinite(value)
    }
    if values:
        state = State.DONE if len(values) == len(seeds) else State.PARTIAL
    else:
        states = {training["state"] for training in seeds.values()}
        finished = State.MISSING if any(metric in m for m in measured) else State.NOT_MEASURED
        state = next((state for state in UNFINISHED if state in states), finished)
    return Measured(state, values, len(seeds))


def gain_sd(run: Measured, baseline: Measured) -> float | None:
    """Return the standard error of a difference of means over independent seeds."""
    if run.sd is None or baseline.sd is None:
        return None
    return math.sqrt(run.sd**2 / len(run.values) + baseline.sd**2 / len(baseline.values))


def published_of(results: Results, table: dict[str, Any], run: str, metric: str) -> float | None:
    """Return what was printed for a run, preferably in this table, else in one of the paper's."""
    papers = [other for other in results["tables"] if other["source"].startswith("Table")]
    for place in [table, *papers]:
        for row in place["rows"]:
            value = row["published"].get(metric)
            if row["run"] == run and value is not None:
                return float(value)
    return None


def fill_cell(results: Results, table: dict[str, Any], row: dict[str, Any], metric: str) -> Cell:
    """Compute one metric of one row."""
    measured = measure(results, row["run"], metric)
    published = row["published"].get(metric)
    if row["baseline"] is None:
        return Cell(metric, measured, published, None, None, None)
    baseline = measure(results, row["baseline"], metric)
    return Cell(
        metric,
        measured,
        published,
        gain=minus(measured.mean, baseline.mean),
        gain_sd=gain_sd(measured, baseline),
        published_gain=minus(published, published_of(results, table, row["baseline"], metric)),
    )


def fill(results: Results, table: dict[str, Any]) -> list[FilledRow]:
    """Compute all cells of a table, one of ``results["tables"]``."""
    return [
        FilledRow(
            row,
            results["runs"].get(row["run"]),
            [fill_cell(results, table, row, metric) for metric in table["metrics"]],
        )
        for row in table["rows"]
    ]


def table_of(results: Results, table_id: str) -> dict[str, Any]:
    """Return a table by its id.

    Raises:
        KeyError: There is no such table; the message names those there are.
    """
    tables = {table["id"]: table for table in results["tables"]}
    if table_id not in tables:
        raise KeyError(f"no table {table_id!r} among {', '.join(tables)}")
    return tables[table_id]

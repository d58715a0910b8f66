"""What stands in a table's cells: measured and published values, differences and gains.

Everything is computed in full precision from the collected results; how a number is written is
decided in :mod:`tsd.reporting.wording`.
"""

import math
import statistics
from dataclasses import dataclass

from tsd.experiments.schema import Row, Table
from tsd.reporting.runtimes import is_of_runtimes, timed_alike
from tsd.results.collected import UNFINISHED, CollectedRun, Results, State


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
        elsewhere: Id of another source → what it published.
        is_comparable: Whether what was measured may be set against what the paper printed.
        gain: Measured mean minus that of the row's baseline run.
        gain_sd: Standard error of the gain; None unless run and baseline have two seeds each.
        published_gain: The same difference between the paper's values.
    """

    metric: str
    measured: Measured
    published: float | None
    elsewhere: dict[str, float]
    is_comparable: bool
    gain: float | None
    gain_sd: float | None
    published_gain: float | None

    @property
    def difference(self) -> float | None:
        """Measured minus published; None where the two may not be compared."""
        return minus(self.measured.mean, self.published) if self.is_comparable else None


@dataclass(frozen=True)
class FilledRow:
    """A table row with a cell for each of the table's metrics.

    Args:
        row: Its declaration.
        run: What was collected of its run; None where there is no such run.
        cells: In the order of the table's metrics.
    """

    row: Row
    run: CollectedRun | None
    cells: list[Cell]


def minus(a: float | None, b: float | None) -> float | None:
    """Return the difference, None where either is missing."""
    return None if a is None or b is None else a - b


def measure(
    results: Results, name: str | None, metric: str, protocol: str | None = None
) -> Measured:
    """Gather a metric over the seeds of a run; a value that is not finite counts as missing.

    So does a runtime that was measured on another device than most of them were.

    Args:
        results: What was collected.
        name: Id of the run; None where a row declares none.
        metric: Id of the metric.
        protocol: Id of the protocol that the run has to follow; None for any.
    """
    if name is None:
        return Measured(State.NOT_DECLARED, {}, 0)
    if name not in results.runs:
        return Measured(State.NOT_COLLECTED, {}, 0)
    run = results.runs[name]
    if not run.is_shown:
        return Measured(run_state(results, name), {}, 0)
    if protocol is not None and run.protocol != protocol:
        return Measured(State.NOT_UNDER_PROTOCOL, {}, 0)
    seeds = run.seeds
    if is_of_runtimes(results, metric):
        seeds = timed_alike(results, seeds)
    found = {seed: training.metrics.get(metric) for seed, training in sorted(seeds.items())}
    values = {seed: v for seed, v in found.items() if v is not None and math.isfinite(v)}
    if values:
        state = State.EVALUATED if len(values) == len(run.seeds) else State.PARTIAL
    else:
        was_measured = any(metric in training.metrics for training in seeds.values())
        finished = State.MISSING if was_measured else State.NOT_MEASURED
        states = {training.state for training in run.seeds.values()}
        state = next((state for state in UNFINISHED if state in states), finished)
    return Measured(state, values, len(run.seeds))


def run_state(results: Results, name: str) -> State:
    """How far a run has come, whatever is measured of it.

    Args:
        results: What was collected.
        name: Id of the run.
    """
    if name not in results.runs:
        return State.NOT_COLLECTED
    run = results.runs[name]
    if not run.is_about_these_data:
        return State.NOT_ON_THESE_DATA
    if not run.at_scale:
        return State.NOT_AT_SCALE
    if run.mistake is not None:
        return State.NOT_POSSIBLE
    states = [training.state for training in run.seeds.values()]
    if State.EVALUATED in states:
        return State.EVALUATED if set(states) == {State.EVALUATED} else State.PARTIAL
    return next(state for state in UNFINISHED if state in states)


def training_id(results: Results, run: str) -> str:
    """Tell trainings apart by what is trained: runs that differ by name alone have the same id.

    At a small scale the same network may stand for two, and then both runs compile to the same
    config. What they measure is one piece of evidence, not two.

    Args:
        results: What was collected.
        run: Id of a run.

    Returns:
        The digest of the compiled config, or the run's own id where it is not compiled.
    """
    collected = results.runs.get(run)
    return run if collected is None or collected.digest is None else collected.digest


def gain_sd(run: Measured, baseline: Measured) -> float | None:
    """Return the standard error of a difference of means over independent seeds."""
    if run.sd is None or baseline.sd is None:
        return None
    return math.sqrt(run.sd**2 / len(run.values) + baseline.sd**2 / len(baseline.values))


Printed = dict[tuple[str, str], float]
"""Ids of a run and of a metric → what was printed for them."""


def printed_values(results: Results, table: Table) -> Printed:
    """Gather what was printed for runs, preferably in this table, else in one of the paper's."""
    found: Printed = {}
    for place in (table, *(other for other in results.tables if other.paper)):
        for row in place.rows:
            if row.run is not None:
                for metric, value in row.published.items():
                    if value is not None:
                        found.setdefault((row.run, metric), value)
    return found


def fill_cell(results: Results, row: Row, metric: str, printed: Printed) -> Cell:
    """Compute one metric of one row."""
    measured = measure(results, row.run, metric, row.protocol)
    published = row.published.get(metric)
    elsewhere = {
        source: numbers[metric] for source, numbers in row.elsewhere.items() if metric in numbers
    }
    is_comparable = row.run in results.runs and results.runs[row.run].is_comparable
    if row.baseline is None:
        return Cell(metric, measured, published, elsewhere, is_comparable, None, None, None)
    baseline = measure(results, row.baseline, metric, row.protocol)
    if row.run is not None and training_id(results, row.run) == training_id(results, row.baseline):
        baseline = Measured(State.MISSING, {}, 0)  # nothing is gained over oneself
    return Cell(
        metric,
        measured,
        published,
        elsewhere,
        is_comparable,
        gain=minus(measured.mean, baseline.mean),
        gain_sd=gain_sd(measured, baseline),
        published_gain=minus(published, printed.get((row.baseline, metric))),
    )


def fill(results: Results, table: Table) -> list[FilledRow]:
    """Compute all cells of a table."""
    printed = printed_values(results, table)
    return [
        FilledRow(
            row,
            results.runs.get(row.run) if row.run is not None else None,
            [fill_cell(results, row, metric, printed) for metric in table.metrics],
        )
        for row in table.rows
    ]

"""Golden values from results, and results held against golden values.

**The tolerance** follows from the spread of the trainings behind it. The AP of one more training of
a run lies within the prediction interval m ± t · s · √(1 + 1/n) in 99 of 100 cases, where m is the
mean of the run's n trainings, s the standard deviation over seeds, and t the quantile of Student's
t. Two to five seeds tell too little of the spread of a single run, so that s is pooled over all
runs of the grid that have several: they are trained alike, on the same data. That differs from the
intervals of claims (:mod:`tsd.reporting.intervals`), where a wrong spread would decide a finding.

The mean of k trainings at hand varies less than a single one. It is allowed the same share of
√(1/k + 1/n). The same seeds on a machine of the same kind give the very same AP.
"""

import math
import statistics
from collections.abc import Iterator

from scipy.special import stdtrit

from tsd.experiments.golden import ExpectedRun, Golden
from tsd.experiments.metrics import MAIN
from tsd.experiments.schema import Table
from tsd.reporting.cells import Measured, measure
from tsd.reporting.wording import listed_once, number
from tsd.results.collected import CollectedRun, Results, ResultsError

LEVEL = 99.0
"""Percent: so often one more training lies within the tolerance."""

DIGITS = 3
"""Decimals of AP in the file."""

UNKNOWN = "no expected value for this configuration"


def golden_of(results: Results) -> Golden:
    """Make golden values of what was measured.

    Args:
        results: The content of ``results.json``.

    Raises:
        ResultsError: There is no run with two seeds whose AP differ, so that the spread is unknown,
            or the results are not of the protocol of the grid's scale.
    """
    if results.name != results.grid_name:
        raise ResultsError(
            f"the results of {results.name} are of the protocol {results.protocol}; what the runs "
            f"of the grid {results.grid_name} are expected to measure is told by those of its own"
        )
    measured = {name: measure(results, name, MAIN) for name in results.runs}
    values = {name: list(m.values.values()) for name, m in measured.items() if m.values}
    freedom = sum(len(each) - 1 for each in values.values())
    squares = sum(statistics.variance(v) * (len(v) - 1) for v in values.values() if len(v) > 1)
    if not squares:
        raise ResultsError(
            f"the results of {results.name} have no run with two seeds whose AP differ, so that "
            "nobody knows how far AP spreads; train more seeds (SEEDS=3)"
        )
    spread = math.sqrt(squares / freedom)
    reach = float(stdtrit(freedom, 0.5 + LEVEL / 200)) * spread
    return Golden(
        grid=results.grid_name,
        collected=results.generated,
        level=LEVEL,
        spread=round(spread, DIGITS),
        freedom=freedom,
        runs={
            name: _expected(
                results.runs[name], measured[name], reach * math.sqrt(1 + 1 / len(each))
            )
            for name, each in values.items()
        },
    )


def _expected(run: CollectedRun, measured: Measured, tolerance: float) -> ExpectedRun:
    records = [run.seeds[seed].train for seed in measured.values]
    trained = [record for record in records if record is not None]
    return ExpectedRun(
        digest=run.digest or "",
        ap=round(statistics.fmean(measured.values.values()), DIGITS),
        tolerance=round(tolerance, DIGITS),
        seeds=list(measured.values),
        commits=sorted({(one.commit or "unknown") + "+dirty" * bool(one.dirty) for one in trained}),
        devices=sorted({one.device for one in trained}),
    )


def remark(results: Results, name: str | None) -> str:
    """Say what of a run's AP is not as expected; empty where nothing is.

    Args:
        results: The content of ``results.json``.
        name: Id of the run.
    """
    if results.golden is None or name is None or name not in results.runs:
        return ""
    measured = measure(results, name, MAIN)
    if measured.mean is None:
        return ""
    expected = results.golden.runs.get(name)
    if expected is None or expected.digest != results.runs[name].digest:
        return UNKNOWN
    behind = len(expected.seeds)
    share = math.sqrt((1 / len(measured.values) + 1 / behind) / (1 + 1 / behind))
    allowed = expected.tolerance * share
    # Values in the file are rounded.
    if abs(measured.mean - expected.ap) <= allowed + 10**-DIGITS:
        return ""
    decimals = results.metrics[MAIN].decimals
    return (
        f"AP {number(measured.mean, decimals)} lies outside the expected "
        f"{number(expected.ap, decimals)} ± {number(allowed, decimals + 1)}"
    )


def remarks(results: Results, table: Table) -> Iterator[str]:
    """Yield what of a table's runs is not as expected; several without expectation share a line.

    Args:
        results: The content of ``results.json``.
        table: The table.
    """
    found = {row.run: remark(results, row.run) for row in table.rows if row.run is not None}
    for name, text in found.items():
        if text and text != UNKNOWN:
            yield f"{name}: {text}"
    unknown = [name for name, text in found.items() if text == UNKNOWN]
    if unknown:
        yield f"{listed_once(unknown)}: {UNKNOWN}"

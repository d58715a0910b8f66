"""What it would take to decide a claim that is undecided: how many seeds of which runs.

The answer goes by the present estimate. If each number keeps its value and each run its spread, so
many trainings decide the claim with a chance of 80%. A claim of which every number lies where it
should is on its way to hold, and each of its comparisons that does not speak for it yet needs its
seeds. As soon as a number lies elsewhere, the claim is on its way to be refuted, and the comparison
that takes the fewest seeds for that is enough. The present estimate is itself uncertain, so that
the answer is an order of magnitude and not a promise.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tsd.experiments.comparisons import Comparison, Range
from tsd.reporting.intervals import WEIGHTS, Estimate, uncertainty
from tsd.results.collected import CollectedRun, Results

MOST = 20
"""More seeds of a run than these are not counted."""


@dataclass(frozen=True)
class Open:
    """A comparison that does not decide anything yet.

    Args:
        comparison: What is compared.
        expected: Where the claim puts the number.
        measured: What our trainings gave for it.
    """

    comparison: Comparison
    expected: Range
    measured: Estimate


@dataclass(frozen=True)
class Effort:
    """What it would take to decide a claim.

    Args:
        would_hold: Whether the claim would hold then, as far as one can tell; otherwise it would be
            refuted.
        seeds: Id of a run → how many seeds it needs in all, those there are included; only runs
            that need more than they have. None where one would need more than :data:`MOST`.
        core_hours: What the further trainings take, from those that were timed; None where that is
            not known, or where they run on GPUs.
        gpu_hours: The same on GPUs.
    """

    would_hold: bool
    seeds: dict[str, int] | None
    core_hours: float | None = None
    gpu_hours: float | None = None


def effort(results: Results, undecided: Sequence[Open], comparisons: int) -> Effort | None:
    """Say what it would take to decide a claim.

    Args:
        results: What was collected; the trainings' times come from there.
        undecided: Those comparisons of the claim that do not speak for it.
        comparisons: How many comparisons the claim makes.

    Returns:
        None where it cannot be said, because a spread is unknown.
    """
    outside = [one for one in undecided if not _is_inside(one)]
    error = undecided[0].measured.error
    have = {
        run: count
        for one in undecided
        for run, count in zip(one.comparison.runs, one.measured.seeds, strict=True)
    }
    if outside:
        known = [one for one in outside if one.measured.interval is not None]
        plans = [_seeds(one, error / comparisons) for one in known]
        reachable = [plan for plan in plans if plan is not None]
        if reachable:
            fewest = min(reachable, key=lambda plan: sum(plan.values()))
            return _priced(results, False, fewest, have)
        return Effort(False, None) if len(known) == len(outside) else None
    if any(one.measured.interval is None for one in undecided):
        return None
    merged: dict[str, int] = {}
    for one in undecided:
        plan = _seeds(one, error)
        if plan is None:
            return Effort(True, None)
        merged |= {run: max(count, merged.get(run, 0)) for run, count in plan.items()}
    return _priced(results, True, merged, have)


def _is_inside(one: Open) -> bool:
    return one.expected.contains(one.measured.value, one.measured.value)


def _seeds(one: Open, error: float) -> dict[str, int] | None:
    """Count the seeds that a comparison needs; None where they are more than :data:`MOST`."""
    measured, runs = one.measured, one.comparison.runs
    distance = _distance(one)
    for wanted in range(2, MOST + 1):
        counts = [max(wanted, sample.count) for sample in measured.samples]
        known = uncertainty(measured.samples, WEIGHTS[: len(runs)], measured.prior, counts)
        if known is not None and known.detectable(error) <= distance:
            return dict(zip(runs, counts, strict=True))
    return None


def _distance(one: Open) -> float:
    """Return how far a number is from the nearest bound, on the scale of subtraction."""
    bounds = [
        math.copysign(math.inf, bound) if scaled is None else scaled
        for bound in (one.expected.low, one.expected.high)
        for scaled in [one.comparison.scaled(bound) if math.isfinite(bound) else None]
    ]
    value = one.comparison.scaled(one.measured.value)
    return math.inf if value is None else min(abs(value - bound) for bound in bounds)


def _priced(
    results: Results, would_hold: bool, seeds: dict[str, int], have: dict[str, int]
) -> Effort:
    """Leave out the runs that have enough, and add what the further trainings cost."""
    more = {run: count for run, count in seeds.items() if count > have[run]}
    costs = {run: cost_of_training(results.runs[run]) for run in more if run in results.runs}
    hours = {run: cost[1] for run, cost in costs.items() if cost is not None}
    devices = {cost[0] for cost in costs.values() if cost is not None}
    if hours.keys() != more.keys() or len(devices) != 1:
        return Effort(would_hold, more)
    total = math.fsum((count - have[run]) * hours[run] for run, count in more.items())
    if devices == {"cpu"}:
        return Effort(would_hold, more, core_hours=total)
    return Effort(would_hold, more, gpu_hours=total)


def cost_of_training(run: CollectedRun) -> tuple[str, float] | None:
    """Return the kind of device and the hours of one training of a run, the median of those it had.

    They are the time for which a core or a GPU was held, whatever else it had to do.

    Args:
        run: The run.

    Returns:
        Hours of a core or of a GPU; None where no training was timed, or they had several kinds.
    """
    records = [one.train for one in run.seeds.values() if one.train and one.train.seconds]
    kinds = {record.device.partition(":")[0] for record in records}
    if len(kinds) != 1:
        return None
    (kind,) = kinds
    each = [
        (record.seconds or 0) * record.processes * (record.threads if kind == "cpu" else 1)
        for record in records
    ]
    return kind, statistics.median(each) / 3600

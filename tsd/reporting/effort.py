"""What it would take to decide a claim that is undecided: how many seeds of which runs.

The answer goes by the present estimate. If each number keeps its value and each run its spread, so
many trainings decide the claim with a chance of 80%. A claim of which every number lies where it
should is on its way to hold. Then all of its comparisons have to speak for it at once, so that the
chances with which each of them fails to do so are added up, and together they may not be above 20%.
Where a range has two ends, an interval may reach either of them, and both chances count. To add
them up errs on the safe side, whatever the comparisons have in common.

As soon as a number lies elsewhere, the claim is on its way to be refuted, and the comparison that
takes the fewest further seeds for that is enough. The present estimate is itself uncertain, so that
the answer is an order of magnitude and not a promise.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tsd.experiments.comparisons import Comparison, Range
from tsd.reporting.intervals import POWER, WEIGHTS, Estimate, uncertainty
from tsd.reporting.training_hours import price_of_another
from tsd.results.collected import Results

MOST = 20
"""More seeds of a run than these are not counted."""


@dataclass(frozen=True)
class Compared:
    """A comparison of a claim that is undecided.

    Args:
        comparison: What is compared.
        expected: Where the claim puts the number.
        measured: What our trainings gave for it.
    """

    comparison: Comparison
    expected: Range
    measured: Estimate

    @property
    def is_inside(self) -> bool:
        """Whether the number lies where the claim puts it."""
        return self.expected.contains(self.measured.value, self.measured.value)

    @property
    def is_known(self) -> bool:
        """Whether it is known how much the number scatters."""
        return self.measured.interval is not None

    @property
    def distances(self) -> list[float]:
        """How far the number is from each end of the range, on the scale of subtraction."""
        value = self.comparison.scaled(self.measured.value)
        ends = [end for end in (self.expected.low, self.expected.high) if math.isfinite(end)]
        scaled = [self.comparison.scaled(end) for end in ends]
        return [math.inf if value is None or end is None else abs(value - end) for end in scaled]

    def missed(self, seeds: Mapping[str, int], error: float, distances: Sequence[float]) -> float:
        """Return how often the interval reaches a bound, with so many seeds; at most 1 per bound.

        Args:
            seeds: Id of a run → how many seeds it has, at least.
            error: How often the interval may miss the truth.
            distances: How far the number is from each of the bounds.
        """
        samples, runs = self.measured.samples, self.comparison.runs
        if not samples:  # there is no chance in it
            return 0.0
        counts = [max(seeds[run], one.count) for run, one in zip(runs, samples, strict=True)]
        known = uncertainty(samples, WEIGHTS[: len(runs)], self.measured.prior, counts)
        if known is None:  # a number of unknown spread may be anywhere
            return float(len(distances))
        return math.fsum(known.missed(distance, error) for distance in distances)


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


def effort(results: Results, compared: Sequence[Compared]) -> Effort | None:
    """Say what it would take to decide a claim.

    Args:
        results: What was collected; the trainings' times come from there.
        compared: All comparisons of the claim, at least one of which does not speak for it.

    Returns:
        None where it cannot be said, because a spread is unknown.
    """
    error = compared[0].measured.error
    have: dict[str, int] = {}
    for one in compared:
        for run, count in zip(one.comparison.runs, one.measured.seeds, strict=True):
            have[run] = min(count, have.get(run, count))
    outside = [one for one in compared if not one.is_inside]
    if outside:
        known = [one for one in outside if one.is_known]
        plans = [
            _fewest([one], have, error / len(compared), lambda one: [min(one.distances)])
            for one in known
        ]
        reachable = [plan for plan in plans if plan is not None]
        if reachable:
            fewest = min(
                reachable, key=lambda plan: sum(count - have[run] for run, count in plan.items())
            )
            return _priced(results, False, fewest, have)
        return Effort(False, None) if len(known) == len(outside) else None
    if not all(one.is_known for one in compared):
        return None
    plan = _fewest(compared, have, error, lambda one: one.distances)
    return Effort(True, None) if plan is None else _priced(results, True, plan, have)


def _fewest(
    compared: Sequence[Compared],
    have: Mapping[str, int],
    error: float,
    bounds: Callable[[Compared], Sequence[float]],
) -> dict[str, int] | None:
    """Find the seeds with which no interval reaches a bound in 80% of the cases.

    Seeds are added one by one where they are needed most: to the comparison that fails most often,
    and there to the run with the fewest.

    Args:
        compared: What is compared.
        have: Id of a run → how many seeds it has.
        error: How often an interval may miss the truth.
        bounds: Gives the distances of a comparison's number from the bounds that its interval may
            not reach.

    Returns:
        Id of a run → how many seeds it needs in all; None where one would need more than
        :data:`MOST`.
    """
    runs = {run for one in compared for run in one.comparison.runs}
    seeds = {run: count for run, count in have.items() if run in runs}
    distances = [bounds(one) for one in compared]
    missed = [one.missed(seeds, error, its) for one, its in zip(compared, distances, strict=True)]
    while math.fsum(missed) > 1 - POWER:
        worst = compared[max(range(len(missed)), key=missed.__getitem__)].comparison.runs
        fewest = min(seeds[run] for run in worst)
        if fewest >= MOST:
            return None
        changed = {run for run in worst if seeds[run] == fewest}
        seeds |= dict.fromkeys(changed, fewest + 1)
        for number, one in enumerate(compared):
            if changed & {*one.comparison.runs}:
                missed[number] = one.missed(seeds, error, distances[number])
    return seeds


def _priced(
    results: Results, would_hold: bool, seeds: dict[str, int], have: dict[str, int]
) -> Effort:
    """Leave out the runs that have enough, and add what the further trainings cost."""
    more = {run: count for run, count in seeds.items() if count > have[run]}
    prices = {run: price_of_another(results.runs[run]) for run in more if run in results.runs}
    hours = {run: one.hours for run, one in prices.items() if one is not None and one.hours}
    units = {one.unit for one in prices.values() if one is not None}
    if hours.keys() != more.keys() or len(units) != 1:
        return Effort(would_hold, more)
    total = math.fsum((count - have[run]) * hours[run] for run, count in more.items())
    if units == {"core"}:
        return Effort(would_hold, more, core_hours=total)
    return Effort(would_hold, more, gpu_hours=total)

"""The number of a comparison, estimated from several trainings, and how uncertain it is.

**The interval.** The 95% interval of a difference of two means is Welch's: it takes quantiles of
Student's t with Satterthwaite's degrees of freedom. A model and its baseline need not scatter
alike, and two to five seeds are too few to find out whether they do. Quotients are compared as
logarithms. Where a comparison sets two quantities of the same training against each other, they are
subtracted from each other within the training first, because they share its luck.

**Seeds.** A run and its baseline are not paired by seed. Equal seeds give both of them the same
order of images, but different weights, different sampled RoIs and different numbers drawn by
different heads. What they share is too little to be worth pairing, which would halve the degrees of
freedom (with three seeds, t would be 4.3 rather than 2.8). If they do share something, Welch's
interval is too wide rather than too narrow. Spreads are not pooled over several runs, because that
would assume that all runs scatter alike.

**No interval.** With one seed the spread is unknown, and two seeds with the very same value do not
show that it is zero: there is a number then, but no interval. Where there is no chance in a metric,
such as a count of parameters, one training settles it, and the interval is the number itself.
"""

import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scipy.special import stdtrit

from tsd.experiments.comparisons import Comparison

ERROR = 0.05
"""How often an interval may miss the truth."""

LookUp = Callable[[str, str], Mapping[int, float]]
"""Ids of a run and of a metric → seed → value."""


@dataclass(frozen=True)
class Estimate:
    """The number of a comparison.

    Args:
        value: What the means over the trainings give for it.
        interval: Its 95% interval; None where the spread is unknown.
        wide: Its interval at such a level that those of all comparisons of a claim together contain
            the truth 95% of the time; None where the spread is unknown.
        seeds: Number of trainings of the run and, if there is one, of the baseline.
        error: How often the interval may miss the truth, which its level follows from.
    """

    value: float
    interval: tuple[float, float] | None
    wide: tuple[float, float] | None
    seeds: tuple[int, ...]
    error: float = ERROR


def estimate(
    comparison: Comparison,
    look_up: LookUp,
    is_exact: bool = False,
    comparisons: int = 1,
    error: float = ERROR,
) -> Estimate | None:
    """Compute the number of a comparison.

    Args:
        comparison: What is compared.
        look_up: Where the values come from.
        is_exact: Whether no chance is in it.
        comparisons: How many comparisons the claim makes.
        error: How often the interval may miss.

    Returns:
        None where the run or the baseline has no value.
    """
    groups = [_sample(comparison, look_up, run) for run in comparison.runs]
    if not all(groups):
        return None
    value, *baseline = (statistics.fmean(group) for group in groups)
    value -= sum(baseline)

    def interval(missing: float) -> tuple[float, float] | None:
        half = 0.0 if is_exact else half_width(groups, missing)
        if half is None:
            return None
        return comparison.unscaled(value - half), comparison.unscaled(value + half)

    return Estimate(
        comparison.unscaled(value),
        interval(error),
        interval(error / comparisons),
        tuple(map(len, groups)),
        error,
    )


def half_width(groups: list[list[float]], error: float) -> float | None:
    """Return how far Welch's interval reaches to either side of a mean or a difference of means.

    Args:
        groups: The values of one or two independent samples.
        error: How often the interval may miss.

    Returns:
        None where the spread is unknown: a sample has fewer than two values, or no value differs
        from the others of its sample.
    """
    if any(len(group) < 2 for group in groups):
        return None
    parts = [statistics.variance(group) / len(group) for group in groups]
    total = math.fsum(parts)
    if total == 0:
        return None
    freedom = 1 / sum(
        (part / total) ** 2 / (len(group) - 1) for part, group in zip(parts, groups, strict=True)
    )
    return float(stdtrit(freedom, 1 - error / 2)) * math.sqrt(total)


def _sample(comparison: Comparison, look_up: LookUp, run: str) -> list[float]:
    """Gather the quantity of each training of a run that has all of its metrics, as compared."""
    quantity = comparison.quantity
    values = {name: look_up(run, name) for name in quantity.all_metrics}
    seeds = set.intersection(*(set(by_seed) for by_seed in values.values()))
    sample = []
    for seed in sorted(seeds):
        value = statistics.fmean(values[name][seed] for name in quantity.metrics)
        if quantity.less:
            value -= statistics.fmean(values[name][seed] for name in quantity.less)
        scaled = comparison.scaled(value)
        if scaled is not None:
            sample.append(scaled)
    return sample

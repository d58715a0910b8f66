"""The number of a comparison, estimated from several trainings, and how uncertain it is.

**The interval.** The 95% interval of a difference of two means takes quantiles of Student's t. The
variances come from :mod:`tsd.reporting.moderation`, where the runs of a grid tell of each other's
spread. Where too few of them have any, the interval is Welch's: each run has its own variance, with
Satterthwaite's degrees of freedom. Quotients are compared as logarithms, on which scale their
spreads are told of each other too. Where a comparison sets two quantities of the same training
against each other, they are subtracted from each other within the training first, because they
share its luck.

**Seeds.** A run and its baseline are not paired by seed. Equal seeds give both of them the same
order of images, but different weights, different sampled RoIs and different numbers drawn by
different heads. What they share is too little to be worth pairing, which would halve the degrees of
freedom (with three seeds and each run's own variance, t would be 4.3 rather than 2.8). If they do
share something, the interval is too wide rather than too narrow.

**No interval.** If nothing can be borrowed, the spread of a run with one seed is unknown, and seeds
that all have the very same value do not show that it is zero: there is a number then, but no
interval, however much the other run scatters.
Where there is no chance in a metric, such as a count of parameters, one training settles it, and
the interval is the number itself.

**What could have been found.** Beside the interval stands the smallest difference that so many
trainings show with a chance of 80%, if it is there. An interval that misses it is no evidence that
there is none.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
from scipy.special import stdtrit

from tsd.experiments.comparisons import Comparison
from tsd.reporting import power
from tsd.reporting.moderation import Array, Prior

ERROR = 0.05
"""How often an interval may miss the truth."""

POWER = 0.8
"""How often a difference has to be found for it to be called one that can be found."""

LookUp = Callable[[str, str], Mapping[int, float]]
"""Ids of a run and of a metric → seed → value."""


@dataclass(frozen=True)
class Sample:
    """A quantity of the trainings of one run, on the scale on which it is compared.

    Args:
        count: Number of trainings.
        mean: Their mean.
        variance: Their sample variance; None where it says nothing, because there are fewer than
            two different values.
    """

    count: int
    mean: float
    variance: float | None


@dataclass(frozen=True)
class Uncertainty:
    """How far a weighted sum of the means of some runs may lie from the truth.

    Args:
        variances: Array[K], what is taken for the variances of the runs.
        parts: Array[K], what each run adds to the variance of the sum.
        freedom: Degrees of freedom of their sum.
    """

    variances: Array
    parts: Array
    freedom: float

    @property
    def standard_error(self) -> float:
        """Standard error of the sum."""
        return math.sqrt(self.parts.sum())

    def half_width(self, error: float) -> float:
        """Return how far the interval reaches to either side.

        Args:
            error: How often the interval may miss.
        """
        return self._reach(error) * self.standard_error

    def detectable(self, error: float) -> float:
        """Return how far the truth has to lie from a bound to be seen to with a chance of 80%.

        Args:
            error: How often the interval may miss.
        """
        return power.needed(POWER, self.freedom, self._reach(error)) * self.standard_error

    def missed(self, distance: float, error: float) -> float:
        """Return how often an interval reaches a bound on one side.

        Args:
            distance: How far the truth lies from the bound.
            error: How often the interval may miss.
        """
        return power.missed(distance / self.standard_error, self.freedom, self._reach(error))

    def _reach(self, error: float) -> float:
        """Return how far the interval reaches to either side, in standard errors."""
        return float(stdtrit(self.freedom, 1 - error / 2))


@dataclass(frozen=True)
class Estimate:
    """The number of a comparison.

    Args:
        value: What the means over the trainings give for it.
        interval: Its interval, which misses the truth as often as ``error`` says; None where the
            spread is unknown.
        wide: Its interval at such a level that those of all comparisons of a claim together contain
            the truth at least as often as ``interval`` does; None where the spread is unknown.
        detectable: The smallest difference that can be found, as a difference of the number or, for
            a quotient, as the quotient; None where the spread is unknown.
        seeds: Number of trainings of the run and, if there is one, of the baseline.
        error: How often the interval may miss the truth.
        is_moderated: Whether the interval rests on the spread of other runs too.
        samples: What the number was made of; empty where there is no chance in it.
        prior: What the runs of the grid tell of each other's spread; None where nothing.
    """

    value: float
    interval: tuple[float, float] | None
    wide: tuple[float, float] | None
    detectable: float | None
    seeds: tuple[int, ...]
    error: float = ERROR
    is_moderated: bool = False
    samples: tuple[Sample, ...] = ()
    prior: Prior | None = None


def estimate(
    comparison: Comparison,
    look_up: LookUp,
    is_exact: bool = False,
    comparisons: int = 1,
    prior: Prior | None = None,
    error: float = ERROR,
) -> Estimate | None:
    """Compute the number of a comparison.

    Args:
        comparison: What is compared.
        look_up: Where the values come from.
        is_exact: Whether no chance is in it.
        comparisons: How many comparisons the claim makes.
        prior: What the runs of the grid tell of each other's spread; None where nothing.
        error: How often the interval may miss the truth.

    Returns:
        None where the run or the baseline has no value.
    """
    samples = [sample(comparison, look_up, run) for run in comparison.runs]
    found = [one for one in samples if one is not None]
    if len(found) < len(samples):
        return None
    return weighted(comparison, found, WEIGHTS[: len(found)], is_exact, comparisons, prior, error)


WEIGHTS = (1.0, -1.0)
"""How often the means of a run and of its baseline count in a comparison."""


def weighted(
    comparison: Comparison,
    samples: Sequence[Sample],
    weights: Sequence[float],
    is_exact: bool = False,
    comparisons: int = 1,
    prior: Prior | None = None,
    error: float = ERROR,
) -> Estimate:
    """Compute a weighted sum of the means of some runs, such as a difference of two.

    Args:
        comparison: Its kind says on which scale the means are summed.
        samples: Those of the runs.
        weights: How often each counts.
        is_exact: Whether no chance is in it.
        comparisons: How many comparisons the claim makes.
        prior: What the runs of the grid tell of each other's spread; None where nothing.
        error: How often the interval may miss the truth.
    """
    value = math.fsum(w * one.mean for w, one in zip(weights, samples, strict=True))
    seeds = tuple(one.count for one in samples)
    back = comparison.unscaled
    if is_exact:
        same = (back(value), back(value))
        return Estimate(back(value), same, same, None, seeds, error)
    known = uncertainty(samples, weights, prior)
    if known is None:
        return Estimate(
            back(value), None, None, None, seeds, error, samples=tuple(samples), prior=prior
        )

    def interval(error: float) -> tuple[float, float]:
        half = known.half_width(error)
        return back(value - half), back(value + half)

    return Estimate(
        back(value),
        interval(error),
        interval(error / comparisons),
        back(known.detectable(error)),
        seeds,
        error,
        prior is not None,
        tuple(samples),
        prior,
    )


def uncertainty(
    samples: Sequence[Sample],
    weights: Sequence[float],
    prior: Prior | None,
    counts: Sequence[int] | None = None,
) -> Uncertainty | None:
    """Return how uncertain a weighted sum of the means of some runs is.

    Args:
        samples: Those of the runs.
        weights: How often each counts.
        prior: What the runs of the grid tell of each other's spread; None where nothing.
        counts: As many trainings of each run as if there were; None for those that there are.

    Returns:
        None where a spread is unknown: there is nothing to borrow, and some sample has fewer than
        two different values. None also where no mean counts.
    """
    have = numpy.array([one.count for one in samples])
    then = have if counts is None else numpy.array(counts)
    squares = numpy.array(weights) ** 2 / then
    own = numpy.array([0.0 if one.variance is None else one.variance for one in samples])
    if prior is None:
        if any(one.variance is None for one in samples):
            return None
        parts = squares * own
        if not parts.any():
            return None
        return Uncertainty(own, parts, float(satterthwaite(parts, then - 1.0)))
    # A sample without a spread has no degree of freedom, so that it borrows all of its variance.
    has_spread = own > 0
    freedoms = numpy.where(has_spread, have - 1.0, 0.0)
    variances = prior.moderate(own, freedoms)
    parts, later = squares * variances, freedoms + then - have
    if not parts.any():
        return None
    freedom = prior.after(freedoms, later).degrees(parts, later)
    return Uncertainty(variances, parts, float(freedom))


def satterthwaite(parts: Array, freedoms: Array) -> Any:
    """Return the degrees of freedom of a sum of independent variances.

    Args:
        parts: Array[..., K], what each of K samples adds to it.
        freedoms: Array[K], one less than the number of values of each sample.
    """
    shares = parts / parts.sum(-1, keepdims=True)
    return 1 / (shares**2 / freedoms).sum(-1)


def sample(comparison: Comparison, look_up: LookUp, run: str) -> Sample | None:
    """Gather the quantity of the trainings of a run that have all of its metrics, as compared.

    Args:
        comparison: Its quantity is read, and its kind says on which scale.
        look_up: Where the values come from.
        run: Id of the run, one of the comparison's or another one.

    Returns:
        None where no training has a value.
    """
    found = values_of(comparison, look_up, run)
    if not found:
        return None
    return Sample(len(found), statistics.fmean(found), variance_of(found))


def values_of(comparison: Comparison, look_up: LookUp, run: str) -> list[float]:
    """List the quantity of each training of a run that has all of its metrics, as compared.

    Args:
        comparison: Its quantity is read, and its kind says on which scale.
        look_up: Where the values come from.
        run: Id of the run, one of the comparison's or another one.
    """
    quantity = comparison.quantity
    values = {name: look_up(run, name) for name in quantity.all_metrics}
    seeds = set.intersection(*(set(by_seed) for by_seed in values.values()))
    found = []
    for seed in sorted(seeds):
        value = statistics.fmean(values[name][seed] for name in quantity.metrics)
        if quantity.less:
            value -= statistics.fmean(values[name][seed] for name in quantity.less)
        scaled = comparison.scaled(value)
        if scaled is not None:
            found.append(scaled)
    return found


def variance_of(values: Sequence[float]) -> float | None:
    """Return the sample variance of some values.

    Args:
        values: At least one.

    Returns:
        None where it says nothing, because the values differ by nothing but rounding.
    """
    rounding = 1e-9 * max(map(abs, values))
    if max(values) - min(values) <= rounding:
        return None
    return statistics.variance(values)

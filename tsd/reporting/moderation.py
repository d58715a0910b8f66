"""What the runs of a grid tell of each other's spread, so that few seeds of each are enough.

**Why a run may borrow.** Two seeds hardly tell how much a run scatters: the variance of two values
is off by a factor of three in either direction about half of the time. The runs of a grid are
trained by one recipe on one data set, and what scatters in them is the same, namely first weights,
the order of images and sampled regions. Their spreads are therefore alike, though not equal. To
pool them would say that they are equal, and would give a run that scatters more than the others an
interval that is too short. To use each alone, as Welch's interval does, says that they have nothing
in common, and wastes what is known. This module takes the way between: it measures how alike the
spreads are, and lends a run as much as that allows.

**How.** The model is that of limma (Smyth 2004, "Linear models and empirical Bayes methods for
assessing differential expression in microarray experiments", Section 6.2; ``fitFDist`` and
``squeezeVar`` in its code). The variances σᵢ² of the runs follow a scaled inverse χ² law around
s₀² with d₀ degrees of freedom, so that the variance sᵢ² of dᵢ + 1 trainings follows s₀² F(dᵢ, d₀).
The variance of log sᵢ² is ψ′(dᵢ/2) + ψ′(d₀/2): what exceeds the first term is the runs' own
difference and gives d₀. The estimate that a run's interval uses is the mean of its own variance
and s₀², weighted with their degrees of freedom: (d₀ s₀² + dᵢ sᵢ²) / (d₀ + dᵢ). It has d₀ + dᵢ
degrees of freedom. A run with a single training has dᵢ = 0, so that its variance is s₀² with d₀.

Three things are done otherwise than there. All three were chosen by the simulation that
``docs/verdicts.md`` reports.

1. s₀² is the most likely one given d₀, rather than the one that the mean of log sᵢ² gives. The
   logarithm of a variance with one degree of freedom is mostly noise, and two seeds are the usual
   case here.
2. d₀ is never taken to be above :data:`MOST_ALIKE`. A few dozen runs cannot tell spreads that
   differ by a third from equal ones, so that equality, which limma allows, must not be concluded.
3. For a difference of two runs, the reciprocals of their degrees of freedom are averaged, weighted
   with the runs' shares of the variance. Satterthwaite's formula for independent variances, which
   adds the degrees, would overrate what is known: s₀² is a large part of both variances, and an
   error of it is one error and not two. For the same reason the result is never above the degrees
   of freedom with which s₀² itself is known, divided by the share of the variance that is lent.

**What it rests on.** A run that scatters several times as much as the others, such as one that
sometimes diverges, makes d₀ small, and then nobody borrows much. If only a few runs have a spread,
they tell too little of it: below :data:`FEWEST` runs Welch's interval is used.
"""

from dataclasses import dataclass
from typing import Any

import numpy
from numpy.typing import NDArray
from scipy.special import digamma, polygamma

Array = NDArray[numpy.float64]

FEWEST = 4
"""So many runs have to have a spread of their own before any borrows. Fewer say next to nothing of
how alike they are; from four on, borrowing is never the worse choice (``docs/verdicts.md``)."""

MOST_ALIKE = 6.0
"""Degrees of freedom d₀ of the most that runs are taken to be alike. At 6 the standard deviation of
log σᵢ is √ψ′(3) / 2 = 0.31: spreads of runs differ by about a third."""

HALVINGS, NEWTONS = 40, 10
"""Steps of the two iterations, which have then converged to more than six digits."""


@dataclass(frozen=True)
class Prior:
    """How much the runs of a grid scatter in one quantity, and how alike they are in that.

    Each number may be an array over independent grids, which are then estimated at once.

    Args:
        variance: s₀², around which the variances of the runs lie.
        freedom: d₀, the degrees of freedom that it is worth in the estimate for one run.
        known: The degrees of freedom with which s₀² itself is known.
    """

    variance: Any
    freedom: Any
    known: Any

    def moderate(self, variances: Array, freedoms: Array) -> Array:
        """Draw the runs' own variances towards what all runs have.

        Args:
            variances: Array[..., K], of K runs. What stands where a run has no degree of freedom
                does not count.
            freedoms: Array[K], one less than the number of trainings.

        Returns:
            Array[..., K].
        """
        own = numpy.where(freedoms > 0, freedoms * variances, 0.0)
        lent = _column(self.freedom) * _column(self.variance)
        moderated: Array = (lent + own) / (_column(self.freedom) + freedoms)
        return moderated

    def degrees(self, parts: Array, freedoms: Array) -> Array:
        """Return the degrees of freedom of a sum of moderated variances.

        Args:
            parts: Array[..., K], what each of K runs adds to the variance of a mean or difference.
            freedoms: Array[K], one less than the number of trainings of each run.

        Returns:
            Array[...].
        """
        shares = parts / parts.sum(-1, keepdims=True)
        total = _column(self.freedom) + freedoms
        average = 1 / (shares / total).sum(-1)
        lent = (shares * _column(self.freedom) / total).sum(-1)
        degrees: Array = numpy.minimum(average, self.known / lent)
        return degrees

    def after(self, before: Array, then: Array) -> "Prior":
        """Return what would be known if some runs had other numbers of trainings.

        Args:
            before: Array[K], the runs' degrees of freedom as they are.
            then: Array[K], as they would be.
        """
        added = _worth(then, self.freedom).sum(-1) - _worth(before, self.freedom).sum(-1)
        return Prior(self.variance, self.freedom, self.known + added)


def fit_prior(variances: Array, freedoms: Array) -> Prior:
    """Estimate how much the runs of a grid scatter, and how alike they are in that.

    Args:
        variances: Array[..., M], positive, of M ≥ 2 runs; the leading axes are independent grids.
        freedoms: Array[M], at least 1 each: one less than the number of trainings.
    """
    runs = variances.shape[-1]
    logs = numpy.log(variances) - digamma(freedoms / 2) + numpy.log(freedoms / 2)
    excess = logs.var(-1) * runs / (runs - 1) - polygamma(1, freedoms / 2).mean()
    least = polygamma(1, MOST_ALIKE / 2)
    freedom = 2 * _inverse_trigamma(numpy.maximum(excess, least))
    variance = _most_likely(variances, freedoms, freedom)
    return Prior(variance, freedom, _worth(freedoms, freedom).sum(-1))


def _most_likely(variances: Array, freedoms: Array, freedom: Array) -> Array:
    """Return the s₀² that makes the variances of the runs most likely, given d₀.

    The derivative of the likelihood of s₀² F(d, d₀) by log s₀² falls all the way, and is zero
    between the smallest and the largest of the variances, so that halving the interval finds it.
    """
    column = _column(freedom)
    low, high = numpy.log(variances.min(-1)), numpy.log(variances.max(-1))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        odds = freedoms * variances / (column * _column(numpy.exp(middle)))
        slope = ((freedoms + column) * odds / (1 + odds)).sum(-1) - freedoms.sum()
        low, high = numpy.where(slope > 0, middle, low), numpy.where(slope > 0, high, middle)
    found: Array = numpy.exp((low + high) / 2)
    return found


def _worth(freedoms: Array, freedom: Any) -> Array:
    """Return how many degrees of freedom of s₀² each run is worth.

    It is twice the Fisher information of s₀² F(d, d₀) on log s₀²: d for equal runs, and never above
    d₀, however often a run is trained, because one run shows one of the variances.
    """
    column = _column(freedom)
    worth: Array = freedoms * column / (freedoms + column + 2)
    return worth


def _inverse_trigamma(values: Array) -> Array:
    """Solve ψ′(x) = value, by Newton's method on 1/ψ′, which is nearly straight (Smyth 2004)."""
    found: Array = 0.5 + 1 / values
    for _ in range(NEWTONS):
        trigamma = polygamma(1, found)
        found = found + trigamma * (1 - trigamma / values) / polygamma(2, found)
    return found


def _column(value: Any) -> Array:
    """Add an axis for runs behind those of the grids."""
    return numpy.asarray(value, dtype=numpy.float64)[..., None]

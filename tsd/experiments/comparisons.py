"""What the test of a claim looks at: numbers of runs, and the ranges in which they should lie.

A :class:`Quantity` is read of every single training. A :class:`Comparison` makes one number of it:
the quantity of a run by itself, its difference from that of a baseline run, or the quotient of the
two. A :class:`Range` says where that number should lie. How the number is estimated from several
trainings is the matter of :mod:`tsd.reporting.intervals`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy

from tsd.experiments.metrics import Metric


@dataclass(frozen=True)
class Range:
    """Where a number should lie.

    Args:
        low: The lower end.
        high: The upper end.
        without_ends: Whether the ends themselves lie outside.
    """

    low: float = -math.inf
    high: float = math.inf
    without_ends: bool = False

    def contains(self, low: float, high: float) -> bool:
        """Tell whether the interval from ``low`` to ``high`` lies wholly inside."""
        if self.without_ends:
            return self.low < low and high < self.high
        return self.low <= low and high <= self.high

    def misses(self, low: float, high: float) -> bool:
        """Tell whether the interval from ``low`` to ``high`` lies wholly outside."""
        if self.without_ends:
            return high <= self.low or self.high <= low
        return high < self.low or self.high < low


@dataclass(frozen=True)
class Quantity:
    """What is read of one training: a mean of metrics, or how far it is above that of others.

    Args:
        metrics: Ids of the metrics whose mean is taken.
        less: Ids of the metrics of the same training whose mean is subtracted from it; empty where
            nothing is subtracted.
    """

    metrics: tuple[str, ...]
    less: tuple[str, ...] = ()

    @property
    def all_metrics(self) -> tuple[str, ...]:
        """Ids of all metrics that it reads."""
        return (*self.metrics, *self.less)


@dataclass(frozen=True)
class Comparison:
    """One number that a test looks at.

    Means over trainings are subtracted from each other on a scale of their own: ``scaled`` leads to
    this scale and ``unscaled`` back. It is the quantity's own scale unless a subclass says
    otherwise.

    Args:
        run: Id of the run.
        quantity: What is read of each of its trainings, and of the baseline's.
        baseline: Id of the run that it is compared with; None where it stands by itself.
    """

    run: str
    quantity: Quantity
    baseline: str | None = None

    operator: ClassVar[str]
    """What is written between the run and the baseline."""

    is_signed: ClassVar[bool]
    """Whether the number is written with its sign, as differences are."""

    @property
    def runs(self) -> tuple[str, ...]:
        """Ids of the run and, if there is one, of the baseline."""
        return (self.run,) if self.baseline is None else (self.run, self.baseline)

    def scaled(self, value: float) -> float | None:
        """Bring a value of the quantity to the scale of subtraction; None where it has no place."""
        return value

    def unscaled(self, value: float) -> float:
        """Bring a mean, or a difference of two means, back from the scale of subtraction."""
        return value

    def is_exact(self, metrics: Mapping[str, Metric]) -> bool:
        """Tell whether no chance is in it, so that one training of each run settles it."""
        return all(metrics[name].exact for name in self.quantity.all_metrics)

    def unit(self, metrics: Mapping[str, Metric]) -> str:
        """Return the unit of the number; empty where it has none."""
        return metrics[self.quantity.metrics[0]].unit

    def decimals(self, metrics: Mapping[str, Metric]) -> int:
        """Return the decimals with which the number is written."""
        return metrics[self.quantity.metrics[0]].decimals


class Alone(Comparison):
    """The quantity of a run by itself."""

    operator = ""
    is_signed = False


class Difference(Comparison):
    """The quantity of a run less that of its baseline."""

    operator = "−"
    is_signed = True


class Quotient(Comparison):
    """The quantity of a run divided by that of its baseline.

    Quotients are compared as differences of logarithms, so that twice as much and half as much are
    equally far from 1. The mean of a run is then the geometric mean of its trainings.
    """

    operator = "/"
    is_signed = False

    def scaled(self, value: float) -> float | None:
        """Return the logarithm; None for a value that has none because it is not positive."""
        return math.log(value) if value > 0 else None

    def unscaled(self, value: float) -> float:
        """Return the number of which the value is the logarithm."""
        return float(numpy.exp(value))  # infinite where it is too large; math.exp raises there

    def unit(self, metrics: Mapping[str, Metric]) -> str:
        """Return the empty text: a quotient has no unit."""
        return ""

    def decimals(self, metrics: Mapping[str, Metric]) -> int:
        """Return two: a hundredth is one percent of the baseline."""
        return 2

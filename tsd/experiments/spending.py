"""How the error of a verdict is shared out among several looks at growing results.

Whoever looks at a result again and again, and stops as soon as it looks decided, errs more often
than once: each look gives chance another try. The *spending function* of Lan and DeMets (Discrete
sequential boundaries for clinical trials, Biometrika 1983) says how much of the whole error α may
be used up when the fraction t of all data is there; it grows from 0 at t = 0 to α at t = 1.

**The function** is the one that resembles O'Brien and Fleming's boundaries: 2 − 2 Φ(z / √t) with
z the quantile of the normal distribution at 1 − α / 2. It spends little early and keeps most of the
error for the last look. This suits so few seeds: with two trainings of each run the spread is
known from one or two degrees of freedom, and an interval is very wide at any level that could be
afforded. A function that spends evenly, such as the one that resembles Pocock's boundaries, uses up
half of the error there, and then misses many gains at the last look that would else be found.

**The level of a look** is what the function adds at it. Then the looks' levels add up to α, and
whatever their intervals have in common, all of them together miss the truth with a chance of at
most α. One could allow a little more, since the looks share data, but how much more depends on
how their statistics vary together, and that on the number of comparisons that a claim divides its
error among, and on runs whose numbers of seeds differ. A sum needs no such assumption.
"""

from collections.abc import Sequence
from itertools import pairwise

from scipy.special import ndtr, ndtri


def errors_of_looks(seeds: Sequence[int], error: float) -> list[float]:
    """Return the error that each look may make.

    Args:
        seeds: How many seeds each run has at the looks, growing.
        error: The error of all looks together, above 0 and below 1.

    Returns:
        One number for each look; they add up to ``error``.
    """
    spent = [0.0, *(_spent(count / seeds[-1], error) for count in seeds)]
    return [after - before for before, after in pairwise(spent)]


def _spent(fraction: float, error: float) -> float:
    """Return the error that may be used up when a fraction of all data is there."""
    quantile = ndtri(1 - error / 2)
    return float(2 * ndtr(-quantile / fraction**0.5))

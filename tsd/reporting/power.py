"""How often an interval of Student's stays clear of a bound that lies a known distance away.

The interval reaches t standard errors to either side, and both its middle and its standard error
come from the trainings. Whether it stays clear of a bound on one side is the question whether a
variable of the noncentral t distribution is above t, where the noncentrality is the distance of the
truth from the bound in true standard errors.
"""

import math

from scipy.special import chdtrc, chdtri, nctdtr, nctdtrinc

FAR = 37.0
"""From so many standard errors on, the luck of the middle is nothing beside that of the standard
error, whose square follows a χ² law. Farther out the noncentral t distribution cannot be computed,
because the density of the middle is no number any more, and the χ² law takes its place."""


def missed(distance: float, freedom: float, reach: float) -> float:
    """Return how often an interval reaches a bound on one side.

    Args:
        distance: How far the truth lies from the bound, in standard errors.
        freedom: Degrees of freedom of the standard error.
        reach: How far the interval reaches to either side, in standard errors.
    """
    if math.isinf(distance):
        return 0.0 if distance > 0 else 1.0
    if reach <= FAR and distance <= FAR:
        return float(nctdtr(freedom, distance, reach))
    return float(chdtrc(freedom, freedom * (max(distance, 0.0) / reach) ** 2))


def needed(chance: float, freedom: float, reach: float) -> float:
    """Return how far from a bound the truth has to lie for the interval to stay clear of it.

    Args:
        chance: How often it should stay clear.
        freedom: Degrees of freedom of the standard error.
        reach: How far the interval reaches to either side, in standard errors.

    Returns:
        The distance in standard errors.
    """
    if reach <= FAR:
        return float(nctdtrinc(freedom, 1 - chance, reach))
    return reach * math.sqrt(float(chdtri(freedom, 1 - chance)) / freedom)

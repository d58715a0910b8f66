"""What the pairs of a claim say together, beside what each says by itself.

A claim such as "TSD raises AP with every backbone" holds if each of its pairs shows it. That is
what the sentence says, and it is hard to show with few seeds, since the weakest pair decides.
Beside it stands one statement about all pairs, in the manner of rliable (Agarwal et al. 2021, "Deep
reinforcement learning at the edge of the statistical precipice"): the mean of the pairs' numbers
with its interval, how many of the pairs point each way, and how often a single training of a run is
above a single training of its baseline.

The mean is over the pairs at hand, each counting once. A run that stands in several pairs, such as
a common baseline, is uncertain once: the mean is a weighted sum of the means of runs, and its
interval is that of such a sum (:mod:`tsd.reporting.intervals`). rliable takes a bootstrap of the
trainings instead, which needs more of them than two or three: of two values, a bootstrap shows
half of the variance. The mean says nothing of single pairs, of which one may lose while others gain
more, and nothing of pairs that are not there.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tsd.experiments.comparisons import Comparison
from tsd.reporting.intervals import ERROR, Estimate, LookUp, Sample, sample, values_of, weighted
from tsd.reporting.moderation import Prior


@dataclass(frozen=True)
class Pooled:
    """What the pairs of a claim say together.

    Args:
        comparison: The first of the pairs; the others have the same quantity and kind.
        mean: The mean of the pairs' numbers; the geometric mean of quotients.
        pairs: How many pairs have results.
        above: In how many of them the run is above its baseline.
        probability: How often a training of a run is above one of its baseline, as a mean over the
            pairs; a tie counts half.
    """

    comparison: Comparison
    mean: Estimate
    pairs: int
    above: int
    probability: float


def pool(
    comparisons: Sequence[Comparison],
    look_up: LookUp,
    identity: Callable[[str], str],
    prior: Prior | None = None,
    error: float = ERROR,
) -> Pooled | None:
    """Take the pairs of a claim together.

    Args:
        comparisons: Those that have results, no training twice.
        look_up: Where the values come from.
        identity: Tells trainings apart, whatever their runs are called.
        prior: What the runs of the grid tell of each other's spread; None where nothing.
        error: How often the interval may miss the truth.

    Returns:
        None where there are not several pairs, or where they are not about the same quantity.
    """
    if len({(type(one), one.quantity) for one in comparisons}) != 1 or len(comparisons) < 2:
        return None
    if any(one.baseline is None for one in comparisons):
        return None
    first = comparisons[0]
    weights: dict[str, float] = {}
    samples: dict[str, Sample] = {}
    values: dict[str, list[float]] = {}
    above, shares = 0, []
    for comparison in comparisons:
        sides = []
        for run, sign in zip(comparison.runs, (1, -1), strict=True):
            found = sample(comparison, look_up, run)
            if found is None:
                return None
            name = identity(run)
            samples[name], values[name] = found, values_of(comparison, look_up, run)
            weights[name] = weights.get(name, 0.0) + sign / len(comparisons)
            sides.append(name)
        ours, theirs = sides
        above += samples[ours].mean > samples[theirs].mean
        shares.append(_share(values[ours], values[theirs]))
    return Pooled(
        first,
        weighted(first, list(samples.values()), list(weights.values()), prior=prior, error=error),
        len(comparisons),
        above,
        statistics.fmean(shares),
    )


def _share(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return how often a value is above one of the others."""
    return statistics.fmean((x > y) + (x == y) / 2 for x in ours for y in theirs)

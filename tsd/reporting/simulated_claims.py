"""The declared claims as the simulation of verdicts takes them.

Claims with a direction or an order are judged at every scale, by ranges without an upper end. Those
with a size are judged at the paper's scale too, where a range is so many spreads of a training
wide: what that spread is has to be assumed here, since nobody has published it.
"""

import math
from collections.abc import Iterable, Mapping

from tsd.experiments.claims_schema import Claim
from tsd.experiments.comparisons import Comparison, Quotient
from tsd.experiments.load import Experiments
from tsd.experiments.metrics import METRICS
from tsd.reporting.simulation import Question, World

POINTS = 0.2
"""The standard deviation of AP over trainings of one model on COCO, in points, as it is assumed."""

PERCENT = 0.02
"""The standard deviation of the logarithm of a runtime over trainings, as it is assumed."""


def world_of(
    claims: Mapping[str, Claim], experiments: Experiments, runs: Iterable[str] | None = None
) -> World:
    """Return what the simulation trains and asks.

    Args:
        claims: The declared ones. Those about metrics without chance are left out.
        experiments: The declarations; a run's data set comes from there.
        runs: Only claims about these runs are asked; None for all claims.
    """
    wanted = None if runs is None else set(runs)
    questions = []
    for claim in claims.values():
        comparisons = tuple(one for one in claim.test.comparisons() if not one.is_exact(METRICS))
        if not comparisons or (wanted is not None and not wanted.issuperset(claim.runs)):
            continue
        if claim.test.expected_range() is not None:
            questions.append(Question(claim.id, comparisons, math.inf))
        width = _width(claim, comparisons[0], experiments)
        if math.isfinite(width):
            questions.append(Question(claim.id, comparisons, width))
    found = {run for question in questions for one in question.comparisons for run in one.runs}
    return World(questions, {run: experiments.run(run).dataset or "" for run in found})


def _width(claim: Claim, comparison: Comparison, experiments: Experiments) -> float:
    """Return how many spreads wide the range of a claim is at the paper's scale."""
    claimed = claim.test.claimed_range(0.0, experiments.tables.values())
    if claimed is None:
        return math.inf
    if isinstance(comparison, Quotient):
        low, high = comparison.scaled(claimed.low), comparison.scaled(claimed.high)
        return math.inf if low is None or high is None else (high - low) / PERCENT
    return (claimed.high - claimed.low) / POINTS

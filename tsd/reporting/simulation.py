"""How often verdicts err, and how often they are reached, found by simulation.

Runs are trained in numbers rather than on images, many times over: each run gets a spread of its
own, each of its trainings gets the metrics that the claims read, and intervals are made by the very
functions that make the measured ones. What is simulated is

- the structure of the claims: which runs and metrics they compare, that they share them, how many
  comparisons each makes, and how wide the range is in which its numbers should lie;
- spreads that differ from run to run: their logarithms are normal with a standard deviation of
  :data:`UNLIKENESS`;
- metrics of one training that share its luck: their correlation is :data:`SHARED`.

All numbers are in units of the spread of a typical training. An estimate is the truth plus noise
that does not depend on it, so that the noise of a set of trainings is drawn once and serves for
every truth. A *false* claim has one comparison at the very bound of its range, where it is the
hardest to tell from a true one, while the others are clearly inside. A *true* claim has all of its
comparisons at the bound, so that each of them may seem to be outside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray
from scipy.special import stdtrit

from tsd.experiments.comparisons import Comparison, Quantity
from tsd.reporting.intervals import ERROR, satterthwaite
from tsd.reporting.moderation import FEWEST, Array, Prior, fit_prior

UNLIKENESS = 0.3
"""Standard deviation of the logarithm of the runs' spreads, for which the intervals are made."""

SHARED = 0.7
"""Correlation of two metrics of one training."""

EFFECTS = tuple(number / 2 for number in range(11))
"""How far inside its range a number lies, for which the chance of a verdict is found."""


@dataclass(frozen=True)
class Question:
    """A claim, as far as its judgement goes.

    Args:
        claim: Its id.
        comparisons: What it compares.
        width: How wide the range of its numbers is; infinite for a direction.
    """

    claim: str
    comparisons: tuple[Comparison, ...]
    width: float


@dataclass(frozen=True)
class Rates:
    """How the claims are judged, each as a mean over the replications.

    Args:
        held_falsely: How often a claim is said to hold although one of its comparisons lies at the
            bound, Array[Q] of the questions.
        refuted_falsely: How often it is said not to hold although none lies beyond it, Array[Q].
        missed: How often an interval of a comparison misses the truth, Array[Q].
        holds: How often a claim is said to hold, for each of the :data:`EFFECTS` at which all of
            its comparisons lie inside, Array[Q, E].
    """

    held_falsely: Array
    refuted_falsely: Array
    missed: Array
    holds: Array


@dataclass(frozen=True)
class World:
    """What is trained and asked.

    Args:
        questions: The claims.
        families: Id of a run → name of the data set on which it is trained.
        unlikeness: Standard deviation of the logarithm of the runs' spreads.
    """

    questions: Sequence[Question]
    families: Mapping[str, str]
    unlikeness: float = UNLIKENESS

    @property
    def comparisons(self) -> list[Comparison]:
        """Those of all claims, each once."""
        return list(dict.fromkeys(one for q in self.questions for one in q.comparisons))

    @property
    def runs(self) -> list[str]:
        """Ids of the runs that are compared."""
        return list(dict.fromkeys(run for one in self.comparisons for run in one.runs))

    @property
    def metrics(self) -> list[str]:
        """Ids of the metrics that are read."""
        quantities = (one.quantity for one in self.comparisons)
        return list(dict.fromkeys(name for one in quantities for name in one.all_metrics))


def simulate(
    world: World, seeds: Mapping[str, int], is_moderated: bool, replications: int, seed: int = 0
) -> Rates:
    """Judge the claims of a world over and over.

    Args:
        world: What is trained and asked.
        seeds: Id of a run → number of its trainings.
        is_moderated: Whether runs borrow spread; otherwise the intervals are Welch's.
        replications: How often everything is trained anew.
        seed: Where the random numbers start. Equal seeds give both kinds of interval the same
            trainings.
    """
    numbers = numpy.random.default_rng(seed)
    values = train(world, max(seeds.values()), replications, numbers)
    noise = _noise(world, values, seeds, is_moderated)
    rates = [_rates(question, noise) for question in world.questions]
    return Rates(*(numpy.array(column) for column in zip(*rates, strict=True)))


def train(
    world: World, seeds: int, replications: int, numbers: numpy.random.Generator
) -> dict[str, Array]:
    """Draw the metrics of trainings, the truth of all of which is zero.

    Args:
        world: What is trained and asked.
        seeds: So many trainings of each run are drawn.
        replications: How often everything is trained anew.
        numbers: The random numbers.

    Returns:
        Id of a metric → Array[replications, runs, seeds].
    """
    shape = (replications, len(world.runs), seeds)
    spreads = numpy.exp(numbers.normal(0, world.unlikeness, shape[:2]))[..., None]
    luck = numpy.sqrt(SHARED) * numbers.normal(size=shape)
    own = numpy.sqrt(1 - SHARED)
    return {name: spreads * (luck + own * numbers.normal(size=shape)) for name in world.metrics}


def typical(quantity: Quantity) -> float:
    """Return the spread of a quantity over trainings of a run with a spread of 1 in each metric.

    Args:
        quantity: A mean of metrics, or a difference of two.
    """
    counts = [len(names) for names in (quantity.metrics, quantity.less) if names]
    common = SHARED if len(counts) == 1 else 0.0
    return float(numpy.sqrt(common + (1 - SHARED) * sum(1 / count for count in counts)))


@dataclass(frozen=True)
class _Noise:
    """What chance does to a comparison, each Array[replications]."""

    error: Array
    standard_error: Array
    freedom: Array

    def half_width(self, error: float) -> Array:
        """Return how far the interval reaches; infinite where there is none."""
        half: Array = stdtrit(self.freedom, 1 - error / 2) * self.standard_error
        return half


def _noise(
    world: World, values: Mapping[str, Array], seeds: Mapping[str, int], is_moderated: bool
) -> dict[Comparison, _Noise]:
    """Estimate each comparison in each replication."""
    runs = world.runs
    counts = numpy.array([seeds[run] for run in runs])
    families = numpy.array([world.families[run] for run in runs])
    found: dict[Comparison, _Noise] = {}
    summaries: dict[Quantity, tuple[Array, Array]] = {}
    priors: dict[tuple[Quantity, str], Prior] = {}
    for comparison in world.comparisons:
        quantity = comparison.quantity
        if quantity not in summaries:
            summaries[quantity] = _summary(quantity, values, counts)
        means, variances = summaries[quantity]
        pair = [runs.index(run) for run in comparison.runs]
        members = (families == families[pair[0]]) & (counts > 1)
        own, freedoms = variances[:, pair], counts[pair] - 1.0
        error = means[:, pair[0]] - (means[:, pair[1]] if len(pair) > 1 else 0.0)
        if is_moderated and members.sum() >= FEWEST:
            key = (quantity, world.families[comparison.run])
            if key not in priors:
                priors[key] = fit_prior(variances[:, members], counts[members] - 1.0)
            prior = priors[key]
            parts = prior.moderate(own, freedoms) / counts[pair]
            freedom = prior.degrees(parts, freedoms)
        elif min(freedoms) > 0:
            parts = own / counts[pair]
            freedom = satterthwaite(parts, freedoms)
        else:
            parts = numpy.full_like(own, numpy.inf)
            freedom = numpy.ones(len(own))
        found[comparison] = _Noise(error, numpy.sqrt(parts.sum(-1)), freedom)
    return found


def _summary(
    quantity: Quantity, values: Mapping[str, Array], counts: NDArray[numpy.int64]
) -> tuple[Array, Array]:
    """Return means and sample variances of a quantity over the trainings of each run.

    Returns:
        Two of Array[replications, runs]; the variance of a single training is 0.
    """
    read = sum(values[name] for name in quantity.metrics) / len(quantity.metrics)
    if quantity.less:
        read = read - sum(values[name] for name in quantity.less) / len(quantity.less)
    read = numpy.asarray(read) / typical(quantity)
    is_trained = numpy.arange(read.shape[-1]) < counts[:, None]
    means = (read * is_trained).sum(-1) / counts
    squares = (((read - means[..., None]) * is_trained) ** 2).sum(-1)
    return means, squares / numpy.maximum(counts - 1, 1)


def _rates(
    question: Question, noise: Mapping[Comparison, _Noise]
) -> tuple[float, float, float, list[float]]:
    """Judge a claim in each replication."""
    found = [noise[comparison] for comparison in question.comparisons]
    errors = numpy.array([one.error for one in found])
    halves = numpy.array([one.half_width(ERROR) for one in found])
    wide = numpy.array([one.half_width(ERROR / len(found)) for one in found])

    def inside(effect: float) -> NDArray[numpy.bool_]:
        """Tell where an interval lies in the range; a number lies at its middle at most."""
        numbers = min(effect, question.width / 2) + errors
        return (numbers - halves > 0) & (numbers + halves < question.width)

    outside = (errors + wide < 0) | (errors - wide > question.width)
    return (
        float(inside(0).mean()),
        float(outside.any(0).mean()),
        float((abs(errors) > halves).mean()),
        [float(inside(effect).all(0).mean()) for effect in EFFECTS],
    )

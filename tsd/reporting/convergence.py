"""How long trainings were, and whether the baseline had stopped to gain when they ended.

A gain that holds at a short training may be one in speed alone. A report of a small scale therefore
says for which length its claims hold, and whether its baseline would still climb. Both are computed
from the collected results.
"""

import math
import statistics
from collections import Counter
from dataclasses import dataclass

from tsd.experiments.metrics import MAIN, Metric
from tsd.reporting.cells import Measured
from tsd.reporting.wording import number
from tsd.results.collected import CollectedLength, CollectedRun, Results, State, Training
from tsd.results.records import MilestonesRecord

CLIMBS = 0.05
"""A baseline still climbs if it gains more than this part of its AP, by a longer training or in the
last part of its own."""


@dataclass(frozen=True)
class Curve:
    """A metric over the iterations of a run's trainings, as means over seeds.

    Args:
        on_the_way: Iterations done → value, in their order.
        end: Iterations and value at the end; None where nothing is measured there.
        seeds: Those that were measured on the way.
        rate: The last known learning rate on the way, over the highest; None where nobody knows.
    """

    on_the_way: dict[int, float]
    end: tuple[int, float] | None
    seeds: list[int]
    rate: tuple[int, float] | None


def curve_of(results: Results, run: str | None, metric: Metric) -> Curve | None:
    """Gather a metric over the iterations of a run; None where nothing was measured on its way.

    Where seeds were measured after different iterations, a mean is over those that were.
    """
    trainings = _measured(results.runs.get(run or ""), metric)
    values: dict[int, list[float]] = {}
    ends: dict[int, list[float]] = {}
    rates = []
    for training, record in trainings.values():
        for one in record.milestones:
            value = one.metrics.get(metric.id)
            if value is not None:
                values.setdefault(one.iteration, []).append(value)
                rates += [] if one.learning_rate is None else [(one.iteration, one.learning_rate)]
        end = training.metrics.get(metric.id)
        if end is not None:
            ends.setdefault(record.iterations, []).append(end)
    if not values:
        return None
    means = {iteration: statistics.fmean(found) for iteration, found in sorted(values.items())}
    last = max(ends, default=None)
    return Curve(
        on_the_way=means,
        end=None if last is None else (last, statistics.fmean(ends[last])),
        seeds=sorted(trainings),
        rate=max(rates, default=None),
    )


def _measured(
    run: CollectedRun | None, metric: Metric
) -> dict[int, tuple[Training, MilestonesRecord]]:
    """The evaluated trainings of a run that were also measured on their way, by seed."""
    if run is None or not run.is_shown:
        return {}
    return {
        seed: (training, training.milestones)
        for seed, training in run.seeds.items()
        if training.state is State.EVALUATED
        and training.milestones is not None
        and any(one.metrics.get(metric.id) is not None for one in training.milestones.milestones)
    }


def at_length(length: CollectedLength, run: str | None, metric: str) -> Measured:
    """Gather a metric over the seeds of a run at a length; one that is not finite is left out."""
    seeds = length.runs.get(run or "", {})
    values = {seed: metrics.get(metric) for seed, metrics in sorted(seeds.items())}
    finite = {seed: v for seed, v in values.items() if v is not None and math.isfinite(v)}
    return Measured(State.EVALUATED if finite else State.NOT_RUN, finite, len(seeds))


def length_phrase(results: Results) -> str:
    """Write how many iterations the evaluated trainings have; empty where none was trained here."""
    counts = {
        training.train.iterations
        for training in results.trainings()
        if training.state is State.EVALUATED and training.train and training.train.iterations
    }
    if not counts:
        return ""
    low, high = min(counts), max(counts)
    return f"{low:,} iterations" if low == high else f"{low:,} to {high:,} iterations"


def baseline_of(results: Results) -> str | None:
    """The run that most rows of the tables take for their baseline; None where no row has one."""
    counts = Counter(
        row.baseline for table in results.tables for row in table.rows if row.baseline is not None
    )
    return counts.most_common(1)[0][0] if counts else None


def convergence_remark(results: Results) -> str:
    """Say whether the baseline of a small scale still climbs at the end of its training.

    The results of a longer variant of the scale decide where there are some: what the last part of
    a training itself gains is also the effect of a learning rate that comes down there.

    Args:
        results: The content of ``results.json``.

    Returns:
        A sentence or two; empty at the paper's scale, whose trainings are as long as the paper's,
        and where the baseline is not evaluated.
    """
    baseline = baseline_of(results)
    if results.scale.is_paper or baseline not in results.runs:
        return ""
    return (
        _from_a_longer_variant(results, baseline)
        or _from_the_way(results, baseline)
        or _unknown(results, baseline)
    )


def _from_a_longer_variant(results: Results, baseline: str) -> str:
    """Say what the next longer trainings with results give; empty where there are none."""
    own = next((length for length in results.lengths if length.ratio == 1), None)
    reached = None if own is None else at_length(own, baseline, MAIN).mean
    if reached is None:
        return ""
    for longer in results.lengths:
        reached_later = at_length(longer, baseline, MAIN).mean
        if longer.ratio > 1 and reached_later is not None:
            where = (
                f"when trained {longer.ratio:g} times as long "
                f"({longer.trainings}, grid {longer.grid})"
            )
            return _sentence(results, baseline, reached_later - reached, reached, where)
    return ""


def _from_the_way(results: Results, baseline: str) -> str:
    """Say what the last part of the baseline's training gives; empty where nobody measured it."""
    curve = curve_of(results, baseline, results.metrics[MAIN])
    if curve is None or curve.end is None:
        return ""
    iterations, reached = curve.end
    last = max(curve.on_the_way)
    where = f"in the last {1 - last / iterations:.0%} of its training"
    sentence = _sentence(results, baseline, reached - curve.on_the_way[last], reached, where)
    return f"{sentence} A part of that is the learning rate’s, which comes down there."


def _sentence(results: Results, baseline: str, gain: float, reached: float, where: str) -> str:
    """Say how much the baseline gains, and whether that is much beside what it reaches here."""
    metric = results.metrics[MAIN]
    amount = f"{number(abs(gain), metric.decimals)} {metric.title}"
    if gain > CLIMBS * reached:
        return (
            f"The trainings end while the baseline ({baseline}) still climbs: it gains {amount} "
            f"{where}. Gains over it may be gains in speed alone."
        )
    if gain < 0:
        return f"The baseline ({baseline}) gains nothing {where}: it loses {amount}."
    return (
        f"The baseline ({baseline}) gains {amount} {where}, which is no more than {CLIMBS:.0%} of "
        "what it reaches here."
    )


def _unknown(results: Results, baseline: str) -> str:
    """Say that nobody measured it."""
    if not results.runs[baseline].evaluated:
        return ""
    return f"Nobody measured whether the baseline ({baseline}) would gain by a longer training."

"""What the trainings of a run say together: its numbers over all seeds, as the report has them.

MLflow groups runs by their mean, their least and their greatest value alone. What decides whether
a gain is one, that is spread, interval and number of trainings, is computed here from the collected
results, by the very functions that fill the report's tables and judge its claims.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tsd.experiments.baselines import baselines_of
from tsd.experiments.comparisons import Alone, Comparison, Difference, Quantity
from tsd.experiments.schema import Row
from tsd.reporting import summary
from tsd.reporting.cells import Measured, Printed, fill_cell, measure, printed_values, training_id
from tsd.reporting.families import Families
from tsd.reporting.image_noise import of_gain
from tsd.reporting.intervals import Estimate, estimate
from tsd.results.collected import CollectedRun, Results


@dataclass(frozen=True)
class GainSummary:
    """How far the mean of a run is above that of a baseline, in the metric's unit.

    Args:
        value: The difference of the means.
        sd: Its standard error as the tables print it; None unless both runs have two trainings.
        interval: Its 95% interval; None where the spread is unknown.
        images_sd: The standard error that the choice of images gives to it; None where that was
            not measured.
        published: What the paper prints for it; None where it prints nothing.
    """

    value: float
    sd: float | None
    interval: tuple[float, float] | None
    images_sd: float | None
    published: float | None


@dataclass(frozen=True)
class MetricSummary:
    """A metric of a run over its seeds, in the metric's unit.

    Args:
        measured: The values by seed, with their mean and their standard deviation.
        interval: The 95% interval of the mean; None where the spread is unknown.
        is_moderated: Whether the interval rests on the spread of other runs too.
        gains: Id of a baseline → the gain over it; empty where there is no baseline with values.
    """

    measured: Measured
    interval: tuple[float, float] | None
    is_moderated: bool
    gains: dict[str, GainSummary] = field(default_factory=dict)


@dataclass(frozen=True)
class RunSummary:
    """The numbers of a run over its seeds.

    Args:
        run: Its id.
        collected: What was collected of it.
        seeds: Those of its trainings that gave a value of any metric.
        baselines: Ids of the runs from which tables count its gains, the one that is meant first
            (:mod:`tsd.experiments.baselines`).
        metrics: Id → the metric over the seeds, of those that the report shows of the run.
    """

    run: str
    collected: CollectedRun
    seeds: tuple[int, ...]
    baselines: tuple[str, ...]
    metrics: dict[str, MetricSummary]


def run_summaries(results: Results) -> list[RunSummary]:
    """Summarise each run of collected results that has a value over its seeds.

    Args:
        results: What was collected.
    """
    families = Families(results)
    printed = {table.id: printed_values(results, table) for table in results.tables}
    return [
        found
        for name in results.runs
        if (found := _summary(results, name, families, printed)) is not None
    ]


def _summary(
    results: Results, run: str, families: Families, printed: Mapping[str, Printed]
) -> RunSummary | None:
    """Summarise a run; None where none of its trainings has a value that tables would show."""
    places = baselines_of(run, results.tables)
    metrics = {}
    for metric in summary.metrics_of(results, run):
        measured = measure(results, run, metric)
        if not measured.values:
            continue
        mean = _estimate(results, Alone(run, Quantity((metric,))), families)
        gains = {
            baseline: gain
            for baseline, (table, row) in places.items()
            if (gain := _gain(results, row, metric, families, printed[table.id])) is not None
        }
        metrics[metric] = MetricSummary(
            measured,
            None if mean is None else mean.interval,
            mean is not None and mean.is_moderated,
            gains,
        )
    if not metrics:
        return None
    seeds = sorted({seed for one in metrics.values() for seed in one.measured.values})
    return RunSummary(run, results.runs[run], tuple(seeds), tuple(places), metrics)


def _gain(
    results: Results, row: Row, metric: str, families: Families, printed: Printed
) -> GainSummary | None:
    """Compute a run's gain over the baseline of a row; None where either has no value."""
    cell = fill_cell(results, row, metric, printed)
    if row.run is None or row.baseline is None or cell.gain is None:
        return None
    found = _estimate(results, Difference(row.run, Quantity((metric,)), row.baseline), families)
    noise = of_gain(results, row, metric)
    return GainSummary(
        cell.gain,
        cell.gain_sd,
        None if found is None else found.interval,
        None if noise is None else noise.sd,
        cell.published_gain,
    )


def _estimate(results: Results, comparison: Comparison, families: Families) -> Estimate | None:
    """Estimate a comparison from the trainings, its interval moderated where runs can lend."""
    if len({training_id(results, run) for run in comparison.runs}) < len(comparison.runs):
        return None
    return estimate(
        comparison,
        lambda run, metric: measure(results, run, metric).values,
        comparison.is_exact(results.metrics),
        prior=families.prior(comparison),
    )

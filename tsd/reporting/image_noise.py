"""How much the compared numbers hang on the images of the val split.

Each training has its metrics over draws of the images (:mod:`tsd.results.resamples`), and all
trainings share the draws. For each draw, the metrics are averaged over a run's seeds, and the
baseline's average is subtracted. The scatter of the differences over the draws is the noise that
the choice of images gives to the comparison, while the trainings stay as they are.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tsd.experiments.comparisons import Comparison, Difference, Quantity
from tsd.experiments.schema import Row, Table
from tsd.reporting.cells import measure, training_id
from tsd.reporting.intervals import ERROR
from tsd.results.collected import Results, Training
from tsd.results.image_noise import ImageNoise
from tsd.results.resamples import Resamples, ResamplesError
from tsd.run_folder import RunFolder

ROUNDING = 1e-6
"""Percentage points by which the same metric may differ between two files of one evaluation."""


class NotMeasuredError(Exception):
    """The noise of a comparison was not measured; the message says why."""


@dataclass
class Shelf:
    """The files of resamples of the trainings, each read once.

    Args:
        content: What was read, by the training's folder.
    """

    content: dict[str, Resamples] = field(default_factory=dict)

    def of(self, name: str, training: Training, metrics: tuple[str, ...]) -> Resamples:
        """Get what the evaluation of a training left.

        Args:
            name: What the training is called in reasons.
            training: The training.
            metrics: The ids of those that are wanted.

        Raises:
            NotMeasuredError: There is no such file, it lacks a metric, or it is of another
                evaluation than the training's metrics.
        """
        if training.folder is None:
            raise NotMeasuredError(f"{name} has no folder")
        if training.folder not in self.content:
            try:
                found = Resamples.read(RunFolder(Path(training.folder)).resamples)
            except ResamplesError as error:
                raise NotMeasuredError(str(error)) from None
            if found is None:
                raise NotMeasuredError(
                    f"{name} has no resamples of its images here; they come with its evaluation, "
                    "which needs its detections"
                )
            self.content[training.folder] = found
        found = self.content[training.folder]
        for metric in metrics:
            if metric not in found.values:
                raise NotMeasuredError(f"{name} has no resamples of {metric}")
            value = training.metrics[metric]
            if value is None or not abs(found.whole[metric] - value) <= ROUNDING:
                raise NotMeasuredError(f"{name} was evaluated anew since its images were resampled")
        return found


def image_noise(results: Results) -> list[ImageNoise]:
    """Measure the noise of every comparison that claims or tables make, where there are results.

    Args:
        results: What was collected. The folders of its trainings are read.
    """
    shelf = Shelf()
    found: dict[Comparison, ImageNoise] = {}
    for comparison in _comparisons(results):
        if comparison not in found and _is_measured(results, comparison):
            found[comparison] = _noise_or_reason(results, comparison, shelf)
    return list(found.values())


def find(results: Results, comparison: Comparison) -> ImageNoise | None:
    """Get the noise of a comparison.

    Args:
        results: What was collected.
        comparison: The comparison.

    Returns:
        None where none is collected for it: a run has no results, or its metrics do not come from
        the images of the val split.
    """
    quantity = comparison.quantity
    return results.noise_of(
        (
            comparison.run,
            comparison.operator,
            comparison.baseline,
            quantity.metrics,
            quantity.less,
        )
    )


def of_gain(results: Results, row: Row, metric: str) -> ImageNoise | None:
    """Get the noise of a table row's gain over its baseline.

    Args:
        results: What was collected.
        row: The row.
        metric: Id of the metric.

    Returns:
        None where none is collected for it.
    """
    if row.run is None or row.baseline is None:
        return None
    return find(results, Difference(row.run, Quantity((metric,)), row.baseline))


def gain_remarks(results: Results, table: Table) -> list[str]:
    """Explain the noise that stands beside a table's gains, and why some have none.

    Args:
        results: What was collected.
        table: The table.
    """
    found = [of_gain(results, row, metric) for row in table.rows for metric in table.metrics]
    known = [noise for noise in found if noise is not None]
    remarks = []
    if any(noise.sd is not None for noise in known):
        remarks.append(
            "After a gain stands its standard error over seeds and, after “images”, the one that "
            "the choice of the val split’s images gives to it, by a bootstrap over the images."
        )
    reasons = [noise.why_not for noise in known if noise.why_not is not None]
    if reasons:
        remarks.append(
            "How much a gain hangs on the choice of images was not measured "
            f"{'everywhere' if remarks else 'here'}: {reasons[0]}."
        )
    return remarks


def _comparisons(results: Results) -> Iterator[Comparison]:
    """Yield the comparisons of the claims, and the gains of the tables."""
    for claim in results.claims:
        yield from claim.test.comparisons()
    for table in results.tables:
        for row in table.rows:
            if row.run is not None and row.baseline is not None:
                for metric in table.metrics:
                    yield Difference(row.run, Quantity((metric,)), row.baseline)


def _is_measured(results: Results, comparison: Comparison) -> bool:
    """Tell whether there is a number whose noise could be known."""
    metrics = comparison.quantity.all_metrics
    if not all(results.metrics[name].is_resampled for name in metrics):
        return False
    if len({training_id(results, run) for run in comparison.runs}) < len(comparison.runs):
        return False
    return all(measure(results, run, name).values for run in comparison.runs for name in metrics)


def _noise_or_reason(results: Results, comparison: Comparison, shelf: Shelf) -> ImageNoise:
    about = ImageNoise(
        run=comparison.run,
        operator=comparison.operator,
        baseline=comparison.baseline,
        metrics=comparison.quantity.metrics,
        less=comparison.quantity.less,
    )
    try:
        return about.model_copy(update=asdict(_noise(results, comparison, shelf)))
    except NotMeasuredError as error:
        return about.model_copy(update={"why_not": str(error)})


@dataclass(frozen=True)
class _Scatter:
    """What :class:`tsd.results.image_noise.ImageNoise` says of the draws."""

    images: int
    draws: int
    sd: float
    interval: tuple[float, float]


def _noise(results: Results, comparison: Comparison, shelf: Shelf) -> _Scatter:
    """Measure the noise of a comparison.

    Raises:
        NotMeasuredError: A training lacks what is needed, or two were tested on different images.
    """
    groups = [_resamples_of(results, comparison, run, shelf) for run in comparison.runs]
    files = [one for group in groups for one in group]
    if len({one.drawn_from for one in files}) > 1:
        raise NotMeasuredError("the trainings were tested on different images")
    value, *baseline = (
        np.mean([_scaled(comparison, one) for one in group], axis=0) for group in groups
    )
    drawn = value - sum(baseline)
    number = drawn[np.isfinite(drawn)]
    if len(number) < max(2, len(drawn) / 2):
        raise NotMeasuredError("most draws of the images have no object for it")
    low, high = np.quantile(number, [ERROR / 2, 1 - ERROR / 2])
    return _Scatter(
        files[0].images,
        len(number),
        float(np.std(number, ddof=1)),
        (comparison.unscaled(float(low)), comparison.unscaled(float(high))),
    )


def _resamples_of(
    results: Results, comparison: Comparison, run: str, shelf: Shelf
) -> list[Resamples]:
    """Get the resamples of the trainings of a run that have all of the comparison's metrics."""
    metrics = comparison.quantity.all_metrics
    seeds = set.intersection(*(set(measure(results, run, name).values) for name in metrics))
    if not seeds:
        raise NotMeasuredError(f"no training of {run} has all of the metrics")
    trainings = results.runs[run].seeds
    return [shelf.of(f"{run}, seed {seed},", trainings[seed], metrics) for seed in sorted(seeds)]


def _scaled(comparison: Comparison, resamples: Resamples) -> NDArray[np.float64]:
    """The quantity of one training over the draws, on the scale of subtraction."""
    values = {
        name: resamples.values[name].astype(np.float64) for name in comparison.quantity.all_metrics
    }
    quantity = np.mean([values[name] for name in comparison.quantity.metrics], axis=0)
    if comparison.quantity.less:
        quantity = quantity - np.mean([values[name] for name in comparison.quantity.less], axis=0)
    scaled = [comparison.scaled(float(value)) for value in quantity]
    return np.array([np.nan if value is None else value for value in scaled])

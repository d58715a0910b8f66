"""The kinds of figure: how each is drawn, what it needs of a network and of its declaration.

A figure in ``experiments/figures`` names its kind, and all that depends on the kind follows from
``FIGURE_KINDS``: which names are valid, what the documentation says of them, what is checked when
the file is loaded, which files the workflow extracts from trained networks, and which function
draws the figure. A new kind is a function that draws, one that extracts if the figure looks into a
network, and an entry here.

The functions are named as text, ``module:function``, and are looked up where they are called.
Reading declarations therefore imports neither torch nor matplotlib.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tsd.experiments.metrics import METRICS

if TYPE_CHECKING:
    from tsd.experiments.schema import Figure

Requirement = Callable[["Figure"], str | None]
"""Takes a declared figure and returns what is wrong with it, or None where nothing is. The text
begins with the key at fault, as in ``key series: expected 2, found 3``."""


@dataclass(frozen=True)
class FigureKind:
    """What a kind of figure consists of.

    Args:
        shows: What such a figure shows, for the sentence "The kind … draws …".
        draw: Function that draws a figure of this kind. It takes the collected results of the
            figure's runs and the declared figure, and returns a
            :class:`tsd.reporting.drawing.Drawing`.
        extract: Function that writes what the figure shows of a trained network, where it shows
            more than metrics. It takes a :class:`tsd.experiments.job.Job` and the JSON file to
            write. The workflow calls it for the first seed of each of the figure's runs.
        requires: What has to hold of a declared figure of this kind, checked when it is loaded.
    """

    shows: str
    draw: str
    extract: str | None = None
    requires: tuple[Requirement, ...] = ()


def series_count(count: int) -> Requirement:
    """Require exactly so many series."""

    def check(figure: "Figure") -> str | None:
        found = len(figure.series)
        return None if found == count else f"key series: expected {count}, found {found}"

    return check


def runs_without_points(figure: "Figure") -> str | None:
    """Require that each series stands for one run."""
    for series in figure.series:
        if series.run is None or series.points:
            return f"key series: {series.label!r} has to name a run, and no points"
    return None


def curves_of_points(figure: "Figure") -> str | None:
    """Require that each series has either points or a run, and at least one of them points."""
    for series in figure.series:
        if (series.run is None) == (not series.points):
            return f"key series: {series.label!r} has to have either points or a run"
    if not any(series.points for series in figure.series):
        return "key series: at least one has to have points"
    return None


def one_metric(figure: "Figure") -> str | None:
    """Require a single metric."""
    found = len(figure.metrics)
    return None if found == 1 else f"key metrics: expected 1, found {found}"


def metrics_over_thresholds(figure: "Figure") -> str | None:
    """Require metrics at an IoU threshold each, which differ in nothing else."""
    measured = set()
    for name in figure.metrics:
        arguments = dict(METRICS[name].arguments)
        if arguments.pop("iou", None) is None:
            return f"key metrics: {name!r} is not measured at one IoU threshold, as AP50 is"
        measured.add((METRICS[name].of_masks, *arguments.items()))
    if len(measured) > 1:
        return f"key metrics: {', '.join(figure.metrics)} differ in more than the IoU threshold"
    return None


def published_for_each_metric(figure: "Figure") -> str | None:
    """Require that a series publishes either nothing or a value for each metric."""
    for series in figure.series:
        if series.published is not None and len(series.published) != len(figure.metrics):
            return (
                f"key published: {series.label!r} has {len(series.published)} values for "
                f"{len(figure.metrics)} metrics"
            )
    return None


def nothing_published(figure: "Figure") -> str | None:
    """Require that no series has published values, because they would not be drawn."""
    for series in figure.series:
        if series.published is not None:
            return f"key published: {series.label!r} has values, and they would not be drawn"
    return None


FIGURE_KINDS: dict[str, FigureKind] = {
    "iou": FigureKind(
        shows="AP over IoU thresholds, measured beside published",
        draw="tsd.reporting.iou_figure:draw_iou",
        requires=(
            series_count(2),
            runs_without_points,
            metrics_over_thresholds,
            published_for_each_metric,
        ),
    ),
    "margins": FigureKind(
        shows="a metric over the margins of the progressive constraint",
        draw="tsd.reporting.margin_figure:draw_margins",
        requires=(curves_of_points, one_metric, nothing_published),
    ),
    "sensitivity": FigureKind(
        shows="how a network's classification and localisation depend on the position",
        draw="tsd.reporting.sensitivity_figure:draw_sensitivity",
        extract="tsd.evaluation.sensitivity:extract_sensitivity",
        requires=(series_count(1), runs_without_points, nothing_published),
    ),
    "proposals": FigureKind(
        shows="what trained networks propose and detect on a few images",
        draw="tsd.reporting.proposals_figure:draw_proposals",
        extract="tsd.evaluation.proposals:extract_proposals",
        requires=(runs_without_points, nothing_published),
    ),
}
"""Name of the kind, as a declaration says it → the kind."""


def extractions() -> dict[str, str]:
    """The kinds that look into a trained network, by name, with their functions that do."""
    return {name: kind.extract for name, kind in FIGURE_KINDS.items() if kind.extract is not None}


def kinds_in_words() -> str:
    """Say what each kind shows, for the documentation of the key ``kind``."""
    kinds = [f"``{name}`` draws {kind.shows}" for name, kind in FIGURE_KINDS.items()]
    return f"The kind decides what is drawn and how: {'; '.join(kinds)}."

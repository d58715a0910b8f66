"""What kinds of figure may require of a declared figure.

Each function takes the figure, some of them the declared runs too, and returns what is wrong, or
None where nothing is. The text begins with the key at fault, as in ``key series: expected 2,
found 3``.
:mod:`tsd.experiments.figure_kinds` names those of each kind.
"""

from collections.abc import Mapping

from tsd.experiments.metrics import METRICS
from tsd.experiments.schema import Figure, Run

CONSTRAINT = "model.roi_head.progressive_constraint"
"""Path of the settings of the progressive constraint, whose margins are ``m_c`` and ``m_r``."""


def one_series(figure: Figure) -> str | None:
    """Require a single series."""
    return _series(figure, 1)


def two_series(figure: Figure) -> str | None:
    """Require two series, which are compared."""
    return _series(figure, 2)


def _series(figure: Figure, count: int) -> str | None:
    found = len(figure.series)
    return None if found == count else f"key series: expected {count}, found {found}"


def runs_without_points(figure: Figure) -> str | None:
    """Require that each series stands for one run."""
    for series in figure.series:
        if series.run is None or series.points:
            return f"key series: {series.label!r} has to name a run, and no points"
    return None


def baselines(figure: Figure) -> str | None:
    """Require that each series has a baseline, another run than its own."""
    for series in figure.series:
        if series.baseline is None or series.baseline == series.run:
            return f"key series: {series.label!r} has to name another run as its baseline"
    return None


def no_baselines(figure: Figure) -> str | None:
    """Require that no series has a baseline, because no gain would be drawn."""
    for series in figure.series:
        if series.baseline is not None:
            return f"key series: {series.label!r} has a baseline, and no gain would be drawn"
    return None


def curves_of_points(figure: Figure) -> str | None:
    """Require that each series has either points or a run, and at least one of them points."""
    for series in figure.series:
        if (series.run is None) == (not series.points):
            return f"key series: {series.label!r} has to have either points or a run"
    if not any(series.points for series in figure.series):
        return "key series: at least one has to have points"
    return None


def one_metric(figure: Figure) -> str | None:
    """Require a single metric."""
    found = len(figure.metrics)
    return None if found == 1 else f"key metrics: expected 1, found {found}"


def metrics_over_thresholds(figure: Figure) -> str | None:
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


def published_for_each_metric(figure: Figure) -> str | None:
    """Require that a series publishes either nothing or a value for each metric."""
    for series in figure.series:
        if series.published is not None and len(series.published) != len(figure.metrics):
            return (
                f"key published: {series.label!r} has {len(series.published)} values for "
                f"{len(figure.metrics)} metrics"
            )
    return None


def nothing_published(figure: Figure) -> str | None:
    """Require that no series has published values, because they would not be drawn."""
    for series in figure.series:
        if series.published is not None:
            return f"key published: {series.label!r} has values, and they would not be drawn"
    return None


def margins_of_their_own(figure: Figure, runs: Mapping[str, Run]) -> str | None:
    """Require that the run at each point sets that margin, of one term alone, the same of a curve.

    A run that leaves its margins to its base would be trained with those of another protocol where
    that is asked for, and would be drawn at a margin that it does not have.
    """
    for series in figure.series:
        terms = set()
        for margin, name in series.points.items():
            own = {
                key: runs[name].set.get(f"{CONSTRAINT}.{key}", "unset") for key in ("m_c", "m_r")
            }
            used = [key for key, value in own.items() if value is not None]
            if len(used) != 1 or own[used[0]] != margin:
                said = ", ".join(
                    f"{key}: {'null' if value is None else value}" for key, value in own.items()
                )
                return (
                    f"key series: {series.label!r} has the run {name} at {margin:g}, whose own "
                    f"margins are {said}; its set has to give {margin:g} to {CONSTRAINT}.m_c or "
                    f"{CONSTRAINT}.m_r, and null to the other"
                )
            terms.add(used[0])
        if len(terms) > 1:
            return f"key series: {series.label!r} is over m_c at some points, over m_r at others"
    return None

"""Figure 4: AP over the margin of the progressive constraint, a curve for each of its terms."""

import math
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tsd.experiments import schema
from tsd.experiments.metrics import Metric
from tsd.reporting.cells import Measured, measure
from tsd.reporting.drawing import INK, OURS, PAPERS, RULES, SOFT, Drawing, measured_seeds, word
from tsd.reporting.summary import seed_caveat, seeds_phrase
from tsd.reporting.wording import metric_title, number
from tsd.results.collected import Results

STYLES: tuple[dict[str, Any], ...] = (
    {"color": OURS, "marker": "o", "ls": "-", "ms": 7},
    {"color": PAPERS, "marker": "s", "ls": (0, (5, 2)), "ms": 6.5, "mfc": "white", "mew": 1.8},
)
"""How curves are drawn: as filled circles on a line, and as hollow squares on dashes."""

DODGE = 0.004
"""How far curves stand to the side of a margin, so that their error bars do not hide each other."""

SPREAD = "Error bars, and the band of the level line: sample standard deviation over seeds."

Curve = dict[float, Measured]
"""Margin → what was measured of its run."""


def draw_margins(results: Results, declared: schema.Figure) -> Drawing:
    """Draw a metric over the margin, with the run that a series without points names as reference.

    A point without results is left out of its curve and named at the lower edge.

    Args:
        results: The collected results.
        declared: The figure. The first of its metrics is drawn.
    """
    metric = results.metrics[declared.metrics[0]]
    curves = {
        series.label: curve_of(results, series, metric)
        for series in declared.series
        if series.points
    }
    references = [series for series in declared.series if series.run]
    figure = Figure(figsize=(6.4, 4.3), layout="constrained")
    axes = figure.add_subplot()
    for place, (label, curve) in enumerate(curves.items()):
        _draw_curve(axes, label, curve, STYLES[place % len(STYLES)], DODGE * (2 * place - 1))
    for series in references:
        _draw_reference(axes, series.label, measure(results, series.run, metric.id), metric)
    _finish(axes, curves, metric)
    has_spread = any(point.sd is not None for curve in curves.values() for point in curve.values())
    shown = [
        f"{metric.title} over the margin where one term of the constraint is used alone: "
        f"{' and '.join(curves)}.",
        *(f"Level line: {series.label} ({series.run})." for series in references),
        SPREAD if has_spread else "",
        seed_caveat(results),
    ]
    has_points = any(
        point.mean is not None for curve in curves.values() for point in curve.values()
    )
    seeds = measured_seeds(results) if has_points else {}
    return Drawing(figure, shown, seeds, told=[seeds_phrase(results)])


def curve_of(results: Results, series: schema.Series, metric: Metric) -> Curve:
    """Gather what was measured at each margin of a series, in ascending order of the margins."""
    return {
        margin: measure(results, run, metric.id) for margin, run in sorted(series.points.items())
    }


def _draw_curve(axes: Axes, label: str, curve: Curve, style: dict[str, Any], shift: float) -> None:
    """Draw a curve, broken where a point is missing."""
    axes.errorbar(
        [margin + shift for margin in curve],
        [math.nan if point.mean is None else point.mean for point in curve.values()],
        yerr=[math.nan if point.sd is None else point.sd for point in curve.values()],
        label=label,
        lw=1.8,
        elinewidth=1,
        capsize=3,
        zorder=3,
        **style,
    )


def _draw_reference(axes: Axes, label: str, reference: Measured, metric: Metric) -> None:
    """Draw the level of the run without constraint, or name it as missing in the legend."""
    if reference.mean is None:
        label = f"{label}: {word(reference.state)}"
        axes.plot([], [], color=INK, lw=1.2, ls=":", label=label)
        return
    label = f"{label}, {number(reference.mean, metric.decimals)}"
    axes.axhline(reference.mean, color=INK, lw=1.4, ls=":", zorder=1, label=label)
    if reference.sd is not None:
        low, high = reference.mean - reference.sd, reference.mean + reference.sd
        axes.axhspan(low, high, color=INK, alpha=0.08, lw=0, zorder=0)


def _finish(axes: Axes, curves: dict[str, Curve], metric: Metric) -> None:
    """Set the scales, name what is missing, and say that nothing is published."""
    margins = sorted({margin for curve in curves.values() for margin in curve})
    axes.set_xlim(margins[0] - 0.05, margins[-1] + 0.05)
    axes.set_xticks(margins, [f"{margin:g}" for margin in margins])
    axes.set_xlabel("margin $m_c$ (TSD w. cls) or $m_r$ (TSD w. loc)", fontsize=9, color=INK)
    axes.set_ylabel(metric_title(metric), fontsize=9, color=INK)
    axes.tick_params(labelsize=8.5, colors=INK, length=0)
    axes.grid(axis="y", color=RULES, lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.margins(y=0.12)
    _name_missing(axes, curves)
    axes.figure.legend(
        loc="outside lower center",
        ncols=4,
        frameon=False,
        fontsize=8.5,
        title="the paper’s values: not published",
        title_fontproperties={"size": 8, "style": "italic"},
    )


def _name_missing(axes: Axes, curves: dict[str, Curve]) -> None:
    """Write below the curves which points are missing and why."""
    points = [point for curve in curves.values() for point in curve.values()]
    if all(point.mean is None for point in points):
        axes.set_yticks([])
        axes.text(0.5, 0.6, "nothing was measured yet", transform=axes.transAxes, ha="center")
    if all(point.mean is not None for point in points):
        return
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.14 * (high - low), high)
    for row, (label, curve) in enumerate(curves.items()):
        for margin, point in curve.items():
            if point.mean is None:
                axes.annotate(
                    f"{label}:\n{word(point.state)}",
                    (margin, 0),
                    xycoords=("data", "axes fraction"),
                    xytext=(0, 4 + 21 * (len(curves) - 1 - row)),
                    textcoords="offset points",
                    ha="center",
                    fontsize=7,
                    color=SOFT,
                    parse_math=False,
                )

"""A metric over the iterations of trainings: on their way and at their end."""

from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tsd.experiments import schema
from tsd.experiments.metrics import Metric
from tsd.reporting.cells import run_state
from tsd.reporting.convergence import Curve, curve_of
from tsd.reporting.drawing import INK, OURS, PAPERS, RULES, Drawing, word, write_message
from tsd.reporting.wording import listed, metric_title
from tsd.results.collected import Results, State

STYLES: tuple[dict[str, Any], ...] = (
    {"color": INK, "marker": "o", "ls": "-"},
    {"color": PAPERS, "marker": "s", "ls": (0, (5, 2))},
    {"color": OURS, "marker": "^", "ls": "-"},
    {"color": "#009e73", "marker": "D", "ls": (0, (1, 1.5))},
    {"color": "#cc79a7", "marker": "v", "ls": (0, (6, 2, 1, 2))},
)
"""How curves are drawn: in Okabe and Ito's colours, and with shapes and dashes that tell them apart
without."""

NOT_ANNEALED = (
    "Before the end of a training the learning rate has not come down yet, so that a value on the "
    "way is that of a network which is not annealed: it does not say what a training that ends "
    "there would reach."
)


def draw_training(results: Results, declared: schema.Figure) -> Drawing:
    """Draw a curve for each run: hollow where the training was on its way, filled at its end.

    A run of which nothing was measured on the way is named with the reason.

    Args:
        results: The collected results.
        declared: The figure. It has one metric.
    """
    metric = results.metrics[declared.metrics[0]]
    curves = {
        series.label: (series, curve_of(results, series.run, metric)) for series in declared.series
    }
    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    axes = figure.add_subplot()
    absent = []
    for place, (label, (series, curve)) in enumerate(curves.items()):
        if curve is None:
            absent.append(f"{label} ({series.run}): {why_absent(results, series.run)}")
            axes.plot([], [], ls="", label=f"{label}: not measured")
        else:
            _draw_curve(axes, label, curve, STYLES[place % len(STYLES)])
    drawn = [curve for _, curve in curves.values() if curve is not None]
    if drawn:
        _finish(axes, metric)
    else:
        write_message(axes, "nothing was measured on the way of a training")
    shown = [
        f"{metric.title} on the validation set after so many iterations, from weights that were "
        "kept on the way (hollow) and from those of the end (filled); means over seeds.",
        *([NOT_ANNEALED, *rates_in_words(drawn)] if drawn else []),
        *(f"Not drawn: {text}." for text in absent),
    ]
    seeds = {
        series.run: curve.seeds if curve else [] for series, curve in curves.values() if series.run
    }
    return Drawing(figure, shown, seeds, told=["hollow: not annealed yet"] if drawn else [])


def why_absent(results: Results, run: str | None) -> str:
    """Say why nothing of a run was measured on its way."""
    if run not in results.runs:
        return word(State.NOT_COLLECTED)
    records = [training.milestones for training in results.runs[run].seeds.values()]
    reasons = dict.fromkeys(one.missing for one in records if one is not None and one.missing)
    if reasons:
        return "; ".join(reasons)
    state = run_state(results, run)
    if state in (State.EVALUATED, State.PARTIAL):
        return "it was not measured on its way"
    return word(state)


def rates_in_words(curves: Iterable[Curve]) -> list[str]:
    """Say how high the learning rate still is at the last points on the way; nothing if unknown."""
    found = dict.fromkeys(curve.rate for curve in curves if curve.rate is not None)
    if not found:
        return []
    parts = [
        f"{rate:.0%} of its highest after {iteration:,} iterations"
        for iteration, rate in sorted(found)
    ]
    return [f"At the last point on the way it is {listed(parts)}."]


def _draw_curve(axes: Axes, label: str, curve: Curve, style: dict[str, Any]) -> None:
    """Draw a line through all points, on which those before the end are hollow."""
    points = [*curve.on_the_way.items(), *([curve.end] if curve.end else [])]
    x, y = zip(*points, strict=True)
    hollow = list(range(len(curve.on_the_way)))
    axes.plot(x, y, lw=1.5, ms=6.5, mew=1.5, mfc="white", markevery=hollow, zorder=2, **style)
    filled = {"color": style["color"], "marker": style["marker"], "ms": 7.5}
    if curve.end:
        axes.plot(*curve.end, ls="", zorder=3, **filled)
    axes.plot([], [], lw=1.5, ls=style["ls"], label=label, **filled)


def _finish(axes: Axes, metric: Metric) -> None:
    """Name the axes and the curves."""
    axes.set_xlabel("iterations", fontsize=9, color=INK)
    axes.set_ylabel(metric_title(metric), fontsize=9, color=INK)
    axes.tick_params(labelsize=8.5, colors=INK, length=0)
    axes.set_xlim(left=0)
    axes.grid(axis="y", color=RULES, lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.margins(y=0.1)
    axes.figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8.5)

"""Gains over the length of the trainings: what of a gain is left once all train for longer."""

import math
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tsd.experiments import schema
from tsd.experiments.metrics import Metric
from tsd.reporting.cells import gain_sd, minus
from tsd.reporting.convergence import at_length
from tsd.reporting.drawing import INK, RULES, SOFT, Drawing, measured_seeds, write_message
from tsd.reporting.training_figure import STYLES
from tsd.reporting.wording import count, listed
from tsd.results.collected import CollectedLength, Results

DODGE = 0.05
"""How far curves stand to the side of a length, so that their error bars do not hide each other."""


@dataclass(frozen=True)
class Gain:
    """A gain at one length of the trainings; None where run or baseline are not evaluated there.

    Args:
        value: In the metric's unit.
        sd: Its standard error; None unless run and baseline have two seeds each.
    """

    value: float | None
    sd: float | None


def draw_lengths(results: Results, declared: schema.Figure) -> Drawing:
    """Draw a curve of gains for each series, over the lengths at which there are results.

    Lengths without any are named, and so are gains that are missing where others are there.

    Args:
        results: The collected results.
        declared: The figure. It has one metric, and each series a baseline.
    """
    metric = results.metrics[declared.metrics[0]]
    gains = {series.label: gains_of(results, series, metric) for series in declared.series}
    with_results = [
        place
        for place in range(len(results.lengths))
        if any(found[place].value is not None for found in gains.values())
    ]
    figure = Figure(figsize=(7.2, 4.6), layout="constrained")
    axes = figure.add_subplot()
    if with_results:
        for number, (label, found) in enumerate(gains.items()):
            shift = DODGE * (number - (len(gains) - 1) / 2)
            _draw_curve(axes, label, found, with_results, shift, STYLES[number % len(STYLES)])
        _finish(axes, [results.lengths[place] for place in with_results], metric)
    else:
        write_message(axes, "no gain was measured yet at any length of the trainings")
    has_spread = any(gain.sd is not None for found in gains.values() for gain in found)
    shown = [
        f"Gain in {metric.title} of a run over another, both trained for as long. A gain that "
        "shrinks towards longer trainings is in part one of speed.",
        "Error bars: standard error over seeds." if has_spread else "",
        seeds_text(results, declared, with_results),
        *missing(results, gains),
    ]
    return Drawing(figure, shown, measured_seeds(results), told=[])


def gains_of(results: Results, series: schema.Series, metric: Metric) -> list[Gain]:
    """Compute the gain of a series at each of the collected lengths."""
    found = []
    for length in results.lengths:
        run, baseline = (
            at_length(length, name, metric.id) for name in (series.run, series.baseline)
        )
        found.append(Gain(minus(run.mean, baseline.mean), gain_sd(run, baseline)))
    return found


def missing(results: Results, gains: dict[str, list[Gain]]) -> list[str]:
    """Say which lengths have no results, and which gains are missing at the others."""
    if not results.lengths:
        return [
            "There is nothing to gather: no scale is declared that differs from "
            f"{results.scale.id} in the length of its trainings alone."
        ]
    said = []
    for place, length in enumerate(results.lengths):
        absent = [label for label, found in gains.items() if found[place].value is None]
        if len(absent) < len(gains):
            if absent:
                said.append(
                    f"Missing at {length.trainings} (grid {length.grid}): {listed(absent)}."
                )
        elif length.runs:
            said.append(
                f"Without any of the gains: {length.trainings} (grid {length.grid}), for which "
                f"there are results of {listed(list(length.runs))} only."
            )
        else:
            said.append(
                f"Not trained: {length.trainings} (grid {length.grid}; "
                f"scale {length.scale} trains them)."
            )
    return said


def seeds_text(results: Results, declared: schema.Figure, places: list[int]) -> str:
    """Say how many seeds stand behind the gains at each length."""
    texts, one_seed = [], False
    for place in places:
        length = results.lengths[place]
        counts = [len(length.runs[run]) for run in declared.runs if run in length.runs]
        low, high = min(counts), max(counts)
        one_seed = one_seed or low == 1
        seeds = count(low, "seed") if low == high else f"{low} to {high} seeds"
        texts.append(f"{length.trainings} (grid {length.grid}): {seeds} of each run")
    if not texts:
        return ""
    chance = " With one seed, a difference between two lengths may be chance." if one_seed else ""
    return f"{'; '.join(texts)}.{chance}"


def _draw_curve(
    axes: Axes,
    label: str,
    gains: list[Gain],
    places: list[int],
    shift: float,
    style: dict[str, Any],
) -> None:
    """Draw a curve over the lengths with results, broken where it has none."""
    shown = [gains[place] for place in places]
    axes.errorbar(
        [position + shift for position in range(len(shown))],
        [math.nan if gain.value is None else gain.value for gain in shown],
        yerr=[math.nan if gain.sd is None else gain.sd for gain in shown],
        label=label,
        lw=1.6,
        ms=7,
        elinewidth=1,
        capsize=3,
        zorder=3,
        **style,
    )


def _finish(axes: Axes, lengths: list[CollectedLength], metric: Metric) -> None:
    """Draw the line of no gain, and name the lengths and the curves."""
    axes.axhline(0, color=INK, lw=0.9, zorder=1)
    axes.set_xticks(
        range(len(lengths)), [f"{length.trainings}\n{length.scale}" for length in lengths]
    )
    axes.set_xlim(-0.4, len(lengths) - 0.6)
    axes.set_xlabel("length of the trainings, and the scale that has it", fontsize=9, color=SOFT)
    axes.set_ylabel(f"gain in {metric.title}, percentage points", fontsize=9, color=INK)
    axes.tick_params(labelsize=8.5, colors=INK, length=0)
    axes.grid(axis="y", color=RULES, lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.margins(y=0.12)
    axes.figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8.5)

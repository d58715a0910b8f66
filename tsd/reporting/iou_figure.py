"""Figure 6: AP over IoU criteria as bars, measured beside published."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tsd.reporting import drawing
from tsd.reporting.cells import Measured, Results, State, measure, minus, read_results
from tsd.reporting.drawing import INK, OURS, RULES, SOFT
from tsd.reporting.summary import seed_caveat, seeds_phrase
from tsd.reporting.wording import number, signed

IOUS = (0.5, 0.6, 0.7, 0.8, 0.9)
"""Criteria of the figure, and the order of its published values."""

FILLS: tuple[dict[str, Any], ...] = (
    {"fc": "#dde2e6", "ec": INK, "hatch": "////"},
    {"fc": OURS, "ec": INK},
)
"""Baseline and method: light and hatched, dark and plain."""

WIDTH = 0.38


@dataclass(frozen=True)
class Bar:
    """One value of a series; where there is none, ``word`` says why."""

    value: float | None
    sd: float | None = None
    word: str = ""

    @property
    def top(self) -> float:
        """Where what is drawn of it ends."""
        return (self.value or 0) + (self.sd or 0)


def draw_iou(collected: Path, figure_id: str, out: Path) -> None:
    """Draw AP of two series at each IoU criterion, and the gain of the second over the first.

    Args:
        collected: The file with the results.
        figure_id: Of a declared figure of kind ``iou`` with two series.
        out: The figure's path (:func:`tsd.reporting.drawing.save`).
    """
    results = read_results(collected)
    declared = drawing.figure_of(results, figure_id)
    results = drawing.only_of(results, declared)
    series = declared["series"]
    measured = [measured_bars(results, one) for one in series]
    panels = {f"measured, grid {results['grid']}": measured}
    if any(one["published"] for one in series):
        panels["published, COCO minival"] = [published_bars(one) for one in series]
    figure = Figure(figsize=(4.9 * len(panels), 4.0), layout="constrained")
    labels = [f"{one['label']} (run {one['run']})" for one in series]
    rows = figure.subplots(1, len(panels), sharey=True, squeeze=False)
    for axes, (title, bars) in zip(rows[0], panels.items(), strict=True):
        _draw_panel(axes, title, bars, labels)
    highest = max((b.top for bars in panels.values() for row in bars for b in row), default=0)
    rows[0, 0].set_ylim(0, 1.16 * highest or 100)
    rows[0, 0].set_ylabel("AP (%)", fontsize=9, color=INK)
    drawing.write_title(figure, results, declared["title"], seeds_phrase(results))
    handles, names = rows[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    has_spread = any(bar.sd is not None for bars in measured for bar in bars)
    shown = [
        "AP of objects of all sizes where a detection counts from the given IoU on; above each "
        f"pair the gain of {series[-1]['label']} over {series[0]['label']}.",
        "Error bars: sample standard deviation over seeds." if has_spread else "",
        seed_caveat(results),
    ]
    seeds = drawing.measured_seeds(results)
    drawing.save(figure, out, drawing.caption(results, declared, shown, seeds))


def measured_at(results: Results, run: str, iou: float, area: str = "all") -> Measured:
    """Gather AP at an IoU criterion over the seeds of a run.

    Args:
        results: The content of ``results.json``.
        run: Id of the run.
        iou: The criterion.
        area: Size of the objects, as the collected grid names it.
    """
    overall = measure(results, run, "AP")
    values = {}
    for seed in overall.values:
        grid = results["runs"][run]["seeds"][str(seed)]["grid"]
        row = next(i for i, threshold in enumerate(grid["iou"]) if abs(threshold - iou) < 1e-6)
        value = grid["AP"][row][grid["area"].index(area)]
        if value is not None:
            values[seed] = float(value)
    if overall.values and not values:
        return replace(overall, state=State.MISSING, values={})
    return replace(overall, values=values)


def measured_bars(results: Results, series: dict[str, Any]) -> list[Bar]:
    """Compute what a series measured at each criterion."""
    found = [measured_at(results, series["run"], iou) for iou in IOUS]
    return [Bar(one.mean, one.sd, "" if one.values else drawing.word(one.state)) for one in found]


def published_bars(series: dict[str, Any]) -> list[Bar]:
    """Take what the paper printed of a series at each criterion."""
    if not series["published"]:
        return [Bar(None, word="not published")] * len(IOUS)
    return [Bar(value) for value in series["published"]]


def _draw_panel(axes: Axes, title: str, series: list[list[Bar]], labels: list[str]) -> None:
    """Draw the bars of all series side by side."""
    axes.set_title(title, loc="left", fontsize=9.5, color=INK, parse_math=False)
    for place, (bars, label) in enumerate(zip(series, labels, strict=True)):
        fill = FILLS[place % len(FILLS)]
        shift = (place - (len(series) - 1) / 2) * WIDTH
        at = [position + shift for position in range(len(IOUS))]
        axes.bar(at, [b.value or 0 for b in bars], WIDTH, label=label, lw=0.8, zorder=2, **fill)
        for x, bar in zip(at, bars, strict=True):
            _write_value(axes, x, bar)
    for position, pair in enumerate(zip(*series, strict=True)):
        _write_gain(axes, position, pair)
    axes.set_xticks(range(len(IOUS)), [f"{iou:.1f}" for iou in IOUS])
    axes.set_xlabel("IoU criterion", fontsize=9, color=INK)
    axes.tick_params(labelsize=8.5, colors=INK, length=0)
    axes.grid(axis="y", color=RULES, lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.set_xlim(-0.55, len(IOUS) - 0.45)


def _write_value(axes: Axes, x: float, bar: Bar) -> None:
    """Write a bar's value over it, or upright in its place why there is none."""
    if bar.value is None:
        axes.annotate(
            bar.word,
            (x, 0),
            xytext=(0, 4),
            textcoords="offset points",
            rotation=90,
            ha="center",
            va="bottom",
            fontsize=8,
            color=SOFT,
            parse_math=False,
        )
        return
    if bar.sd is not None:
        axes.errorbar(x, bar.value, yerr=bar.sd, color=INK, capsize=2.5, lw=1, zorder=3)
    axes.annotate(
        number(bar.value, 1),
        (x, bar.top),
        xytext=(0, 2),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=7.5,
        color=INK,
    )


def _write_gain(axes: Axes, position: int, pair: tuple[Bar, ...]) -> None:
    """Write the gain of the last series over the first above both."""
    gain = minus(pair[-1].value, pair[0].value)
    if gain is None:
        return
    axes.annotate(
        signed(gain, 1),
        (position, max(bar.top for bar in pair)),
        xytext=(0, 13),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=9,
        fontweight="bold",
        color=OURS if gain > 0 else INK,
    )

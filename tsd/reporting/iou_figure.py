"""Figure 6: AP over IoU criteria as bars, what was measured beside what is published."""

from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tsd.experiments import schema
from tsd.experiments.metrics import Metric
from tsd.reporting.cells import measure, minus
from tsd.reporting.drawing import INK, OURS, RULES, SOFT, Drawing, measured_seeds, word
from tsd.reporting.summary import seed_caveat, seeds_phrase
from tsd.reporting.wording import number, signed
from tsd.results.collected import Results

FILLS: tuple[dict[str, Any], ...] = (
    {"fc": "#dde2e6", "ec": INK, "hatch": "////"},
    {"fc": OURS, "ec": INK},
)
"""How bars are filled: the baseline's light and hatched, the method's dark and plain."""

WIDTH = 0.38
"""Width of a bar, where two criteria are 1 apart."""


@dataclass(frozen=True)
class Bar:
    """One value of a series in percent; where there is none, ``reason`` says why."""

    value: float | None
    sd: float | None = None
    reason: str = ""

    @property
    def top(self) -> float:
        """Height at which the bar with its error bar ends."""
        return (self.value or 0) + (self.sd or 0)


def draw_iou(results: Results, declared: schema.Figure) -> Drawing:
    """Draw AP of two series at each IoU criterion, and the gain of the second over the first.

    Args:
        results: The collected results.
        declared: The figure. Its metrics are those of the criteria.
    """
    series, metrics = declared.series, declared.metrics
    measured = [measured_bars(results, one, metrics) for one in series]
    panels = {f"measured, grid {results.name}": measured}
    if any(one.published for one in series):
        panels["published, COCO minival"] = [published_bars(one, metrics) for one in series]
    figure = Figure(figsize=(4.9 * len(panels), 4.0), layout="constrained")
    labels = [f"{one.label} (run {one.run})" for one in series]
    criteria = [f"{results.metrics[name].arguments['iou'] / 100:.2g}" for name in metrics]
    rows = figure.subplots(1, len(panels), sharey=True, squeeze=False)
    for axes, (title, bars) in zip(rows[0], panels.items(), strict=True):
        _draw_panel(axes, title, bars, labels, criteria)
    highest = max((b.top for bars in panels.values() for row in bars for b in row), default=0)
    rows[0, 0].set_ylim(0, 1.16 * highest or 100)
    rows[0, 0].set_ylabel("AP (%)", fontsize=9, color=INK)
    handles, names = rows[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    has_spread = any(bar.sd is not None for bars in measured for bar in bars)
    shown = [
        f"{what(results.metrics[metrics[0]])} where a detection counts from the given IoU on; "
        f"above each pair the gain of {series[-1].label} over {series[0].label}.",
        "Error bars: sample standard deviation over seeds." if has_spread else "",
        seed_caveat(results),
    ]
    return Drawing(figure, shown, measured_seeds(results), told=[seeds_phrase(results)])


def what(metric: Metric) -> str:
    """Say what a metric measures, but for its IoU threshold."""
    size = metric.arguments.get("size")
    objects = f"{size} objects" if size else "objects of all sizes"
    return f"{'mask AP' if metric.of_masks else 'AP'} of {objects}"


def measured_bars(results: Results, series: schema.Series, metrics: list[str]) -> list[Bar]:
    """Compute what a series measured at each criterion."""
    found = [measure(results, series.run, metric) for metric in metrics]
    return [Bar(one.mean, one.sd, "" if one.values else word(one.state)) for one in found]


def published_bars(series: schema.Series, metrics: list[str]) -> list[Bar]:
    """Take what the paper printed of a series at each criterion."""
    if not series.published:
        return [Bar(None, reason="not published")] * len(metrics)
    return [Bar(value) for value in series.published]


def _draw_panel(
    axes: Axes, title: str, series: list[list[Bar]], labels: list[str], criteria: list[str]
) -> None:
    """Draw the bars of all series side by side.

    Args:
        axes: Where to draw.
        title: What the values are.
        series: The bars of each series, one for each criterion.
        labels: Names of the series.
        criteria: Labels of the criteria.
    """
    axes.set_title(title, loc="left", fontsize=9.5, color=INK, parse_math=False)
    for place, (bars, label) in enumerate(zip(series, labels, strict=True)):
        fill = FILLS[place % len(FILLS)]
        shift = (place - (len(series) - 1) / 2) * WIDTH
        at = [position + shift for position in range(len(criteria))]
        axes.bar(at, [b.value or 0 for b in bars], WIDTH, label=label, lw=0.8, zorder=2, **fill)
        for x, bar in zip(at, bars, strict=True):
            _write_value(axes, x, bar)
    for position, pair in enumerate(zip(*series, strict=True)):
        _write_gain(axes, position, pair)
    axes.set_xticks(range(len(criteria)), criteria)
    axes.set_xlabel("IoU criterion", fontsize=9, color=INK)
    axes.tick_params(labelsize=8.5, colors=INK, length=0)
    axes.grid(axis="y", color=RULES, lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.set_xlim(-0.55, len(criteria) - 0.45)


def _write_value(axes: Axes, x: float, bar: Bar) -> None:
    """Write a bar's value over it, or upright in its place why there is none."""
    if bar.value is None:
        axes.annotate(
            bar.reason,
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

"""The gains of all tables at a glance: each measured gain beside the paper's."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tsd.experiments.metrics import MAIN
from tsd.reporting.drawing import INK, OURS, PAPERS, RULES, SOFT
from tsd.reporting.gain_intervals import GainIntervals, Interval
from tsd.reporting.selection import about
from tsd.reporting.summary import MOST_GAINS, ComparedGain, compared_gains, seeds_phrase
from tsd.reporting.wording import row_name
from tsd.results.collected import Results

FAINT = "#868d95"


def draw_gains(collected: Path, out: Path) -> None:
    """Draw each row's measured gain in AP over its baseline beside the paper's.

    Args:
        collected: The file with the collected results.
        out: Path of the figure; its suffix is replaced by ``.png``, ``.svg`` and ``.pdf``.
    """
    draw_gains_of(Results.read(collected), out)


def draw_gains_of(results: Results, out: Path) -> None:
    """Draw the gains of collected results, as :func:`draw_gains` does.

    Args:
        results: The collected results.
        out: As there.
    """
    results = about(results)
    metric = results.metrics[MAIN].title
    gains = compared_gains(results)[:MOST_GAINS]
    intervals = GainIntervals(results)
    found = [intervals.of(gain.row, MAIN) for gain in gains]
    figure = Figure(figsize=(6.9, 1.35 + 0.39 * max(len(gains), 1)), layout="constrained")
    axes = figure.add_subplot()
    names = row_names(results)
    below = [
        f"{results.table(gain.tables[0]).source.split(',')[0]} · over "
        f"{names.get(gain.row.baseline or '', gain.row.baseline)}"
        for gain in gains
    ]
    _draw_lines(axes, gains, found, below)
    _finish(axes, gains, found, metric)
    axes.set_title(
        f"Gain in {metric} over each row’s own baseline\n"
        f"grid {results.name}, {seeds_phrase(results)}",
        loc="left",
        x=0,
        fontsize=9.5,
        color=INK,
        parse_math=False,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "gains"}):
        figure.savefig(out.with_suffix(".png"), dpi=160)
        figure.savefig(out.with_suffix(".svg"), metadata={"Date": None})
        figure.savefig(out.with_suffix(".pdf"), metadata={"CreationDate": None})


def row_names(results: Results) -> dict[str, str]:
    """Name runs as the first row that shows them does: id of a run → the row's name.

    Args:
        results: The collected results.
    """
    named: dict[str, str] = {}
    for table in results.tables:
        for row in table.rows:
            if row.run is not None:
                named.setdefault(row.run, row_name(row))
    return named


def _draw_lines(
    axes: Axes,
    gains: list[ComparedGain],
    intervals: list[Interval | None],
    below: list[str],
) -> None:
    """Draw for each gain a line from the printed ones to the measured one, the first on top.

    Args:
        axes: Where to draw.
        gains: The gains.
        intervals: Theirs, None where one is not known.
        below: What stands below the name of each.
    """
    heights = range(len(gains), 0, -1)
    for height, gain, interval, under in zip(heights, gains, intervals, below, strict=True):
        ends = [*gain.published, gain.measured]
        axes.plot(ends, [height] * len(ends), color=FAINT, lw=1.0, zorder=1)
        reach = interval and [[gain.measured - interval[0]], [interval[1] - gain.measured]]
        axes.errorbar(
            gain.measured, height, xerr=reach, fmt="o", ms=6, color=OURS, capsize=3, zorder=3
        )
        for printed in gain.published:
            axes.plot(printed, height, "D", ms=6.5, mfc="none", mec=PAPERS, mew=1.5, zorder=4)
        for text, dy, size, colour in (
            (row_name(gain.row), 4, 8.5, INK),
            (under, -6, 7, SOFT),
        ):
            axes.annotate(
                text,
                (0, height),
                xycoords=("axes fraction", "data"),
                xytext=(-8, dy),
                textcoords="offset points",
                ha="right",
                va="center",
                fontsize=size,
                color=colour,
                annotation_clip=False,
                parse_math=False,
            )


def _finish(
    axes: Axes, gains: list[ComparedGain], intervals: list[Interval | None], metric: str
) -> None:
    """Draw the line of no gain, name the axis, and explain the marks."""
    axes.axvline(0, color=INK, lw=0.9, zorder=1)
    axes.set_ylim(0.4, max(len(gains), 1) + 0.6)
    axes.set_yticks([])
    axes.grid(axis="x", color=RULES, lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.tick_params(axis="x", labelsize=8.5, colors=INK)
    axes.set_xlabel(f"gain in {metric}, percentage points", fontsize=9, color=INK)
    if not gains:
        axes.text(0.5, 0.5, "no gain was measured yet", transform=axes.transAxes, ha="center")
        return
    known = sum(interval is not None for interval in intervals)
    measured = "measured" + (", with its 95% interval" if known else "")
    handles = [
        Line2D([], [], marker="o", ls="", ms=6, color=OURS, label=measured),
        Line2D([], [], marker="D", ls="", ms=6.5, mfc="none", mec=PAPERS, mew=1.5, label="paper"),
    ]
    axes.figure.legend(
        handles=handles, loc="outside lower right", ncols=2, frameon=False, fontsize=8.5
    )

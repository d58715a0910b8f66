"""The gains of all tables at a glance: each measured gain beside the paper's."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tsd.experiments.metrics import MAIN
from tsd.reporting.drawing import INK, OURS, PAPERS, RULES
from tsd.reporting.selection import about
from tsd.reporting.summary import ComparedGain, compared_gains, seeds_phrase
from tsd.reporting.wording import row_name
from tsd.results.collected import Results

FAINT = "#868d95"


def draw_gains(collected: Path, out: Path) -> None:
    """Draw each row's measured gain in AP over its baseline beside the paper's, as PNG and SVG.

    Args:
        collected: The file with the collected results.
        out: Path of the figure; its suffix is replaced by ``.png`` and ``.svg``.
    """
    results = about(Results.read(collected))
    metric = results.metrics[MAIN].title
    gains = compared_gains(results)
    figure = Figure(figsize=(8.2, 1.75 + 0.46 * max(len(gains), 1)), layout="constrained")
    axes = figure.add_subplot()
    _draw_lines(axes, gains)
    _finish(axes, gains, metric)
    axes.set_title(
        f"Gain in {metric} over each row’s own baseline\n"
        f"grid {results.name}, {seeds_phrase(results)}",
        loc="left",
        fontsize=11,
        color=INK,
        parse_math=False,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "gains"}):
        figure.savefig(out.with_suffix(".png"), dpi=160)
        figure.savefig(out.with_suffix(".svg"), metadata={"Date": None})


def _draw_lines(axes: Axes, gains: list[ComparedGain]) -> None:
    """Draw for each gain a line from the printed ones to the measured one, the first on top."""
    for height, gain in zip(range(len(gains), 0, -1), gains, strict=True):
        ends = [*gain.published, gain.measured]
        axes.plot(ends, [height] * len(ends), color=FAINT, lw=1.2, zorder=1)
        axes.errorbar(
            gain.measured, height, xerr=gain.sd, fmt="o", ms=8, color=OURS, capsize=3, zorder=3
        )
        for printed in gain.published:
            axes.plot(printed, height, "D", ms=9, mfc="none", mec=PAPERS, mew=1.8, zorder=4)
        for text, dy, size, colour in (
            (f"{', '.join(gain.tables)} · {row_name(gain.row)}", 4, 8.5, INK),
            (f"{gain.row.run} − {gain.row.baseline}", -7, 7, FAINT),
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


def _finish(axes: Axes, gains: list[ComparedGain], metric: str) -> None:
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
    has_spread = any(gain.sd is not None for gain in gains)
    measured = "measured, ± standard error over seeds" if has_spread else "measured"
    handles = [
        Line2D([], [], marker="o", ls="", ms=8, color=OURS, label=measured),
        Line2D([], [], marker="D", ls="", ms=9, mfc="none", mec=PAPERS, mew=1.8, label="paper"),
    ]
    axes.figure.legend(
        handles=handles, loc="outside lower right", ncols=2, frameon=False, fontsize=8.5
    )

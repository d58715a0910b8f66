"""What the progressive constraint does: TSD beside its sibling head, with it and without."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tsd.experiments import schema
from tsd.reporting.drawing import (
    INK,
    OURS,
    PAPERS,
    RULES,
    SOFT,
    Drawing,
    absence,
    extracted,
    message_picture,
)
from tsd.results.collected import Results
from tsd.results.extracts import LossCurve, SiblingBin, SiblingsExtract

COLOURS = (SOFT, OURS, PAPERS)
"""A colour for each run."""

TERMS = {"loss_pc_cls": "M_cls", "loss_pc_loc": "M_loc"}
"""The terms of the constraint, by their names in the log."""

SMOOTHED = 10
"""So many events are averaged in the curves of the losses."""

Found = list[tuple[str, SiblingsExtract]]
"""Label of a series and what was extracted from its run."""


def draw_siblings(results: Results, declared: schema.Figure) -> Drawing:
    """Draw scores and IoUs of both heads over the training, how often TSD is ahead, and the terms.

    Args:
        results: The collected results.
        declared: The figure; each series names a run with a sibling head.
    """
    found: Found = []
    seeds: dict[str, list[int]] = {}
    missing = []
    for series in declared.series:
        run = str(series.run)
        one = extracted(results, run, declared.kind, SiblingsExtract)
        seeds[run] = [] if one is None else [one[0]]
        if one is None:
            missing.append(absence(results, run))
        else:
            found.append((series.label, one[1]))
    if not found:
        return Drawing(message_picture("\n".join(missing)), [], seeds, told=[])
    drawn = ", ".join(f"{run} seed {one[0]}" for run, one in seeds.items() if one)
    return Drawing(_draw(found), _explain(found), seeds, told=[drawn])


def _draw(found: Found) -> Figure:
    figure = Figure(figsize=(9.6, 6.8), layout="constrained")
    (score, iou), (ahead, terms) = figure.subplots(2, 2)
    _draw_heads(score, found, "score of the true class", _of("sibling_score"), _of("tsd_score"))
    _draw_heads(iou, found, "IoU of the regressed box", _of("sibling_iou"), _of("tsd_iou"))
    _draw_ahead(ahead, found)
    _draw_terms(terms, found)
    for axes in (score, iou, ahead, terms):
        axes.grid(axis="y", color=RULES, lw=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8.5, colors=INK, length=0)
        axes.set_xlabel("iterations", fontsize=9, color=INK)
        axes.legend(fontsize=7.5, frameon=False)
    return figure


def _of(name: str) -> Callable[[SiblingBin], float]:
    """Read a value of a bin; NaN, which is not drawn, where it is None."""

    def read(one: SiblingBin) -> float:
        value = getattr(one, name)
        return math.nan if value is None else value

    return read


def _over_training(content: SiblingsExtract, read: Callable[[SiblingBin], float]) -> Any:
    return [stage.iteration for stage in content.stages], [read(s.all) for s in content.stages]


def _draw_heads(
    axes: Axes,
    found: Found,
    title: str,
    sibling: Callable[[SiblingBin], float],
    tsd: Callable[[SiblingBin], float],
) -> None:
    for (label, content), colour in zip(found, COLOURS, strict=False):
        axes.plot(*_over_training(content, tsd), "o-", color=colour, label=f"TSD, {label}")
        axes.plot(
            *_over_training(content, sibling),
            "s--",
            mfc="white",
            color=colour,
            label=f"sibling head, {label}",
        )
    axes.set_title(title, fontsize=9.5, color=INK)


def _draw_ahead(axes: Axes, found: Found) -> None:
    for (label, content), colour in zip(found, COLOURS, strict=False):
        for name, style in (("score", "o-"), ("iou", "^:")):
            steps, values = _over_training(content, _of(f"ahead_in_{name}"))
            word = "score" if name == "score" else "IoU"
            axes.plot(
                steps, [100 * v for v in values], style, color=colour, label=f"{word}, {label}"
            )
    axes.axhline(50, color=INK, lw=0.8)
    axes.set_title("proposals at which TSD is ahead, %", fontsize=9.5, color=INK)


def _draw_terms(axes: Axes, found: Found) -> None:
    for (label, content), colour in zip(found, COLOURS, strict=False):
        for (name, term), style in zip(TERMS.items(), ("-", ":"), strict=True):
            for curve in content.losses:
                if curve.name == name:
                    axes.plot(*smoothed(curve), style, color=colour, label=f"{term}, {label}")
    if not axes.lines:
        axes.plot([], [], " ", label="no training here had the constraint")
    axes.set_title("terms of the constraint in the loss", fontsize=9.5, color=INK)


def smoothed(curve: LossCurve) -> tuple[Sequence[float], Sequence[float]]:
    """Average a curve over a few events; a shorter one stays as it is."""
    width = min(SMOOTHED, len(curve.values))
    kernel = np.ones(width) / width
    return (
        np.convolve(curve.steps, kernel, mode="valid").tolist(),
        np.convolve(curve.values, kernel, mode="valid").tolist(),
    )


def _explain(found: Found) -> list[str]:
    """Say what is drawn, and how both heads stand at the end."""
    first = found[0][1]
    sentences = [
        f"Both heads are given the proposals of {first.images} images of the val split, and are "
        "compared at those that overlap an object by an IoU of at least 0.5. Points stand at the "
        "milestones of a training and at its end; at a milestone the learning rate is still high.",
    ]
    for label, content in found:
        end = content.stages[-1].all
        values = (end.sibling_score, end.tsd_score, end.sibling_iou, end.tsd_iou)
        if any(value is None for value in values):
            sentences.append(f"At the end of {label} no proposal overlaps an object that much.")
            continue
        sentences.append(
            f"At the end ({label}, {end.proposals} proposals) the sibling head gives the true "
            f"class {end.sibling_score:.3f} and TSD {end.tsd_score:.3f}; the IoU of their boxes is "
            f"{end.sibling_iou:.3f} and {end.tsd_iou:.3f}. TSD is ahead at "
            f"{100 * (end.ahead_in_score or 0):.0f}% of them in the score and at "
            f"{100 * (end.ahead_in_iou or 0):.0f}% in the IoU.{_margins(content)}{_order(end)}"
        )
    return sentences


def _margins(content: SiblingsExtract) -> str:
    """Say which margins the training's constraint asks for, and which a lacking term would."""
    at = {"score": f"{content.m_c:g}", "IoU": f"{content.m_r:g}"}
    if content.asks_for_score is None or content.asks_for_iou is None:
        return (
            f" Both are compared at a margin of {at['score']}; the margins of the training are not "
            "recorded."
        )
    has = {"score": content.asks_for_score, "IoU": content.asks_for_iou}
    asked, lacking = ([name for name in has if has[name] is is_on] for is_on in (True, False))
    if not lacking:
        return f" At all of them the constraint asks for a margin of {_list(asked, at)}."
    would = f"which would ask for a margin of {_list(lacking, at)}"
    if not asked:
        return f" This training is without the constraint, {would}."
    return (
        f" At all of them the constraint asks for a margin of {_list(asked, at)}. This training is "
        f"without its other term, {would}."
    )


def _list(names: Sequence[str], at: Mapping[str, str]) -> str:
    """Write one margin for each name, or the one that all of them have."""
    if len({at[name] for name in names}) == 1:
        return f"{at[names[0]]} in the {' and in the '.join(names)}"
    return " and of ".join(f"{at[name]} in the {name}" for name in names)


def _order(end: SiblingBin) -> str:
    if end.sibling_order is None or end.tsd_order is None:
        return ""
    return (
        f" The rank correlation of scores with IoUs is {end.sibling_order:.2f} in the sibling head "
        f"and {end.tsd_order:.2f} in TSD."
    )

"""The kinds of figure: how each is drawn, what it needs of a network and of its declaration.

A figure in ``experiments/figures`` names its kind, and all that depends on the kind follows from
``FIGURE_KINDS``: which names are valid, what the documentation says of them, what is checked when
the file is loaded, which files the workflow extracts from trained networks, and which function
draws the figure. A new kind is a function that draws, one that extracts if the figure looks into a
network, and an entry here.

The functions are named as text, ``module:function``, and are looked up where they are called.
Reading declarations therefore imports neither torch nor matplotlib.
"""

from dataclasses import dataclass


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
        follows_trainings: Whether the figure shows what networks were worth on the way of their
            trainings. The workflow measures that for the first seed of each of its runs
            (:mod:`tsd.evaluation.milestones`), at scales that declare milestones.
        gathers_lengths: Whether the figure shows its runs at other lengths of their trainings too.
            Their results are then gathered as far as they are there.
        requires: What has to hold of a declared figure of this kind, checked when it is loaded:
            names of functions in :mod:`tsd.experiments.figure_checks`.
        requires_of_runs: The same of the declared runs that it shows.
    """

    shows: str
    draw: str
    extract: str | None = None
    follows_trainings: bool = False
    gathers_lengths: bool = False
    requires: tuple[str, ...] = ()
    requires_of_runs: tuple[str, ...] = ()


FIGURE_KINDS: dict[str, FigureKind] = {
    "iou": FigureKind(
        shows="AP over IoU thresholds, measured beside published",
        draw="tsd.reporting.iou_figure:draw_iou",
        requires=(
            "two_series",
            "runs_without_points",
            "metrics_over_thresholds",
            "published_for_each_metric",
            "no_baselines",
        ),
    ),
    "margins": FigureKind(
        shows="a metric over the margins of the progressive constraint",
        draw="tsd.reporting.margin_figure:draw_margins",
        requires=("curves_of_points", "one_metric", "nothing_published", "no_baselines"),
        requires_of_runs=("margins_of_their_own",),
    ),
    "sensitivity": FigureKind(
        shows="how a network's classification and localisation depend on the position",
        draw="tsd.reporting.sensitivity_figure:draw_sensitivity",
        extract="tsd.evaluation.sensitivity:extract_sensitivity",
        requires=("one_series", "runs_without_points", "nothing_published", "no_baselines"),
    ),
    "siblings": FigureKind(
        shows="how TSD and its sibling head compare on the same proposals, over the training",
        draw="tsd.reporting.siblings_figure:draw_siblings",
        extract="tsd.evaluation.siblings:extract_siblings",
        requires=("runs_without_points", "nothing_published"),
    ),
    "proposals": FigureKind(
        shows="what trained networks propose and detect on a few images",
        draw="tsd.reporting.proposals_figure:draw_proposals",
        extract="tsd.evaluation.proposals:extract_proposals",
        requires=("runs_without_points", "nothing_published", "no_baselines"),
    ),
    "training": FigureKind(
        shows="a metric over the iterations of trainings, measured on their way",
        draw="tsd.reporting.training_figure:draw_training",
        follows_trainings=True,
        requires=("runs_without_points", "one_metric", "nothing_published", "no_baselines"),
    ),
    "lengths": FigureKind(
        shows="gains at several lengths of the trainings, from a scale and its longer variants",
        draw="tsd.reporting.lengths_figure:draw_lengths",
        gathers_lengths=True,
        requires=("runs_without_points", "one_metric", "nothing_published", "baselines"),
    ),
}
"""Name of the kind, as a declaration says it → the kind."""


EXTRACTION_VERSION = 3
"""Raised when extractions find something else in the same network, so that they are made anew. In
the first version objects could have the names of other classes (``tsd.data.labels``). In the second
the terms of the progressive constraint had margins of 0.2, whatever those of the training were."""


def extractions() -> dict[str, str]:
    """The kinds that look into a trained network, by name, with their functions that do."""
    return {name: kind.extract for name, kind in FIGURE_KINDS.items() if kind.extract is not None}


def kinds_in_words() -> str:
    """Say what each kind shows, for the documentation of the key ``kind``."""
    kinds = [f"``{name}`` draws {kind.shows}" for name, kind in FIGURE_KINDS.items()]
    return f"The kind decides what is drawn and how: {'; '.join(kinds)}."

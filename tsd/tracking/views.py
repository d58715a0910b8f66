"""Saved views of MLflow's runs page: of each table and figure, and of all runs.

A view shows single trainings, or the runs over all of their seeds; it never mixes the two.

MLflow (3.17) keeps what its page shows, that is the filter, the order, the columns and the charts,
in a tag ``mlflow.sharedViewState.<key>`` of an experiment, as JSON, and opens it where an address
ends in ``viewStateShareKey=<key>``. The format is MLflow's own and not documented, so that a test
opens the views in a browser. :data:`VIEWS_VERSION` is raised when this module writes others.
"""

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from tsd.tracking import names
from tsd.tracking.run_files import FINAL_PREFIX, PAPER_PREFIX

VIEWS_VERSION = 2
"""Of the state that is written."""

VIEW_TAG = "mlflow.sharedViewState."

PARAMETERS = ("split", "cls_manner", "reg_manner", "sibling_head", "m_c", "m_r", "protocol", "seed")
"""Parameters that every view has a column of."""

SEEDLESS = tuple(name for name in PARAMETERS if name != "seed")
"""The same for runs over all of their seeds."""

HEADS = (
    "loss_tsd_cls",
    "loss_tsd_bbox",
    "loss_cls",
    "loss_bbox",
    "loss_pc_cls",
    "loss_pc_loc",
)
STAGES = 3
COMPARABLE = (
    *HEADS,
    "loss_mask",
    "loss_rpn_cls",
    "loss_rpn_bbox",
    *(f"s{stage}.{loss}" for stage in range(STAGES) for loss in HEADS),
)
"""Terms of the loss; those of a cascade have their stage before them. Their sum is no band of its
own, since runs add up different terms."""

COURSE = ("lr", "grad_norm", "images_per_second")
"""What else is drawn over the iterations."""


@dataclass(frozen=True)
class View:
    """What a saved view shows.

    Args:
        key: Its name in the address.
        title: What it is called on the page.
        metrics: Ids of the metrics that have a column, and a bar chart each, in this order.
        paper: Whether the paper prints values, which then have columns beside.
        target: Id of the table or figure whose runs it shows; None for all runs.
        over: Parameters over which the first metric is drawn as points.
        of_seeds: Whether it shows the runs over all of their seeds in place of single trainings.
        gains: What each gain that it then shows is over, such as ``_over_r50``; empty text is the
            run's usual baseline.
    """

    key: str
    title: str
    metrics: Sequence[str]
    paper: bool = False
    target: str | None = None
    over: Sequence[str] = ()
    of_seeds: bool = False
    gains: Sequence[str] = ()


def tags_of(views: Sequence[View]) -> dict[str, str]:
    """The tags of an experiment that hold some views, by name."""
    return {f"{VIEW_TAG}{view.key}": _compressed(state_of(view)) for view in views}


def address(server: str, experiment_id: str, view: str = "all") -> str:
    """The address that opens a view of an experiment's runs.

    Args:
        server: Address of MLflow's server.
        experiment_id: MLflow's number of the experiment.
        view: Key of the view.
    """
    return (
        f"{server.rstrip('/')}/#/experiments/{experiment_id}/runs"
        f"?workflowType=machine_learning&viewStateShareKey={view}"
    )


def state_of(view: View) -> dict[str, Any]:
    """The state of MLflow's page that shows a view."""
    # Every run has the tag of each table that shows it, so that any text matches.
    rows = "" if view.target is None else f" and tags.`{names.name(view.target)}` LIKE '%'"
    kind = "summary" if view.of_seeds else "training"
    label = [] if view.target is None else [_column("tags", view.target)]
    about = [_column("tags", name) for name in ("baseline", "seeds") if view.of_seeds]
    shown = [column for metric in view.metrics for column in _numbers(view, metric)]
    columns = [
        *label,
        *about,
        *(_column("metrics", name) for name in shown),
        *(_column("params", name) for name in (SEEDLESS if view.of_seeds else PARAMETERS)),
    ]
    charts, sections = _charts(view)
    return {
        "searchFilter": f"tags.kind = '{kind}'{rows}",
        "orderByKey": _column("metrics", shown[0]),
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": columns,
        "columnOrder": [],
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": charts,
        "compareRunSections": sections,
        "isAccordionReordered": True,
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "groupBy": None,
        "viewMaximized": False,
        "runListHidden": False,
    }


def _compressed(state: dict[str, Any]) -> str:
    """Write a state as MLflow's page does: a tag of an experiment has at most 5000 characters."""
    content = json.dumps(state, separators=(",", ":")).encode()
    return "deflate;" + base64.b64encode(zlib.compress(content, 9)).decode()


def _numbers(view: View, metric: str) -> list[str]:
    """What a view has a column of for a metric, the number that is drawn first."""
    if not view.of_seeds:
        printed = [f"{PAPER_PREFIX}{metric}"] if view.paper else []
        return [f"{FINAL_PREFIX}{metric}", *printed]
    # MLflow's page sorts columns by name, so that the metric stands first in it.
    numbers = ["mean", "mean_low", "mean_high", "sd", "n", *(["paper"] if view.paper else [])]
    gains = [f"gain{end}{over}" for over in view.gains for end in ("", "_low", "_high")]
    return [f"{metric}/{name}" for name in (*numbers, *gains)]


def _column(kind: str, name: str) -> str:
    return f"{kind}.`{names.name(name)}`"


def _charts(view: View) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The charts of a view and the sections that they stand in."""
    results = _uuid(view, "results")
    sections = [(results, view.title)]
    charts = [_points(view, parameter, results) for parameter in view.over]
    for metric in view.metrics:
        drawn = _numbers(view, metric)[:1] + [f"{metric}/gain{over}" for over in view.gains]
        charts += [_bars(view, name, results) for name in drawn]
    if not view.of_seeds:
        losses, course = _uuid(view, "losses"), _uuid(view, "course")
        sections += [(losses, "Terms of the loss"), (course, "Course of the training")]
        charts += [_line(view, name, losses) for name in COMPARABLE]
        charts += [_line(view, name, course) for name in COURSE]
    return charts, [
        {"uuid": uuid, "name": name, "display": True, "isReordered": False}
        for uuid, name in sections
    ]


def _points(view: View, parameter: str, section: str) -> dict[str, Any]:
    """The first metric over a parameter, a point for each run."""
    drawn = _numbers(view, view.metrics[0])[0]
    return {
        **_card(view, f"over {parameter}", "SCATTER", section),
        "xaxis": {"key": parameter, "type": "PARAM"},
        "yaxis": {"key": drawn, "type": "METRIC"},
        "runsCountToCompare": 100,
        "displayName": f"{view.metrics[0]} over {parameter}",
    }


def _bars(view: View, name: str, section: str) -> dict[str, Any]:
    """A number of the whole training, or of all, with a bar for each run."""
    return {
        **_card(view, name, "BAR", section),
        "metricKey": name,
        "runsCountToCompare": 100,
        "displayName": name.removeprefix(FINAL_PREFIX),
    }


def _line(view: View, name: str, section: str) -> dict[str, Any]:
    """A number over the iterations, with a line for each run."""
    return {
        **_card(view, name, "LINE", section),
        "metricKey": name,
        "selectedMetricKeys": [name],
        "lineSmoothness": 30,
        "useGlobalLineSmoothing": False,
        "useGlobalXaxisKey": True,
        "xAxisKey": "step",
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "scaleType": "linear",
        "xAxisScaleType": "linear",
        "range": {},
        "selectedXAxisMetricKey": "",
        "ignoreOutliers": False,
        "runsCountToCompare": 100,
        "displayName": name,
    }


def _card(view: View, name: str, kind: str, section: str) -> dict[str, Any]:
    return {
        "type": kind,
        "uuid": _uuid(view, f"{kind} {name}"),
        "metricSectionId": section,
        "deleted": False,
        "isGenerated": False,
    }


def _uuid(view: View, name: str) -> str:
    """The same for the same thing, so that writing a view again changes nothing."""
    return str(uuid5(NAMESPACE_URL, f"{VIEWS_VERSION} {view.key} {name}"))

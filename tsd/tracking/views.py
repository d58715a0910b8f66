"""Saved views of MLflow's runs page: one for each table and figure, and one of all runs.

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

VIEWS_VERSION = 1
"""Of the state that is written."""

VIEW_TAG = "mlflow.sharedViewState."

PARAMETERS = ("split", "cls_manner", "reg_manner", "sibling_head", "m_c", "m_r", "protocol", "seed")
"""Parameters that every view has a column of."""

COMPARABLE = (
    "loss_tsd_cls",
    "loss_tsd_bbox",
    "loss_cls",
    "loss_bbox",
    "loss_pc_cls",
    "loss_pc_loc",
    "loss_rpn_cls",
    "loss_rpn_bbox",
)
"""Terms of the loss. Their sum is no band of its own, since runs add up different terms."""


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
    """

    key: str
    title: str
    metrics: Sequence[str]
    paper: bool = False
    target: str | None = None
    over: Sequence[str] = ()


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
    # Every training has the tag of each table that shows it, so that any text matches.
    rows = "" if view.target is None else f" and tags.`{names.name(view.target)}` LIKE '%'"
    shown = [FINAL_PREFIX + metric for metric in view.metrics]
    printed = [PAPER_PREFIX + metric for metric in view.metrics] if view.paper else []
    label = [] if view.target is None else [_column("tags", view.target)]
    columns = [
        *label,
        *(_column("metrics", name) for pair in _paired(shown, printed) for name in pair),
        *(_column("params", name) for name in PARAMETERS),
    ]
    charts, sections = _charts(view)
    return {
        "searchFilter": f"tags.kind = 'training'{rows}",
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


def _paired(shown: Sequence[str], printed: Sequence[str]) -> list[tuple[str, ...]]:
    """Put what the paper prints beside each metric."""
    return list(zip(shown, printed, strict=True)) if printed else [(name,) for name in shown]


def _column(kind: str, name: str) -> str:
    return f"{kind}.`{names.name(name)}`"


def _charts(view: View) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The charts of a view and the sections that they stand in."""
    results, losses = _uuid(view, "results"), _uuid(view, "losses")
    charts = [
        {
            **_card(view, f"over {parameter}", "SCATTER", results),
            "xaxis": {"key": parameter, "type": "PARAM"},
            "yaxis": {"key": FINAL_PREFIX + view.metrics[0], "type": "METRIC"},
            "runsCountToCompare": 100,
            "displayName": f"{view.metrics[0]} over {parameter}",
        }
        for parameter in view.over
    ]
    charts += [
        {
            **_card(view, metric, "BAR", results),
            "metricKey": FINAL_PREFIX + metric,
            "runsCountToCompare": 100,
            "displayName": metric,
        }
        for metric in view.metrics
    ]
    charts += [
        {
            **_card(view, loss, "LINE", losses),
            "metricKey": loss,
            "selectedMetricKeys": [loss],
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
            "displayName": loss,
        }
        for loss in COMPARABLE
    ]
    sections = [
        {"uuid": uuid, "name": name, "display": True, "isReordered": False}
        for uuid, name in ((results, view.title), (losses, "Terms of the loss"))
    ]
    return charts, sections


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

import base64
import json
import zlib

import pytest

from tsd.cli.tracking_views import experiment_tags, views_of
from tsd.experiments.metrics import METRICS
from tsd.experiments.settings import open_grid
from tsd.tracking.views import VIEW_TAG, View, address, state_of, tags_of


@pytest.fixture(scope="module")
def grid():
    return open_grid({"scale": "mini"})


def opened(tag):
    """A state as MLflow's page reads it."""
    return json.loads(zlib.decompress(base64.b64decode(tag.removeprefix("deflate;"))))


def test_every_table_and_figure_has_a_view_that_a_tag_can_hold(grid):
    tags = experiment_tags(grid)
    keys = {name.removeprefix(VIEW_TAG) for name in tags if name.startswith(VIEW_TAG)}
    tables = {*grid.experiments.tables, "all"}
    assert keys == {*tables, *(f"{key}_seeds" for key in tables), *grid.experiments.figures}
    assert all(len(text) <= 5000 for text in tags.values())


def test_a_view_has_the_columns_of_its_table(grid):
    tags = experiment_tags(grid)
    for table in grid.experiments.tables.values():
        state = opened(tags[VIEW_TAG + table.id])
        for name in table.metrics:
            column = f"metrics.`final/{name}`"
            assert (column in state["selectedColumns"]) == (METRICS[name].step != "submit")
        assert f"tags.`{table.id}`" in state["selectedColumns"]
        assert state["searchFilter"].endswith(f"tags.`{table.id}` LIKE '%'")
        assert state["runsHiddenMode"] == "SHOW_ALL"


def test_a_view_shows_trainings_or_runs_over_their_seeds_and_never_both(grid):
    views = {view.key: state_of(view) for view in views_of(grid)}
    for key, state in views.items():
        kind = "summary" if key.endswith("_seeds") else "training"
        assert state["searchFilter"].split(" and ")[0] == f"tags.kind = '{kind}'"
    for state in views.values():
        of_seeds = "summary" in state["searchFilter"]
        columns = " ".join(state["selectedColumns"])
        assert ("/mean" in columns) == of_seeds
        assert ("final/" in columns) != of_seeds
        assert ("params.`seed`" in columns) != of_seeds


def test_a_view_over_seeds_counts_gains_as_its_table_does(grid):
    columns = {view.key: state_of(view)["selectedColumns"] for view in views_of(grid)}
    for end in ("", "_low", "_high"):
        assert f"metrics.`AP/gain{end}`" in columns["table5_seeds"]
        assert f"metrics.`AP/gain{end}_over_tsd_joint`" in columns["table3_seeds"]
    # There tsd_pc gains over tsd_joint, and not over r50 as it usually does.
    assert "metrics.`AP/gain`" not in columns["table3_seeds"]
    assert "metrics.`AP/n`" in columns["table5_seeds"]
    assert "tags.`baseline`" in columns["all_seeds"]


def test_the_figure_of_margins_is_drawn_over_both(grid):
    state = opened(experiment_tags(grid)[VIEW_TAG + "figure4"])
    points = [card for card in state["compareRunCharts"] if card["type"] == "SCATTER"]
    assert [card["xaxis"] for card in points] == [
        {"key": "m_c", "type": "PARAM"},
        {"key": "m_r", "type": "PARAM"},
    ]
    assert {card["yaxis"]["key"] for card in points} == {"final/AP"}


def test_charts_stand_in_sections_of_their_view_and_total_loss_in_none(grid):
    for view in views_of(grid):
        state = state_of(view)
        sections = {section["uuid"] for section in state["compareRunSections"]}
        assert {card["metricSectionId"] for card in state["compareRunCharts"]} == sections
        uuids = [card["uuid"] for card in state["compareRunCharts"]]
        assert len(set(uuids)) == len(uuids)
        drawn = {card.get("metricKey") for card in state["compareRunCharts"]}
        assert "loss" not in drawn
        assert ({"loss_tsd_cls", "loss_mask", "s2.loss_tsd_bbox", "grad_norm"} <= drawn) == (
            not view.of_seeds
        )


def test_writing_views_again_changes_nothing():
    view = View("table3", "Progressive constraint", ["AP"], target="table3")
    assert tags_of([view]) == tags_of([view])


def test_an_address_opens_the_runs_and_not_the_overview():
    assert address("http://127.0.0.1:5000/", "7", "table3") == (
        "http://127.0.0.1:5000/#/experiments/7/runs"
        "?workflowType=machine_learning&viewStateShareKey=table3"
    )

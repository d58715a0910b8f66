import re

import pytest

from tsd.experiments.card import NONE, card_of, colour, parameters, places_of
from tsd.experiments.settings import open_grid
from tsd.models.progressive_constraint import ProgressiveConstraint


@pytest.fixture(scope="module")
def grid():
    return open_grid({"scale": "mini", "only": "all"})


def trained_runs(grid):
    return [run for run in grid.experiments.runs.values() if grid.has(run)]


def test_every_run_has_the_same_parameters(grid):
    found = {run.id: parameters(grid.job(run.id, 0)) for run in trained_runs(grid)}
    assert len({tuple(values) for values in found.values()}) == 1
    assert all(value is not None for values in found.values() for value in values.values())


def test_parameters_are_those_of_the_compiled_config(grid):
    full = parameters(grid.job("tsd_pc", 3))
    assert (full["m_c"], full["m_r"], full["seed"]) == (0.2, 0.2, 3)
    assert (full["cls_manner"], full["reg_manner"]) == ("point-wise", "proposal-wise")
    assert (full["sibling_head"], full["split"]) == ("joint", "head")
    assert (full["protocol"], full["box_loss"]) == ("paper", "SmoothL1Loss")
    assert full["iterations"] == grid.job("tsd_pc", 0).config.train_cfg.max_iters
    baseline = parameters(grid.job("r50", 0))
    assert {baseline[name] for name in ("m_c", "m_r", "clamp", "detach", "cls_manner")} == {NONE}
    assert (baseline["sibling_head"], baseline["split"]) == ("alone", "last layers")
    assert parameters(grid.job("d_head", 0))["split"] == "head"
    assert parameters(grid.job("d_s16", 0))["split"] == "backbone, stride 16"
    assert parameters(grid.job("tsd_wo_pc", 0))["sibling_head"] == NONE
    assert parameters(grid.job("cascade_r50_tsd", 0))["box_loss"] != NONE


def test_a_margin_is_a_number_wherever_its_term_is_on(grid):
    figure = grid.experiments.figures["figure4"]
    for series, name, other in zip(figure.series[:2], ("m_c", "m_r"), ("m_r", "m_c"), strict=True):
        for margin, run in series.points.items():
            found = parameters(grid.job(run, 0))
            assert (found[name], found[other]) == (margin, NONE), run


def test_the_margin_and_the_box_loss_that_a_claim_names_are_those_of_its_runs(grid):
    losses = {"smooth L1": "SmoothL1Loss", "L1": "L1Loss"}
    named = 0
    for claim in grid.claims:
        margin = re.search(r"margins of ([\d.]+[\d])", claim.statement)
        loss = re.search(r"(?:smooth )?L1\b", claim.statement)
        for name in {comparison.run for comparison in claim.test.comparisons()}:
            found = parameters(grid.job(name, 0))
            if margin:
                margins = {found["m_c"], found["m_r"]} - {NONE}
                assert margins == {float(margin[1])}, (claim.id, name)
                named += 1
            if loss:
                assert found["box_loss"] == losses[loss[0]], (claim.id, name)
                named += 1
    assert named >= 8


def test_the_margins_in_a_note_on_the_protocols_are_those_of_the_runs(grid):
    note = grid.experiments.tables["table_protocols"].note
    own, released = re.search(
        r"paper's protocol has its margins of ([\d.]+), .* ([\d.]+\d)", note
    ).groups()
    for name, margin in (("tsd_pc", own), ("tsd_pc_released", released)):
        found = parameters(grid.job(name, 0))
        assert {found["m_c"], found["m_r"]} == {float(margin)}, name


def test_what_a_config_leaves_out_of_the_constraint_is_said_by_none_of_ours(grid):
    """The bases say clamp and detach themselves, so that the card need not know their defaults."""
    found = parameters(grid.job("tsd_pc", 0))
    defaults = ProgressiveConstraint()
    assert (found["clamp"], found["detach"]) == (defaults.clamp, defaults.detach)


def test_a_card_names_every_place_and_the_papers_values(grid):
    places = places_of("tsd_pc", grid.experiments)
    assert {place.target for place in places} >= {"table3", "table4", "figure6"}
    card = card_of(grid.job("tsd_pc", 0), places)
    assert card["paper"]["AP"] == 41.0
    assert card["tags"]["table3"] == "ResNet-50, TSD, M_cls, M_loc"
    note = card["tags"]["mlflow.note.content"]
    assert "(`table3`), ResNet-50, TSD, M_cls, M_loc: AP 41.0, AP50 61.7, AP75 44.3" in note
    assert "gains are counted from `tsd_joint`" in note
    assert str(grid.job("tsd_pc", 0).folder.path) in note
    assert card["data"]["name"] == "embedded"


def test_values_of_others_are_not_the_papers(grid):
    (place,) = (
        p for p in places_of("cascade_r50_tsd", grid.experiments) if p.target == "table_authors"
    )
    assert place.published
    assert card_of(grid.job("cascade_r50_tsd", 0), [place])["paper"] == {}


def test_the_digest_of_the_data_set_changes_with_its_content(grid):
    other = open_grid({"scale": "smoke"})
    digests = {card_of(g.job("r50", 0), [])["data"]["digest"] for g in (grid, other)}
    assert len(digests) == 2


def test_a_colour_is_a_runs_own_and_stays(grid):
    colours = [colour(run.id) for run in trained_runs(grid)]
    assert all(re.fullmatch("#[0-9a-f]{6}", one) for one in colours)
    assert len(set(colours)) > 0.95 * len(colours)
    assert colour("tsd_pc") == colour("tsd_pc")

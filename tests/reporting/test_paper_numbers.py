import pytest

from tests.reporting.claims import UP, claim, gain, pairs, results, verdict
from tests.reporting.conftest import figure, row, table
from tsd.experiments.claims_schema import Claim
from tsd.reporting.paper_numbers import paper_numbers

PRINTED = table("table1", row("b", "b", AP=36.1), row("a", "a", "b", AP=38.2), metrics=["AP"])
CURVES = figure(
    "figure6",
    "iou",
    {"label": "b", "run": "b", "published": [58.1, 53.3]},
    {"label": "a", "run": "a", "published": [61.7, 57.3]},
    metrics=("AP50", "AP60"),
)


def looked_up(found, run, metric, **changes):
    return paper_numbers(found, Claim.model_validate(claim(UP, **changes)))(run, metric)


def test_a_number_comes_from_the_first_table_of_the_paper_that_prints_it():
    elsewhere = table("table_authors", row("a", "a", AP=10.0), metrics=["AP"], paper=False)
    dashed = table("table0", row("a", "a", AP=None), row("a", "a", AP=38.0), metrics=["AP"])
    assert looked_up(results({}, tables=[elsewhere, PRINTED, dashed]), "a", "AP") == {0: 38.2}
    assert looked_up(results({}, tables=[elsewhere, dashed, PRINTED]), "a", "AP") == {0: 38.0}
    assert looked_up(results({}, tables=[elsewhere]), "a", "AP") == {}


def test_a_number_of_the_prose_comes_before_the_tables():
    found = results({}, tables=[PRINTED])
    prose = {"a": {"AP": 40.1}}
    assert looked_up(found, "a", "AP", published=prose) == {0: 40.1}
    assert looked_up(found, "b", "AP", published=prose) == {0: 36.1}
    assert verdict(found, UP, published=prose).evidence[0].published == pytest.approx(4.0)


def test_a_figure_is_where_the_claim_says_that_its_numbers_are_printed():
    in_table = table("table1", row("b", "b", AP50=58.0), metrics=["AP50"])
    found = results({}, tables=[in_table], figures=[CURVES])
    assert looked_up(found, "b", "AP50", printed_in="figure6") == {0: 58.1}
    assert looked_up(found, "a", "AP60", printed_in="figure6") == {0: 57.3}
    assert looked_up(found, "b", "AP50") == {0: 58.0}
    assert looked_up(found, "b", "AP70", printed_in="figure6") == {}
    assert looked_up(found, "c", "AP50", printed_in="figure6") == {}


def test_a_growing_gain_is_put_to_the_numbers_of_its_figure():
    found = results({}, figures=[CURVES])
    test = {"kind": "increasing", "pairs": pairs("a/b"), "metrics": ["AP50", "AP60"]}
    step, first = verdict(found, test, printed_in="figure6").evidence
    assert step.published == pytest.approx((57.3 - 53.3) - (61.7 - 58.1))
    assert first.published == pytest.approx(61.7 - 58.1)
    assert verdict(found, gain("a/b", direction="up")).evidence[0].published is None

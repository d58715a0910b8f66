"""Intervals of the tables' gains, and when a gain is coloured."""

import pytest

from tests.reporting.claims import BASE, BETTER, UP, WORSE, claim, measured, results
from tests.reporting.conftest import row
from tsd.reporting.gain_intervals import GainIntervals
from tsd.reporting.verdicts import judge

ROW = row("A", "a", "b")


def found(metric="AP", **values):
    return GainIntervals(results(measured(metric, **values)))


@pytest.mark.parametrize(
    ("metric", "values", "tone"),
    [
        ("AP", BETTER, "better"),
        ("AP", WORSE, "worse"),
        ("dAP_cls", WORSE, "better"),
        ("AP", [30.2, 30.9, 29.5], ""),
        ("AP", [33.0], ""),
        ("AP", [33.0, 33.0], ""),
        ("params", BETTER, ""),
    ],
    ids=["better", "worse", "less is better", "within the noise", "one seed", "equal", "exact"],
)
def test_a_gain_is_coloured_where_its_interval_leaves_out_zero(metric, values, tone):
    assert found(metric, a=values, b=BASE).tone(ROW, metric) == tone


def test_the_interval_is_that_of_the_verdict_on_the_same_gain():
    collected = results(measured(a=BETTER, b=BASE), claims=[claim(UP)])
    (verdict,) = judge(collected)
    interval = GainIntervals(collected).of(ROW, "AP")
    assert interval == pytest.approx(verdict.evidence[0].measured.interval)


def test_there_is_none_without_a_baseline_or_over_oneself():
    collected = results(measured(a=BETTER, b=BASE))
    intervals = GainIntervals(collected)
    assert intervals.of(row("A", "a"), "AP") is None
    assert intervals.of(row("A", "a", "absent"), "AP") is None
    collected.runs["b"].digest = collected.runs["a"].digest
    assert intervals.of(ROW, "AP") is None

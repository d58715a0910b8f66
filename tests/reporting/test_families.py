"""Which runs tell of each other's spread."""

import pytest

from tests.reporting.claims import UP, claim, gain, measured, results, verdict
from tests.reporting.conftest import run, training
from tsd.experiments.comparisons import Difference, Quantity, Quotient
from tsd.reporting.families import Families
from tsd.reporting.moderation import FEWEST
from tsd.reporting.verdicts import Outcome, judge

AP = Difference("a", Quantity(("AP",)), "b")
ALIKE = {"a": [33.0, 33.2], "b": [30.0, 30.3], "c": [31.0, 31.1], "d": [32.0, 32.2]}


def prior(runs, comparison=AP):
    return Families(results(runs)).prior(comparison)


def test_spread_is_lent_from_four_runs_on():
    assert len(ALIKE) == FEWEST
    assert prior(measured(**ALIKE)) is not None
    assert prior(measured(**{**ALIKE, "d": [32.0]})) is None


def test_a_run_without_different_values_has_no_spread_to_lend():
    assert prior(measured(**{**ALIKE, "d": [0.0, 0.0]})) is None
    more = prior(measured(**ALIKE, e=[0.0, 0.0, 0.0]))
    assert float(more.variance) == float(prior(measured(**ALIKE)).variance)


def test_the_same_training_counts_once():
    runs = measured(**ALIKE)
    runs["d"].digest = runs["c"].digest
    assert prior(runs) is None


def test_runs_on_other_data_are_another_family():
    runs = measured(**ALIKE)
    runs["d"].dataset = "elsewhere"
    assert prior(runs) is None


def test_runs_that_are_not_shown_lend_nothing():
    runs = measured(**ALIKE)
    runs["d"].is_about_these_data = False
    assert prior(runs) is None


def test_a_run_with_nothing_to_measure_lends_nothing():
    runs = measured(**{**ALIKE, "d": [None, None]})
    assert prior(runs) is None


def test_a_run_that_was_not_collected_borrows_nothing():
    assert prior(measured(**ALIKE), Difference("x", Quantity(("AP",)), "b")) is None


def test_quotients_are_a_family_of_logarithms():
    runs = measured("runtime", **{name: [10 * x for x in xs] for name, xs in ALIKE.items()})
    runtime = Quantity(("runtime",))
    ratio, difference = (prior(runs, kind("a", runtime, "b")) for kind in (Quotient, Difference))
    assert float(ratio.variance) ** 0.5 == pytest.approx(0.005, rel=0.5)
    assert float(difference.variance) ** 0.5 == pytest.approx(1.5, rel=0.5)


def test_what_is_subtracted_within_a_training_has_its_own_spread():
    """AP and AP.5 scatter by tens over seeds, and their difference by tenths."""
    runs = {
        name: run(*(training(AP=x, AP50=x + 20 + e) for x, e in values))
        for name, values in {
            "a": [(10, 0.1), (40, 0.0)],
            "b": [(20, 0.2), (50, 0.0)],
            "c": [(60, 0.0), (10, 0.1)],
            "d": [(30, 0.1), (60, 0.3)],
        }.items()
    }
    inside = prior(runs, Difference("a", Quantity(("AP50",), ("AP",)), "b"))
    assert float(inside.variance) ** 0.5 < 0.5 < 5 < float(prior(runs).variance) ** 0.5


def test_a_single_training_is_judged_by_the_spread_of_the_others():
    others = {"c": [31.0, 31.1], "d": [32.0, 32.2], "e": [33.0, 33.2], "f": [34.0, 34.1]}
    runs = measured(a=[36.0], b=[30.0], **others)
    found = verdict(results(runs), UP)
    assert found.outcome is Outcome.HOLDS
    assert found.evidence[0].measured.is_moderated
    assert verdict(results(measured(a=[36.0], b=[30.0])), UP).outcome is Outcome.UNDECIDED


def test_a_run_that_scatters_more_than_others_keeps_most_of_its_spread():
    calm = {name: [x, x + 0.1, x + 0.05] for name, x in zip("cdefgh", range(30, 36), strict=True)}
    wild = verdict(results(measured(a=[20.0, 40.0, 31.0], b=[30.0, 30.1, 30.2], **calm)), UP)
    assert wild.outcome is Outcome.UNDECIDED
    low, high = wild.evidence[0].measured.interval
    assert low < -5 < 5 < high


def test_the_error_of_a_look_is_that_of_every_interval():
    made = results(measured(**ALIKE), claims=[claim(gain("a/b", "c/d", direction="up"))])
    (usual,), (strict,) = judge(made), judge(made, error=0.01)
    for here, there in zip(usual.evidence, strict.evidence, strict=True):
        assert there.measured.error == 0.01
        assert there.measured.interval[0] < here.measured.interval[0]
        assert there.measured.wide[0] < here.measured.wide[0]
        assert there.measured.detectable > here.measured.detectable
    assert strict.pooled.mean.interval[0] < usual.pooled.mean.interval[0]

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reporting.claims import BASE, BETTER, UP, WORSE, gain, measured, pairs, results, verdict
from tests.reporting.conftest import row, run, table, training
from tsd.reporting.verdicts import Outcome

SAMPLE = st.lists(st.integers(10, 1000).map(lambda n: n / 10), min_size=2, max_size=6)


@pytest.mark.parametrize(
    ("a", "b", "outcome"),
    [
        ([33.0, 33.2, 33.1], [30.0, 30.2, 30.1], Outcome.HOLDS),
        ([30.0, 30.2, 30.1], [33.0, 33.2, 33.1], Outcome.DOES_NOT),
        ([30.0, 33.0, 31.0], [30.1, 31.0, 32.0], Outcome.UNDECIDED),
        ([33.0], [30.0], Outcome.UNDECIDED),
        ([33.0, 33.1], [30.0], Outcome.UNDECIDED),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], Outcome.UNDECIDED),
        ([30.3, 30.2, 30.25], [30.0, 30.0, 30.0], Outcome.UNDECIDED),
        ([0.50, 0.51], [0.0, 0.0], Outcome.UNDECIDED),
        ([], [30.0, 30.1], Outcome.NO_RESULTS),
    ],
)
def test_a_direction_is_judged_by_the_interval(a, b, outcome):
    assert verdict(results(measured(a=a, b=b)), UP).outcome is outcome


def test_a_run_that_was_not_collected_is_not_run():
    assert verdict(results(measured(b=[30.0, 30.1])), UP).outcome is Outcome.NO_RESULTS


THREE = gain("a/b", direction="up", size={"about": 3, "within": 0.5})


@pytest.mark.parametrize(
    ("a", "is_paper", "outcome"),
    [
        ([33.0, 33.1, 32.9], True, Outcome.HOLDS),
        ([31.0, 31.1, 30.9], True, Outcome.DOES_NOT),
        ([31.0, 31.1, 30.9], False, Outcome.HOLDS),
        ([29.0, 29.1, 28.9], False, Outcome.DOES_NOT),
    ],
)
def test_a_size_counts_at_the_papers_scale_only(a, is_paper, outcome):
    assert verdict(results(measured(a=a, b=BASE), is_paper), THREE).outcome is outcome


def test_hardly_any_difference_is_a_finding_at_the_papers_scale_and_none_elsewhere():
    same = gain("a/b", size={"about": 0, "within": 0.5})
    runs = measured(a=[30.0, 30.1, 29.9], b=[30.0, 30.1, 30.0])
    assert verdict(results(runs, is_paper=True), same).outcome is Outcome.HOLDS
    assert verdict(results(runs), same).outcome is Outcome.UNDECIDED


def test_noise_does_not_pass_for_hardly_any_difference():
    same = gain("a/b", size={"about": 0, "within": 0.5})
    runs = measured(a=[28.0, 32.0, 30.0], b=[30.0, 27.0, 33.0])
    assert verdict(results(runs, is_paper=True), same).outcome is Outcome.UNDECIDED


def test_a_run_whose_seeds_agree_borrows_all_of_its_spread():
    """It is as uncertain as a run with a single training, but for the number of its trainings."""
    others = {name: [x, x + 1.0, x + 0.4] for name, x in zip("cdef", range(30, 34), strict=True)}
    agreeing, single = (
        verdict(results(measured(a=[31.0] * count, b=BASE, **others)), UP).evidence[0].measured
        for count in (3, 1)
    )
    assert agreeing.prior == single.prior
    assert agreeing.interval[0] < 1 < agreeing.interval[1]
    low, high = (one.interval[1] - one.interval[0] for one in (agreeing, single))
    assert 0.4 * high < low < high


EACH = gain("a/b", "c/b", direction="up")


@pytest.mark.parametrize(
    ("a", "c", "outcome"),
    [
        (BETTER, BETTER, Outcome.HOLDS),
        (BETTER, WORSE, Outcome.DOES_NOT),
        (BETTER, [29.0, 31.0, 30.5], Outcome.UNDECIDED),
        (BETTER, [], Outcome.PARTIAL_RESULTS),
        (WORSE, [], Outcome.DOES_NOT),
        ([], [], Outcome.NO_RESULTS),
    ],
)
def test_a_claim_of_several_comparisons_needs_all_of_them(a, c, outcome):
    assert verdict(results(measured(a=a, b=BASE, c=c)), EACH).outcome is outcome


def test_of_many_comparisons_one_has_to_be_clearer_to_refute():
    low = [29.4, 29.6, 29.8]
    runs = measured(b=[30.0, 30.2, 30.4], a=low, **{f"a{number}": low for number in range(9)})
    alone = verdict(results(runs), UP)
    assert alone.outcome is Outcome.DOES_NOT
    many = gain("a/b", *[f"a{number}/b" for number in range(9)], direction="up")
    assert verdict(results(runs), many).outcome is Outcome.UNDECIDED


def test_one_training_under_two_names_is_one_piece_of_evidence():
    low = [29.4, 29.6, 29.8]
    runs = measured(b=[30.0, 30.2, 30.4], **{f"a{number}": low for number in range(10)})
    many = gain(*[f"a{number}/b" for number in range(10)], direction="up")
    assert verdict(results(runs), many).outcome is Outcome.UNDECIDED
    for number in range(10):
        runs[f"a{number}"].digest = "the same"
    found = verdict(results(runs), many)
    assert found.outcome is Outcome.DOES_NOT
    assert len(found.counted) == 1
    assert len(found.evidence) == 10
    assert {e.repeats.run for e in found.evidence[1:]} == {"a0"}


def test_a_training_is_no_evidence_against_itself():
    runs = measured(a=BETTER, b=BASE)
    assert verdict(results(runs), UP).outcome is Outcome.HOLDS
    runs["a"].digest = runs["b"].digest
    assert verdict(results(runs), UP).outcome is Outcome.NO_RESULTS


def test_a_run_about_other_data_decides_no_claim():
    runs = measured(a=BETTER, b=BASE)
    runs["a"].is_about_these_data = runs["b"].is_about_these_data = False
    assert verdict(results(runs), UP).outcome is Outcome.NO_RESULTS


def test_a_size_counts_only_where_all_runs_may_be_compared():
    runs = measured(a=[31.0, 31.1, 30.9], b=BASE)
    found = results(runs, is_paper=True)
    assert verdict(found, THREE).outcome is Outcome.DOES_NOT
    runs["a"].is_comparable = False
    assert verdict(found, THREE).outcome is Outcome.HOLDS


def test_parameters_need_no_second_training():
    test = {"kind": "ratio", "pairs": pairs("a/b"), "metric": "params", "size": {"at_most": 1.1}}
    runs = measured("params", a=[44.0], b=[40.0])
    assert verdict(results(runs, is_paper=True), test).outcome is Outcome.HOLDS
    fewer = gain("a/b", metrics=["params"], direction="down")
    assert verdict(results(runs), fewer).outcome is Outcome.DOES_NOT


def test_a_ratio_goes_up_above_one():
    test = {"kind": "ratio", "pairs": pairs("a/b"), "metric": "runtime", "direction": "up"}
    runs = measured("runtime", a=[110.0, 112.0, 111.0], b=[100.0, 100.5, 99.5])
    assert verdict(results(runs), test).outcome is Outcome.HOLDS
    assert verdict(results(runs), {**test, "direction": "down"}).outcome is Outcome.DOES_NOT


def test_a_larger_gain_is_compared_within_each_training():
    """AP.5 gains 2 more than AP in each seed, though both scatter by tens over seeds."""
    runs = {
        "a": run(
            *(training(AP=x + 1, AP50=x + 13 + e) for x, e in ((10, 0.1), (30, 0), (50, 0.1)))
        ),
        "b": run(*(training(AP=x, AP50=x + 10 + e) for x, e in ((20, 0), (40, 0.1), (0, 0.1)))),
    }
    test = {"kind": "larger_gain", "pairs": pairs("a/b"), "quantities": [["AP50"]], "than": ["AP"]}
    difference, gained = verdict(results(runs), test).evidence
    assert difference.speaks_for
    assert difference.measured.value == pytest.approx(2.0)
    assert gained.measured.value == pytest.approx(13.0)
    assert not gained.speaks_for


def test_a_smaller_loss_is_no_larger_gain():
    """AP loses less than AP.5 does, and that is clear, but neither gains anything."""
    runs = {
        "a": run(*(training(AP=27 + e, AP50=42 - e) for e in (0.1, 0, -0.1))),
        "b": run(*(training(AP=30 + e, AP50=50 - e) for e in (0.1, 0, -0.1))),
    }
    test = {"kind": "larger_gain", "pairs": pairs("a/b"), "quantities": [["AP"]], "than": ["AP50"]}
    found = verdict(results(runs), test)
    difference, gained = found.evidence
    assert (difference.speaks_for, gained.speaks_against) == (True, True)
    assert found.outcome is Outcome.DOES_NOT


def at_three(*values):
    """A run whose AP at IoU 0.5, 0.6 and 0.7 is as given for each seed."""
    return run(*(training(AP50=x, AP60=y, AP70=z) for x, y, z in values))


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ([[51.0, 43.0, 25.0], [51.1, 43.2, 25.1]], Outcome.HOLDS),
        ([[51.0, 43.0, 20.0], [51.1, 43.2, 20.1]], Outcome.DOES_NOT),
        ([[51.0, 43.0, None], [51.1, 43.2, None]], Outcome.PARTIAL_RESULTS),
        ([[45.0, 38.0, 19.0], [45.1, 38.2, 19.1]], Outcome.DOES_NOT),
    ],
    ids=["grows", "falls at last", "not measured at last", "a loss that shrinks"],
)
def test_a_growing_gain_grows_at_every_step(values, outcome):
    runs = {"a": at_three(*values), "b": at_three([50.0, 40.0, 20.0], [50.1, 40.0, 20.1])}
    test = {"kind": "increasing", "pairs": pairs("a/b"), "metrics": ["AP50", "AP60", "AP70"]}
    assert verdict(results(runs), test).outcome is outcome


PUBLISHED = table("table1", row("b", "b", AP=36.1), row("a", "a", "b", AP=38.2), metrics=["AP"])


def test_the_papers_numbers_are_put_to_the_same_test():
    found = results({}, tables=[PUBLISHED])
    held = verdict(found, gain("a/b", direction="up", size={"about": 2, "within": 0.5}))
    assert (held.outcome, held.paper) == (Outcome.NO_RESULTS, Outcome.HOLDS)
    assert held.evidence[0].published == 2.1
    assert verdict(found, THREE).paper is Outcome.DOES_NOT
    assert verdict(found, gain("a/b", "c/b", direction="up")).paper is Outcome.PARTIAL_RESULTS
    assert verdict(found, gain("c/b", direction="up")).paper is Outcome.NO_RESULTS


def test_a_size_around_what_the_tables_print():
    near = gain("a/b", direction="up", size={"within": 0.5})
    runs = measured(a=[32.0, 32.1, 31.9], b=BASE)
    assert verdict(results(runs, True, [PUBLISHED]), near).outcome is Outcome.HOLDS
    runs = measured(a=[33.0, 33.1, 32.9], b=BASE)
    assert verdict(results(runs, True, [PUBLISHED]), near).outcome is Outcome.DOES_NOT


def test_a_level_is_around_what_is_printed():
    test = {"kind": "level", "runs": ["a"], "metric": "AP", "size": {"within": 0.5}}
    near, far = measured(a=[38.3, 38.1, 38.2]), measured(a=[36.3, 36.1, 36.2])
    assert verdict(results(near, True, [PUBLISHED]), test).outcome is Outcome.HOLDS
    assert verdict(results(far, True, [PUBLISHED]), test).outcome is Outcome.DOES_NOT
    assert verdict(results(near, False, [PUBLISHED]), test).outcome is Outcome.UNDECIDED


@pytest.mark.parametrize(
    ("where", "values", "outcome"),
    [
        ({}, [49.0, 49.1, 48.9], Outcome.DOES_NOT),
        ({"backbone": ["ResNet"]}, [49.0, 49.1, 48.9], Outcome.HOLDS),
    ],
)
def test_rivals_are_the_others_of_the_kind_asked_for(where, values, outcome):
    others = table(
        "table8",
        row("A", attributes={"backbone": "ResNet"}, AP=48.0),
        row("B", attributes={"backbone": "Other"}, AP=50.0),
        row("Ours", "a", attributes={"backbone": "ResNet"}, AP=60.0),
        row("Unknown", attributes={"backbone": "ResNet"}, AP=None),
        metrics=["AP"],
        attributes=["backbone"],
    )
    test = {"kind": "above_published", "run": "a", "metric": "AP", "table": "table8"}
    test |= {"ours": ["a"], "where": where}
    runs = measured(a=values)
    assert verdict(results(runs, True, [others]), test).outcome is outcome
    assert verdict(results(runs, False, [others]), test).outcome is Outcome.UNDECIDED


@given(a=SAMPLE, b=SAMPLE)
def test_a_claim_and_its_contrary_never_both_hold(a, b):
    found = results(measured(a=a, b=b))
    up = verdict(found, UP).outcome
    down = verdict(found, gain("a/b", direction="down")).outcome
    contrary = {Outcome.HOLDS: Outcome.DOES_NOT, Outcome.DOES_NOT: Outcome.HOLDS}
    assert down is contrary.get(up, Outcome.UNDECIDED)
    assert verdict(found, gain("b/a", direction="up")).outcome is down


@given(a=SAMPLE, b=SAMPLE, shift=st.floats(-50, 50))
def test_a_verdict_does_not_depend_on_where_the_metric_starts(a, b, shift):
    moved = measured(a=[x + shift for x in a], b=[x + shift for x in b])
    first, second = (
        verdict(results(runs), UP).evidence[0].measured.value
        for runs in (measured(a=a, b=b), moved)
    )
    assert first == pytest.approx(second, abs=1e-9)

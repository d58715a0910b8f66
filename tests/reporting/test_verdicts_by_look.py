"""Verdicts at looks: what each look sees, which decides, and how often chance does."""

import random
import re

import pytest

from tests.reporting.claims import BASE, BETTER, UP, claim, gain, measured, results
from tests.reporting.conftest import training
from tsd.experiments.comparisons import Difference, Quantity
from tsd.experiments.spending import errors_of_looks
from tsd.reporting.intervals import estimate
from tsd.reporting.page import write_pages, write_parts
from tsd.reporting.verdicts import Outcome
from tsd.reporting.verdicts_by_look import judge_by_look, overview, remark
from tsd.results.collected import CollectedLooks, State

SEEDS = [2, 3, 5]
ERRORS = errors_of_looks(SEEDS, 0.05)

CLEAR = [60.0, 60.01, 60.02, 60.01, 60.0]
LOW = [30.0, 30.01, 30.02, 30.01, 30.0]
NEAR = [30.0, 30.1, 30.0, 30.1, 30.0]
ABOVE = [33.0, 33.3, 33.1, 33.2, 33.0]
NOISY = [33.0, 31.0, 34.0, 32.0, 33.5]


def looked_at(runs, test=UP, **changes):
    """Results of which a claim is judged by looks."""
    found = results(runs, claims=[claim(test)])
    content = {
        "runs": list(runs),
        "taken": 3,
        "hours": 3.25,
        "budget_hours": None,
        "end": None,
        **changes,
    }
    found.looks = CollectedLooks(seeds=SEEDS, errors=ERRORS, **content)
    return found


def only(found):
    (verdict,) = judge_by_look(found)
    return verdict


def test_with_a_fixed_number_of_seeds_all_are_judged_at_once():
    found = results(measured(a=BETTER, b=BASE), claims=[claim(UP)])
    verdict = only(found)
    assert verdict.outcome is Outcome.HOLDS
    assert verdict.look is None
    assert remark(found, verdict) == overview(found) == ""


def test_the_first_look_that_decides_stays_whatever_comes_later():
    turned = [*CLEAR[:2], 0.0, 0.1, 0.2]
    for a in (CLEAR, turned):
        found = looked_at(measured(a=a, b=LOW))
        verdict = only(found)
        assert (verdict.outcome, verdict.look) == (Outcome.HOLDS, 1)
        assert verdict.evidence[0].measured.seeds == (2, 2)
        assert verdict.evidence[0].measured.error == ERRORS[0]
        assert (
            remark(found, verdict) == "This was decided at look 1 of 3, with 2 seeds of each run."
        )


def test_a_later_look_decides_what_the_first_could_not():
    verdict = only(looked_at(measured(a=ABOVE, b=NEAR)))
    assert (verdict.outcome, verdict.look) == (Outcome.HOLDS, 2)
    assert verdict.evidence[0].measured.error == ERRORS[1]


def test_a_claim_that_no_look_decides_is_undecided_at_the_last_one():
    found = looked_at(measured(a=NOISY, b=[32.0, 33.0, 31.5, 33.2, 32.5]))
    verdict = only(found)
    assert (verdict.outcome, verdict.look) == (Outcome.UNDECIDED, 3)
    assert remark(found, verdict) == "This is not decided at look 3 of 3, with 5 seeds of each run."


def test_a_look_uses_no_seeds_beyond_its_own():
    """Four seeds are not five: the last look is not there, and nothing is judged by four."""
    verdict = only(looked_at(measured(a=NOISY[:4], b=NOISY[:4])))
    assert verdict.look == 2
    assert verdict.evidence[0].measured.seeds == (3, 3)


def test_seeds_that_one_side_has_for_the_sake_of_another_claim_change_nothing():
    short = only(looked_at(measured(a=NOISY[:2], b=LOW[:2])))
    long = only(looked_at(measured(a=NOISY, b=LOW[:2])))
    assert long.look == short.look == 1
    assert long.evidence[0].measured == short.evidence[0].measured


@pytest.mark.parametrize("state", ["running", "failed", "not run"])
def test_a_look_whose_trainings_are_not_all_there_does_not_count(state):
    runs = measured(a=ABOVE[:3], b=NEAR[:3])
    assert only(looked_at(runs)).look == 2
    runs["a"].seeds[2] = training(state)
    verdict = only(looked_at(runs))
    assert (verdict.outcome, verdict.look) == (Outcome.UNDECIDED, 1)


def test_no_look_is_there_before_its_trainings_are():
    runs = measured(a=CLEAR[:2], b=LOW[:1])
    runs["b"].seeds[1] = training("running")
    found = looked_at(runs)
    verdict = only(found)
    assert verdict.outcome is Outcome.NO_RESULTS
    assert remark(found, verdict) == ""


def test_one_refuted_comparison_decides_though_others_are_not_trained():
    test = gain("a/b", "c/b", direction="up")
    verdict = only(looked_at(measured(a=LOW, b=CLEAR), test))
    assert (verdict.outcome, verdict.look) == (Outcome.DOES_NOT, 1)


def test_a_run_with_fewer_seeds_of_its_own_is_seen_by_the_first_look():
    verdict = only(looked_at(measured(a=[3.0], b=[2.0])))
    assert (verdict.outcome, verdict.look) == (Outcome.UNDECIDED, 1)
    assert verdict.evidence[0].measured.value == pytest.approx(1)


def test_judging_changes_no_results():
    found = looked_at(measured(a=NOISY, b=LOW))
    before = found.model_dump()
    judge_by_look(found)
    assert found.model_dump() == before
    assert all(t.state is State.EVALUATED for t in found.trainings())


def test_the_overview_says_how_the_looks_are_and_how_far():
    text = overview(looked_at(measured(a=NOISY, b=LOW), taken=1, budget_hours=12))
    assert "look 1 with 2 seeds at 99.8058%, look 2 with 3 seeds at 99.0" in text
    assert "look 3 with 5 seeds at 96.1" in text
    assert "as rarely as a single one at 95% would" in text
    assert "1 of the looks is over" in text
    assert "took 3.2 hours of 12 that they may take. Another look follows." in text
    text = overview(looked_at(measured(a=NOISY, b=LOW), taken=2, end="all is said"))
    assert "2 of the looks are over" in text
    assert text.endswith("took 3.2 hours. No look follows, since all is said.")


def test_the_pages_say_at_which_look_a_claim_was_decided(tmp_path):
    found = looked_at(measured(a=ABOVE, b=NEAR))
    found.write(tmp_path / "results.json")
    write_parts(tmp_path / "results.json")
    write_pages(tmp_path / "results.json")
    for name in ("index.html", "report.md"):
        page = (tmp_path / name).read_text(encoding="utf-8")
        assert "This was decided at look 2 of 3, with 3 seeds of each run." in page
        assert re.search(r"\(99\.0\d+%: ", page)
        assert "look 1 with 2 seeds at 99.8058%" in page


def decisions_by_chance(errors, tries):
    """How often some look finds a difference between two runs that are the same."""
    chance = random.Random(20)
    difference = Difference("a", Quantity(("AP",)), "b")
    wrong = 0
    for _ in range(tries):
        values = {run: [chance.gauss(0, 1) for _ in range(SEEDS[-1])] for run in "ab"}
        for seeds, error in zip(SEEDS, errors, strict=True):
            seen = {run: dict(enumerate(values[run][:seeds])) for run in values}
            found = estimate(difference, lambda run, metric, seen=seen: seen[run], error=error)
            low, high = found.interval
            if low > 0 or high < 0:
                wrong += 1
                break
    return wrong / tries


def test_chance_decides_no_more_often_at_three_looks_than_at_one():
    assert decisions_by_chance(ERRORS, 5000) <= 0.05
    assert decisions_by_chance([0.05] * 3, 5000) > 0.06  # without sharing the error out

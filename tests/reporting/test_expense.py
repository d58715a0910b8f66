"""What trainings took, and what it would take to decide what is undecided."""

from tests.reporting.claims import BASE, BETTER, UP, claim, gain, measured, results
from tsd.reporting.expense import HELD, spent, to_decide
from tsd.reporting.verdicts import judge

UNSURE = {"a": [30.0, 31.0, 32.0], "b": [29.0, 30.0, 31.0]}
"""A gain of 1 whose interval has 0 in it."""


def timed(runs, seconds=3600.0, **changes):
    for one in runs.values():
        for training in one.seeds.values():
            training.train = training.train.model_copy(update={"seconds": seconds, **changes})
    return runs


def test_hours_are_told_by_device():
    runs = timed(measured(a=[1.0, 2.0]), threads=2)
    runs |= timed(measured(b=[1.0]), device="cuda: A GPU", processes=8)
    assert spent(results(runs)) == "4.0 core-hours on CPU; 8.0 GPU-hours on cuda: A GPU" + HELD


def test_trainings_without_a_time_are_told():
    runs = timed(measured(a=[1.0, 2.0])) | timed(measured(b=[1.0]), seconds=None)
    text = "2.0 core-hours on CPU, without 1 training whose time was not written down"
    assert spent(results(runs)) == text + HELD
    on_gpu = timed(measured(a=[1.0]), device="cuda: A GPU")
    assert spent(results(on_gpu)) == "1.0 GPU-hours on cuda: A GPU"
    assert spent(results({})) == ""


def test_a_training_that_several_claims_need_counts_once():
    found = results(timed(measured(**UNSURE)), claims=[claim(UP), claim(UP)])
    (first, _) = judged = judge(found)
    more = sum(first.effort.seeds.values()) - 6
    assert to_decide(found, judged) == (
        f"{more} further trainings of about {more} core-hours may decide 2 of 2 undecided claims, "
        "each with a chance of 80% if the present estimates are right"
    )


def test_claims_that_cannot_be_planned_are_counted_too():
    runs = timed(measured(**UNSURE, c=[31.0, 31.0]))
    close = claim(gain("a/b", size={"about": 1, "within": 0.01}), id="close")
    found = results(runs, is_paper=True, claims=[claim(UP), close])
    assert to_decide(found, judge(found)).count("may decide 1 of 2 undecided claims") == 1
    found = results(runs, is_paper=True, claims=[close])
    assert to_decide(found, judge(found)) == (
        "for none of the 1 undecided claim can it be said how many seeds would decide it"
    )


def test_seeds_that_are_there_already_are_no_further_trainings():
    """A claim may be judged by the first seeds alone, while other claims had more trained."""
    few = results(measured(**UNSURE), claims=[claim(UP)])
    many = results(measured(**{name: 9 * values for name, values in UNSURE.items()}))
    assert "0 further trainings" in to_decide(many, judge(few))


def test_nothing_is_left_where_everything_is_decided():
    found = results(measured(a=BETTER, b=BASE), claims=[claim(UP)])
    assert to_decide(found, judge(found)) == ""

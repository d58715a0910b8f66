"""What it would take to decide a claim."""

import numpy
import pytest

from tests.reporting.claims import UP, gain, measured, results, verdict
from tsd.reporting.effort import MOST
from tsd.reporting.intervals import estimate
from tsd.reporting.verdicts import Outcome

UNSURE = {"a": [30.0, 31.0, 32.0], "b": [29.0, 30.0, 31.0]}
"""A gain of 1 whose interval has 0 in it."""


def timed(runs, seconds=3600.0, **changes):
    for one in runs.values():
        for training in one.seeds.values():
            training.train = training.train.model_copy(update={"seconds": seconds, **changes})
    return runs


def test_what_is_decided_takes_nothing():
    found = verdict(results(measured(a=[33.0, 33.1, 32.9], b=[30.0, 30.1, 29.9])), UP)
    assert found.outcome is Outcome.HOLDS
    assert found.effort is None


def test_an_undecided_claim_takes_more_seeds_of_its_runs():
    found = verdict(results(measured(**UNSURE)), UP)
    assert found.effort.would_hold
    assert found.effort.seeds.keys() == {"a", "b"}
    assert all(3 < count <= MOST for count in found.effort.seeds.values())


def test_so_many_seeds_of_that_spread_do_decide_it():
    """With the number and the spread kept, the detectable difference falls below the number."""
    found = verdict(results(measured(**UNSURE)), UP)
    need = found.effort.seeds["a"]
    (comparison,) = (evidence.comparison for evidence in found.evidence)

    def detectable(count):
        ends = numpy.array([-1, 1]) * numpy.sqrt((count - 1) / 2)
        values = [*ends, *([0.0] * (count - 2))]
        scale = {"a": 1.0, "b": 0.0}
        return estimate(
            comparison,
            lambda run, _: dict(enumerate(scale[run] + value for value in values)),
        ).detectable

    assert detectable(need) <= 1 < detectable(need - 1)


def test_a_number_outside_is_on_its_way_to_be_refuted():
    found = verdict(results(measured(a=UNSURE["b"], b=UNSURE["a"])), UP)
    assert found.outcome is Outcome.UNDECIDED
    assert not found.effort.would_hold


def test_of_several_outside_the_one_with_the_fewest_seeds_is_enough():
    runs = measured(**UNSURE, c=[33.0, 30.0, 36.0])
    found = verdict(results(runs), gain("b/a", "b/c", direction="up"))
    assert found.outcome is Outcome.UNDECIDED
    assert not found.effort.would_hold
    assert len(found.effort.seeds) == 2


def test_to_hold_each_comparison_gets_its_seeds():
    runs = measured(**UNSURE, c=[29.2, 30.0, 30.8], d=[20.0, 20.1, 20.2])
    found = verdict(results(runs), gain("a/b", "a/c", "a/d", direction="up"))
    assert found.outcome is Outcome.UNDECIDED
    assert found.effort.seeds.keys() == {"a", "b", "c"}
    counts = {}
    for name in "bc":
        only = verdict(results(runs), gain(f"a/{name}", direction="up")).effort.seeds
        counts[name] = only["a"]
    assert found.effort.seeds["a"] == max(counts.values())


def test_what_is_next_to_nothing_takes_more_than_are_counted():
    found = verdict(results(measured(a=[30.0, 31.0, 32.01], b=[30.0, 31.0, 32.0])), UP)
    assert found.effort.seeds is None


def test_without_a_spread_nothing_can_be_said():
    assert verdict(results(measured(a=[33.0], b=[30.0])), UP).effort is None


def test_what_this_scale_cannot_decide_takes_no_seeds():
    same = gain("a/b", size={"about": 0, "within": 0.5})
    found = verdict(results(measured(**UNSURE)), same)
    assert found.outcome is Outcome.UNDECIDED
    assert found.effort is None


@pytest.mark.parametrize(
    ("changes", "core", "gpu"),
    [
        ({"device": "cpu", "threads": 2}, 2.0, None),
        ({"device": "cuda:0", "processes": 4}, None, 4.0),
    ],
)
def test_the_hours_are_those_of_the_trainings_that_were_timed(changes, core, gpu):
    found = verdict(results(timed(measured(**UNSURE), **changes)), UP).effort
    more = sum(count - 3 for count in found.seeds.values())
    assert found.core_hours == (None if core is None else pytest.approx(core * more))
    assert found.gpu_hours == (None if gpu is None else pytest.approx(gpu * more))


def test_the_hours_are_unknown_where_a_run_was_not_timed():
    found = verdict(results(measured(**UNSURE)), UP).effort
    assert found.seeds
    assert (found.core_hours, found.gpu_hours) == (None, None)


def test_a_run_with_one_training_that_borrows_gets_its_seeds():
    others = {name: [x, x + 1.0] for name, x in zip("cdef", range(30, 34), strict=True)}
    found = verdict(results(measured(a=[31.5], b=[30.0], **others)), UP)
    assert found.outcome is Outcome.UNDECIDED
    assert all(count > 1 for count in found.effort.seeds.values())

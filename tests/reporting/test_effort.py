"""What it would take to decide a claim."""

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reporting.claims import UP, gain, measured, results, verdict
from tsd.reporting.effort import MOST
from tsd.reporting.intervals import ERROR, WEIGHTS, Sample, estimate, uncertainty
from tsd.reporting.moderation import Prior
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


def test_so_many_seeds_of_that_spread_and_no_fewer_can_show_it():
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


def test_to_hold_each_comparison_gets_its_seeds_and_more_for_the_company():
    """Two comparisons have to speak for the claim at once, and what is far inside needs nothing."""
    runs = measured(**UNSURE, c=[29.2, 30.0, 30.8], d=[20.0, 20.1, 20.2])
    found = verdict(results(runs), gain("a/b", "a/c", "a/d", direction="up"))
    assert found.outcome is Outcome.UNDECIDED
    assert found.effort.seeds.keys() == {"a", "b", "c"}
    counts = {}
    for name in "bc":
        only = verdict(results(runs), gain(f"a/{name}", direction="up")).effort.seeds
        counts[name] = only["a"]
    assert found.effort.seeds["a"] > max(counts.values())
    without = verdict(results(runs), gain("a/b", "a/c", direction="up")).effort.seeds
    assert found.effort.seeds == without


def spread_out(mean, sd, count):
    """So many values with exactly this mean and standard deviation."""
    values = numpy.linspace(-1, 1, count)
    return list(mean + sd * values / values.std(ddof=1))


SEVEN = [f"a{number}/b{number}" for number in range(7)]
SHARED = ["a0/b", "a1/b", "a2/b"]
SIZED = {"size": {"about": 1.5, "within": 0.5}}


@pytest.mark.parametrize(
    ("pairs", "rise", "sd", "expected", "is_paper"),
    [
        (["a/b"], 1.0, 0.6, {"direction": "up"}, False),
        (SEVEN, 1.0, 0.6, {"direction": "up"}, False),
        (SHARED, 1.0, 0.6, {"direction": "up"}, False),
        (["a/b"], 1.5, 0.25, SIZED, True),
        (["a/b"], 1.8, 0.1, SIZED, True),
        (["a/b"], -1.0, 0.6, {"direction": "up"}, False),
    ],
    ids=["one", "seven", "of one baseline", "range", "off the middle of a range", "against"],
)
def test_trainings_with_the_promised_seeds_decide_the_claim(pairs, rise, sd, expected, is_paper):
    """Trainings are drawn anew around the present estimate, and judged as any others are."""
    means = {
        run: 30.0 + rise * (run[0] == "a") for pair in pairs for run in reversed(pair.split("/"))
    }
    start = measured(**{run: spread_out(mean, sd, 3) for run, mean in means.items()})
    test = gain(*pairs, **expected)
    found = verdict(results(start, is_paper), test)
    assert found.outcome is Outcome.UNDECIDED
    assert found.effort.would_hold == (rise > 0)
    seeds = {run: found.effort.seeds.get(run, 3) for run in means}
    numbers = numpy.random.default_rng(0)
    outcomes = [
        verdict(
            results(
                measured(**{r: list(numbers.normal(m, sd, seeds[r])) for r, m in means.items()}),
                is_paper,
            ),
            test,
        ).outcome
        for _ in range(80)
    ]
    wanted = Outcome.HOLDS if rise > 0 else Outcome.DOES_NOT
    assert sum(one is wanted for one in outcomes) >= 60


VARIANCE = st.floats(0.01, 4)


@st.composite
def two_samples(draw):
    """Samples of a run and of its baseline, and what other runs tell of the spread, if they do."""
    counts = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    prior = draw(
        st.none() | st.builds(Prior, st.floats(0.1, 2), st.floats(0.3, 6), st.floats(1, 20))
        if min(counts) > 1
        else st.builds(Prior, st.floats(0.1, 2), st.floats(0.3, 6), st.floats(1, 20))
    )
    return [Sample(n, 0.0, draw(VARIANCE) if n > 1 else None) for n in counts], prior


@given(two_samples(), st.floats(0.01, 5))
def test_more_seeds_are_never_the_worse_choice(drawn, distance):
    """Nor do they make a smaller effect the one that can be found."""
    samples, prior = drawn
    known = [
        uncertainty(samples, WEIGHTS, prior, [max(wanted, one.count) for one in samples])
        for wanted in range(2, MOST + 1)
    ]
    missed = [one.missed(distance, ERROR) for one in known]
    detectable = [one.detectable(ERROR) for one in known]
    assert (numpy.diff(missed) <= 1e-3).all()
    assert (numpy.diff(detectable) <= 1e-3 * numpy.array(detectable[1:])).all()


def test_a_claim_of_more_comparisons_needs_more_seeds_of_each():
    runs = {run: spread_out(30.0 + (run[0] == "a"), 0.6, 3) for p in SEVEN for run in p.split("/")}
    found = [
        verdict(results(measured(**runs)), gain(*SEVEN[:count], direction="up")).effort.seeds
        for count in (1, 3, 7)
    ]
    needed = [max(seeds.values()) for seeds in found]
    assert needed == sorted(set(needed))
    assert [len(seeds) for seeds in found] == [2, 6, 14]


def test_both_ends_of_a_range_count():
    """In the middle of its range a number may be off to either side, and needs more seeds."""
    runs = measured(a=spread_out(31.5, 0.25, 3), b=spread_out(30.0, 0.25, 3))
    both, one = (
        verdict(results(runs, is_paper=True), gain("a/b", size=size)).effort
        for size in (SIZED["size"], {"at_least": 1.0})
    )
    assert both.seeds["a"] > one.seeds["a"]


def test_a_comparison_without_chance_needs_no_seeds():
    runs = measured(**UNSURE)
    for name, size in (("a", 40.0), ("b", 30.0)):
        for training in runs[name].seeds.values():
            training.metrics["params"] = size
    found = verdict(results(runs), gain("a/b", metrics=["params", "AP"], direction="up"))
    assert found.effort == verdict(results(runs), UP).effort


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

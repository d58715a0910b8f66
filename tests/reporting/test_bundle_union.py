"""Bundles that do not agree are refused by name, and those that do say together what each says."""

from pathlib import Path

import pytest

from tests.reporting.claims import UP, claim, measured
from tests.reporting.claims import results as results_of
from tests.reporting.conftest import counted, train_record
from tsd.data.image_check import ImageReport
from tsd.experiments.dataset_schema import Embedded
from tsd.experiments.spending import errors_of_looks
from tsd.reporting.bundle_looks import hours_after_first_look
from tsd.reporting.bundle_union import union
from tsd.reporting.verdicts import Outcome
from tsd.reporting.verdicts_by_look import judge_by_look, overview
from tsd.results.bundle_format import BundleError
from tsd.results.collected import CollectedLength, CollectedLooks

A, B, C = Path("a.zip"), Path("b.zip"), Path("c.zip")
SEEDS = [2, 3, 5]
NEAR = {"a": [33.0, 33.3, 33.1, 33.2, 33.0], "b": [30.0, 30.1, 30.0, 30.1, 30.0]}


@pytest.fixture
def first():
    """What a bundle says that has two runs."""
    return results_of(measured(**NEAR), claims=[claim(UP)])


@pytest.fixture
def other(first):
    """The same, of another machine."""
    return first.model_copy(deep=True)


def refusal(*said):
    with pytest.raises(BundleError) as error:
        union(list(zip((A, B, C), said, strict=False)))
    return str(error.value)


def test_bundles_that_say_the_same_are_as_one(first, other):
    assert union([(A, first)]) == union([(A, first), (B, other)]) == first


@pytest.mark.parametrize("file", ["train", "val"])
def test_a_run_on_other_annotations_is_not_set_against_one_on_these(first, other, file):
    name = first.dataset.id
    first.data[name].sums = {"train": "0" * 64, "val": "1" * 64}
    other.data[name].sums = {**first.data[name].sums, file: "f" * 64}
    said = refusal(first, other)
    assert said.startswith("a.zip and b.zip: nothing was changed, since the file ")
    assert f"the file {file} of the data set {name} has the SHA-256 " in said
    assert f"{'f' * 64} in the other" in said


def test_each_two_of_several_bundles_are_compared(first, other):
    """The second is of a machine without the data, which therefore agrees with both others."""
    name, last = first.dataset.id, first.model_copy(deep=True)
    first.data[name].sums, last.data[name].sums = {"val": "0" * 64}, {"val": "1" * 64}
    other.data[name].sums = {"train": "2" * 64}
    assert refusal(first, other, last).startswith("a.zip and c.zip: ")
    found = union([(A, first), (B, other)]).data[name].sums
    assert found == {"val": "0" * 64, "train": "2" * 64}


def test_other_images_are_refused_but_not_those_that_each_machine_makes(first, other):
    name = first.dataset.id
    for said, content in ((first, "1" * 32), (other, "2" * 32)):
        check = counted(said.dataset, {"one": 3})
        pixels = {"val": ImageReport(12, content, 0, 0, 0, 0, 0)}
        said.data[name].check = check.model_copy(update={"pixels": pixels})
    assert f"the val split of the data set {name} has other images" in refusal(first, other)
    for said in (first, other):
        said.data[name].dataset = said.dataset.model_copy(update={"embedded": Embedded()})
    assert union([(A, first), (B, other)]).data == first.data


def test_a_run_that_is_declared_otherwise_is_refused_though_one_did_not_ask_for_it(first, other):
    for part in ("digest", "network"):
        setattr(other.runs["b"], part, None)
    assert union([(A, other), (B, first)]).runs["b"].digest == first.runs["b"].digest
    other.runs["b"].protocol = "mmdet3"
    assert "the run b is declared otherwise" in refusal(first, other)
    first.runs["b"].digest, other.runs["b"].digest = "0" * 10, "1" * 10
    assert f"the run b is {'0' * 10} in the one and {'1' * 10} in the" in refusal(first, other)


def lengths(own, **longer):
    """Results at the scale's own length, and at another one."""
    about = {"trainings": "some iterations"}
    return [
        CollectedLength(scale="mini", grid="mini", ratio=1, runs=own, **about),
        CollectedLength(scale="mini_3x", grid="mini_3x", ratio=3, runs=longer, **about),
    ]


def test_longer_trainings_of_both_are_put_together(first, other):
    first.lengths = lengths({}, a={1: {"AP": 35.1, "runtime": 5.0}})
    other.lengths = lengths({}, a={0: {"AP": 34.0}, 1: {"AP": 35.1, "runtime": 6.0, "APl": 9.0}})
    found = union([(A, first), (B, other)]).lengths
    assert [one.scale for one in found] == ["mini", "mini_3x"]
    assert found[1].runs == {"a": {0: {"AP": 34.0}, 1: {"AP": 35.1, "runtime": 5.0, "APl": 9.0}}}


def test_a_longer_training_with_two_results_is_refused_by_name(first, other):
    first.lengths = lengths({}, a={0: {"AP": 35.1}})
    other.lengths = lengths({}, a={0: {"AP": 99.0}})
    said = refusal(first, other)
    assert said.startswith("a.zip and b.zip: nothing was changed, since the run a with seed 0 of ")
    assert "the grid mini_3x has AP 35.1 in the one and 99.0 in the other" in said
    other.lengths[1].ratio = 4
    assert "the length mini_3x is declared otherwise" in refusal(first, other)


def test_results_at_the_own_length_are_those_of_the_trainings(first, other):
    """Which are compared when they are merged, so that what the bundles say of them is left."""
    for said, ap in ((first, 1.0), (other, 2.0)):
        said.lengths = lengths({"a": {0: {"AP": ap}}})
    union([(A, first), (B, other)])


def looked(said, runs, taken, end=None, budget=None, hours=1.0):
    said.looks = CollectedLooks(
        runs=list(runs),
        seeds=SEEDS,
        errors=errors_of_looks(SEEDS, 0.05),
        taken=taken,
        hours=hours,
        budget_hours=budget,
        end=end,
    )
    return said


def test_two_stages_of_the_same_looks_are_the_later_stage(first, other):
    early, late = looked(first, "ab", 2), looked(other, "ab", 3, "no claim is left", hours=2.0)
    for run in early.runs.values():
        run.seeds = {seed: run.seeds[seed] for seed in range(3)}
    for both in ([(A, early), (B, late)], [(A, late), (B, early)]):
        found = union(both)
        assert found.looks == late.looks
        assert judge_by_look(found) == judge_by_look(late)
        assert "3 of the looks are over" in overview(found)


def test_a_merged_claim_is_judged_at_the_level_of_its_look_and_not_at_once(first, other):
    """What both bundles leave undecided does not become decided by being merged."""
    seeds = {name: dict(list(run.seeds.items())[:2]) for name, run in first.runs.items()}
    for said in (first, other):
        for name, run in said.runs.items():
            run.seeds = seeds[name]
        looked(said, "ab", 1)
    (alone,), (merged,) = judge_by_look(first), judge_by_look(union([(A, first), (B, other)]))
    first.looks = None
    (at_once,) = judge_by_look(first)
    assert alone.outcome is merged.outcome is Outcome.UNDECIDED
    assert at_once.outcome is Outcome.HOLDS, "which is what the merged one must not be"


@pytest.mark.parametrize(
    ("stages", "taken", "end"),
    [
        ([(2, None), (1, None)], 1, None),
        ([(1, "it is over"), (2, None)], 2, None),
        ([(3, "it is over"), (2, None)], 2, None),
        ([(1, "it is over"), (3, "there is no budget")], 3, "it is over, and there is no budget"),
        ([(3, "it is over"), (3, "it is over")], 3, "it is over"),
        ([(0, None), (3, "it is over")], 0, None),
    ],
)
def test_looks_at_other_runs_are_over_as_far_as_the_slowest_that_goes_on(
    first, other, stages, taken, end
):
    for said, runs, stage in zip((first, other), ("ab", "bc"), stages, strict=True):
        looked(said, runs, *stage, budget=8.0)
    found = union([(A, first), (B, other)]).looks
    assert (found.taken, found.end, found.budget_hours) == (taken, end, 16.0)
    assert found.runs == ["a", "b", "c"]
    assert (found.seeds, found.errors) == (first.looks.seeds, first.looks.errors)


def test_the_hours_of_merged_looks_are_those_of_their_trainings(first):
    looked(first, "a", 3)
    for run in first.runs.values():
        for training in run.seeds.values():
            training.train = train_record(seconds=3600.0, threads=1)
    assert hours_after_first_look(first) == 3, "five seeds, two of the first look; b has no looks"


def test_other_looks_are_refused(first, other):
    looked(first, "ab", 1, budget=8.0)
    said = refusal(first, other)
    assert "a.zip has looks at growing results (seeds=auto), and b.zip a fixed number" in said
    assert "b.zip has looks" in refusal(other, first)
    looked(other, "ab", 1)
    assert "budget_hours of the looks is 8.0 in the one and None in the other" in refusal(
        first, other
    )
    looked(other, "ab", 1, budget=8.0).looks.seeds = [2, 3, 4]
    assert "seeds of the looks is [2, 3, 5] in the one and [2, 3, 4]" in refusal(first, other)

"""What the pairs of a claim say together."""

import numpy
import pytest
from scipy import stats

from tests.reporting.claims import gain, measured, pairs, results, verdict
from tsd.reporting.verdicts import Outcome

RUNS = {
    "a": [31.0, 31.4],
    "b": [30.0, 30.6],
    "c": [33.0, 33.3],
    "d": [32.0, 32.1],
    "e": [29.0, 29.5],
    "f": [30.0, 30.2],
}
THREE = gain("a/b", "c/d", "e/f", direction="up")


def pooled(runs, test=THREE):
    return verdict(results(runs), test).pooled


def test_pairs_are_counted_and_their_mean_is_taken():
    found = pooled(measured(**RUNS))
    assert found.mean.value == pytest.approx((0.9 + 1.1 - 0.85) / 3)
    assert (found.pairs, found.above) == (3, 2)
    assert found.probability == pytest.approx(2 / 3)


def test_the_mean_is_better_known_than_a_pair():
    test = verdict(results(measured(**RUNS)), THREE)
    low, high = test.pooled.mean.interval
    for evidence in test.evidence:
        assert high - low < evidence.measured.interval[1] - evidence.measured.interval[0]


def test_a_common_baseline_is_uncertain_once_but_in_all_pairs():
    """Three runs over one baseline: its variance counts wholly, theirs by a third each."""
    values = {"a": [1.0, 2.0, 3.0], "c": [2.0, 3.0, 4.0], "e": [0.0, 1.0, 2.0]}
    found = pooled(measured(**values, b=[0.0, 1.0, 2.0]), gain("a/b", "c/b", "e/b", direction="up"))
    low, high = found.mean.interval
    half = (high - low) / 2
    error = numpy.sqrt(1 / 3 + 3 * (1 / 9) / 3)
    assert half / error == pytest.approx(stats.t.ppf(0.975, found.mean.prior.known), rel=0.35)
    assert half > error * stats.norm.ppf(0.975)


def test_it_leaves_the_verdict_alone():
    """The mean is clearly above 0, and one pair is clearly below."""
    runs = measured(a=[50.0, 50.1], b=[30.0, 30.1], c=[28.0, 28.1], d=[30.0, 30.1])
    found = verdict(results(runs), gain("a/b", "c/d", direction="up"))
    assert found.pooled.mean.interval[0] > 0
    assert found.outcome is Outcome.DOES_NOT


def test_pairs_without_results_are_left_out():
    runs = measured(**RUNS)
    runs["e"].seeds = {}
    found = pooled(runs)
    assert found.pairs == 2
    assert found.mean.value == pytest.approx(1.0)


def test_pairs_of_the_same_trainings_count_once():
    runs = measured(**RUNS)
    runs["e"].digest, runs["f"].digest = runs["a"].digest, runs["b"].digest
    assert pooled(runs).pairs == 2


@pytest.mark.parametrize(
    "test",
    [
        gain("a/b", direction="up"),
        gain("a/b", "c/d", metrics=["AP", "AP50"], direction="up"),
        {"kind": "level", "runs": ["a", "b"], "metric": "AP", "size": {"within": 0.5}},
        {"kind": "ratio", "pairs": pairs("a/b", "c/d"), "metric": "params", "direction": "up"},
    ],
)
def test_only_several_pairs_of_one_noisy_quantity_are_taken_together(test):
    runs = measured(**RUNS)
    for one in runs.values():
        for training in one.seeds.values():
            training.metrics |= {"AP50": training.metrics["AP"], "params": 3.0}
    assert pooled(runs, test) is None


def test_quotients_have_a_geometric_mean():
    runs = measured("runtime", a=[200.0, 210.0], b=[100.0, 105.0], c=[50.0, 51.0], d=[100.0, 102.0])
    test = {"kind": "ratio", "pairs": pairs("a/b", "c/d"), "metric": "runtime", "direction": "up"}
    assert pooled(runs, test).mean.value == pytest.approx(1.0)


def test_a_tie_counts_half():
    found = pooled(
        measured(a=[1.0, 2.0], b=[1.0, 2.0], c=[5.0, 6.0], d=[1.0, 2.0]),
        gain("a/b", "c/d", direction="up"),
    )
    assert found.probability == pytest.approx((0.5 + 1) / 2)
    assert found.above == 1

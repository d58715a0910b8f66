import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tsd.experiments.comparisons import Alone, Difference, Quantity, Quotient
from tsd.reporting.intervals import estimate

SAMPLE = st.lists(st.integers(10, 1000).map(lambda n: n / 10), min_size=2, max_size=6)
AP = Quantity(("AP",))


def looking_up(**runs):
    """Values by run, metric and seed, those of a run given as metric → list over seeds."""
    return lambda run, metric: dict(enumerate(runs.get(run, {}).get(metric, [])))


def half_width(*groups, prior=None):
    """Half of the interval of a mean, or of a difference of two."""
    values = looking_up(**{name: {"AP": group} for name, group in zip("ab", groups, strict=False)})
    comparison = Difference("a", AP, "b") if len(groups) == 2 else Alone("a", AP)
    found = estimate(comparison, values, prior=prior).interval
    return None if found is None else (found[1] - found[0]) / 2


@pytest.mark.filterwarnings("ignore:Precision loss")
@given(a=SAMPLE, b=SAMPLE)
def test_intervals_are_welchs_where_nothing_is_lent(a, b):
    half = half_width(a, b)
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert half is None
        return
    theirs = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert 2 * half == pytest.approx(theirs.high - theirs.low, rel=1e-5, abs=1e-9)


@given(a=SAMPLE)
def test_the_interval_of_one_mean_is_students(a):
    half = half_width(a)
    if half is not None:
        assert half == pytest.approx(
            stats.sem(a) * stats.t.ppf(0.975, len(a) - 1), rel=1e-6, abs=1e-12
        )


def test_a_run_by_itself_has_the_mean_of_its_trainings():
    found = estimate(Alone("a", AP), looking_up(a={"AP": [30.0, 33.0]}))
    assert (found.value, found.seeds) == (31.5, (2,))
    assert found.interval[0] < 31.5 < found.interval[1]


def test_of_several_comparisons_each_has_a_wider_interval_besides():
    values = looking_up(a={"AP": [30.0, 33.0, 31.0]}, b={"AP": [28.0, 29.0]})
    alone, one_of_ten = (estimate(Difference("a", AP, "b"), values, comparisons=n) for n in (1, 10))
    assert alone.wide == alone.interval == one_of_ten.interval
    assert one_of_ten.wide[0] < alone.wide[0]
    assert alone.wide[1] < one_of_ten.wide[1]


def test_without_chance_the_interval_is_the_number():
    values = looking_up(a={"params": [44.0]}, b={"params": [40.0]})
    difference = Difference("a", Quantity(("params",)), "b")
    assert estimate(difference, values, is_exact=True).interval == (4.0, 4.0)
    assert estimate(difference, values).interval is None


def test_a_run_or_a_baseline_without_values_gives_no_number():
    values = looking_up(a={"AP": [30.0]})
    assert estimate(Difference("a", AP, "b"), values) is None
    assert estimate(Difference("b", AP, "a"), values) is None


def test_a_quotient_is_of_geometric_means():
    a, b = [110.0, 112.0, 111.0], [100.0, 100.5, 99.5]
    found = estimate(Quotient("a", AP, "b"), looking_up(a={"AP": a}, b={"AP": b}))
    assert found.value == pytest.approx(stats.gmean(a) / stats.gmean(b))


def test_a_quotient_leaves_out_what_has_no_logarithm():
    values = looking_up(a={"AP": [0.0, 110.0]}, b={"AP": [100.0]})
    found = estimate(Quotient("a", AP, "b"), values)
    assert found.value == pytest.approx(1.1)
    assert found.seeds == (1, 1)


def test_the_interval_of_a_quotient_may_be_boundless():
    """Two seeds that differ by orders of magnitude: its upper end is no finite number any more."""
    values = looking_up(a={"AP": [1e-90, 1e90]}, b={"AP": [1.0, 1.1]})
    with pytest.warns(RuntimeWarning, match="overflow"):
        found = estimate(Quotient("a", AP, "b"), values)
    assert found.interval == (0.0, float("inf"))


def test_only_trainings_with_all_metrics_of_the_quantity_count():
    def values(run, metric):
        return {"AP": {0: 10.0, 1: 20.0, 2: 30.0}, "AP50": {1: 25.0, 2: 33.0}}[metric]

    found = estimate(Alone("a", Quantity(("AP50",), ("AP",))), values)
    assert (found.value, found.seeds) == (4.0, (2,))


def test_a_quantity_is_a_mean_of_metrics_less_a_mean_of_others():
    values = looking_up(a={"APs": [10.0], "APm": [20.0], "APl": [60.0], "AP": [34.0]})
    quantity = Quantity(("APs", "APm", "APl"), ("AP", "APm"))
    assert estimate(Alone("a", quantity), values).value == pytest.approx(30.0 - 27.0)

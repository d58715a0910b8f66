import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsd.experiments.comparisons import Alone, Difference, Quantity, Quotient, Range
from tsd.experiments.metrics import METRICS

BOUND = st.floats(-10, 10)
AP = Quantity(("AP",))


@given(low=BOUND, high=BOUND, ends=st.tuples(BOUND, BOUND), without_ends=st.booleans())
def test_an_interval_is_never_both_inside_and_outside(low, high, ends, without_ends):
    where = Range(min(low, high), max(low, high), without_ends)
    lower, upper = sorted(ends)
    assert not (where.contains(lower, upper) and where.misses(lower, upper))
    if lower == upper and where.low < where.high:
        assert where.contains(lower, upper) or where.misses(lower, upper)


@pytest.mark.parametrize(("without_ends", "inside"), [(True, False), (False, True)])
def test_the_ends_of_a_range_belong_to_it_or_do_not(without_ends, inside):
    where = Range(low=0, high=1, without_ends=without_ends)
    assert where.contains(0, 1) is inside
    for end in (0, 1):
        assert where.misses(end, end) is not inside


def test_runs_are_the_run_and_its_baseline():
    assert Alone("a", AP).runs == ("a",)
    assert Difference("a", AP, "b").runs == ("a", "b")


def test_a_quotient_is_compared_as_a_logarithm():
    quotient = Quotient("a", AP, "b")
    assert quotient.scaled(2.0) == -quotient.scaled(0.5) == pytest.approx(math.log(2))
    assert quotient.unscaled(quotient.scaled(3.0)) == pytest.approx(3.0)
    assert quotient.scaled(0.0) is None
    difference = Difference("a", AP, "b")
    assert difference.unscaled(difference.scaled(-3.0)) == -3.0


def test_a_quotient_has_no_unit():
    runtime = Quantity(("runtime",))
    difference, quotient = Difference("a", runtime, "b"), Quotient("a", runtime, "b")
    assert (difference.unit(METRICS), difference.decimals(METRICS)) == ("ms", 1)
    assert (quotient.unit(METRICS), quotient.decimals(METRICS)) == ("", 2)


def test_a_comparison_is_exact_if_all_its_metrics_are():
    assert Difference("a", Quantity(("params",)), "b").is_exact(METRICS)
    assert not Difference("a", Quantity(("params",), ("AP",)), "b").is_exact(METRICS)
    assert not Alone("a", AP).is_exact(METRICS)

"""How often an interval stays clear of a bound, held against trainings that are drawn."""

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtrit

from tsd.reporting.power import FAR, missed, needed


@pytest.mark.parametrize("freedom", [1, 2, 4, 20])
@pytest.mark.parametrize("distance", [0.0, 3.0, 8.0])
def test_drawn_intervals_reach_a_bound_as_often(freedom, distance):
    numbers = numpy.random.default_rng(0)
    reach = stdtrit(freedom, 0.975)
    middles = distance + numbers.normal(size=20000)
    errors = numpy.sqrt(numbers.chisquare(freedom, 20000) / freedom)
    assert missed(distance, freedom, reach) == pytest.approx(
        (middles - reach * errors <= 0).mean(), abs=0.02
    )


@given(freedom=st.floats(0.2, 100), error=st.floats(1e-4, 0.2))
def test_what_is_needed_is_missed_in_the_rest_of_the_cases(freedom, error):
    reach = float(stdtrit(freedom, 1 - error / 2))
    assert missed(needed(0.8, freedom, reach), freedom, reach) == pytest.approx(0.2, abs=5e-3)


@pytest.mark.parametrize("freedom", [0.5, 1.0, 2.0, 20.0])
def test_far_out_the_law_of_the_standard_error_takes_over_without_a_step(freedom):
    near, far = (needed(0.8, freedom, FAR * step) for step in (1, 1 + 1e-9))
    assert near == pytest.approx(far, rel=2e-3)
    near, far = (missed(0.9 * FAR, freedom, FAR * step) for step in (1, 1 + 1e-9))
    assert near == pytest.approx(far, abs=5e-3)


@given(
    st.floats(0.2, 1000),
    st.floats(1e-4, 0.3),
    st.lists(st.floats(0, 1000), min_size=2, max_size=9).map(sorted),
)
def test_what_is_farther_is_missed_less_often(freedom, error, distances):
    reach = float(stdtrit(freedom, 1 - error / 2))
    chances = [missed(distance, freedom, reach) for distance in distances]
    assert all(0 <= chance <= 1 for chance in chances)
    assert (numpy.diff(chances) <= 1e-3).all()


def test_what_is_endlessly_far_is_never_reached_and_what_is_beyond_always():
    assert missed(float("inf"), 3.0, 3.0) == 0
    assert missed(-float("inf"), 3.0, 3.0) == 1
    assert missed(0.0, 0.01, float("inf")) == 1

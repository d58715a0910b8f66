"""The error of all looks together is the error that was asked for."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsd.experiments.spending import errors_of_looks


def test_a_single_look_has_all_of_the_error():
    assert errors_of_looks([5], 0.05) == pytest.approx([0.05])


def test_the_levels_are_those_of_the_function_of_lan_and_demets():
    z = 1.959963984540054  # the quantile of the normal distribution at 0.975
    spent = [math.erfc(z / math.sqrt(2 * t)) for t in (2 / 5, 3 / 5, 1)]
    levels = errors_of_looks([2, 3, 5], 0.05)
    assert levels == pytest.approx([spent[0], spent[1] - spent[0], spent[2] - spent[1]])
    assert levels == pytest.approx([0.0019, 0.0095, 0.0386], abs=5e-5)


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=6, unique=True).map(sorted),
    st.floats(0.001, 0.5),
)
def test_every_look_has_a_part_and_the_parts_add_up(seeds, error):
    levels = errors_of_looks(seeds, error)
    assert len(levels) == len(seeds)
    assert all(level >= 0 for level in levels)
    assert math.fsum(levels) == pytest.approx(error)

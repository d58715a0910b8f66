"""The spread that runs lend each other, against slow references and the law it is drawn from."""

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import polygamma

from tsd.reporting.moderation import MOST_ALIKE, Prior, _inverse_trigamma, fit_prior

POSITIVE = st.floats(1e-3, 1e3)


def drawn(freedom, runs, trainings, seed=0, grids=()):
    """Sample variances of runs whose variances lie around 4 as alike as ``freedom`` says."""
    numbers = numpy.random.default_rng(seed)
    own = 4 * freedom / numbers.chisquare(freedom, (*grids, runs))
    freedoms = numpy.full(runs, trainings - 1.0)
    return own * numbers.chisquare(freedoms, (*grids, runs)) / freedoms, freedoms


@given(values=st.lists(st.floats(0.4, 100), min_size=1, max_size=4))
def test_the_inverse_of_trigamma_is_its_inverse(values):
    found = _inverse_trigamma(numpy.array(values))
    assert polygamma(1, found) == pytest.approx(values, rel=1e-6)


def test_what_many_runs_were_drawn_from_is_found():
    variances, freedoms = drawn(4, 4000, 4)
    prior = fit_prior(variances, freedoms)
    assert float(prior.variance) == pytest.approx(4, rel=0.1)
    assert float(prior.freedom) == pytest.approx(4, rel=0.15)


def test_runs_that_are_equal_are_not_taken_to_be_more_than_alike():
    variances, freedoms = drawn(1e9, 500, 4)
    assert float(fit_prior(variances, freedoms).freedom) == pytest.approx(MOST_ALIKE)


def test_the_less_alike_runs_are_the_less_is_lent():
    alike, unlike = (fit_prior(*drawn(freedom, 300, 4)) for freedom in (1e9, 1.5))
    assert float(unlike.freedom) < 3 < float(alike.freedom)


@settings(deadline=None, max_examples=30)
@given(
    variances=st.lists(POSITIVE, min_size=4, max_size=8),
    counts=st.lists(st.integers(2, 6), min_size=8, max_size=8),
)
def test_the_variance_of_all_runs_is_the_most_likely_one(variances, counts):
    variances = numpy.array(variances)
    freedoms = numpy.array(counts[: len(variances)]) - 1.0
    prior = fit_prior(variances, freedoms)

    def unlikelihood(log_variance):
        law = stats.f(freedoms, float(prior.freedom), scale=numpy.exp(log_variance))
        return -law.logpdf(variances).sum()

    found = numpy.log(float(prior.variance))
    for step in (1e-2, 1, 5):
        assert unlikelihood(found) <= unlikelihood(found + step) + 1e-9
        assert unlikelihood(found) <= unlikelihood(found - step) + 1e-9


@given(variances=st.lists(POSITIVE, min_size=4, max_size=6), unit=st.floats(1e-3, 1e3))
def test_another_unit_changes_the_variance_alone(variances, unit):
    variances, freedoms = numpy.array(variances), numpy.ones(len(variances))
    here, there = fit_prior(variances, freedoms), fit_prior(variances * unit, freedoms)
    assert float(there.variance) == pytest.approx(float(here.variance) * unit, rel=1e-6)
    assert float(there.freedom) == pytest.approx(float(here.freedom), rel=1e-6)
    assert float(there.known) == pytest.approx(float(here.known), rel=1e-6)


def test_several_grids_are_estimated_as_each_alone():
    variances, freedoms = drawn(4, 6, 3, grids=(3,))
    together = fit_prior(variances, freedoms)
    for number, own in enumerate(variances):
        alone = fit_prior(own, freedoms)
        assert float(alone.variance) == pytest.approx(together.variance[number])
        assert float(alone.freedom) == pytest.approx(together.freedom[number])
    moderated = together.moderate(variances, freedoms)
    assert moderated[1] == pytest.approx(
        fit_prior(variances[1], freedoms).moderate(variances[1], freedoms)
    )


@given(own=POSITIVE, lent=POSITIVE, trainings=st.integers(2, 9))
def test_a_moderated_variance_lies_between_its_own_and_that_of_all(own, lent, trainings):
    (found,) = Prior(lent, 5.0, 30.0).moderate(numpy.array([own]), numpy.array([trainings - 1.0]))
    assert min(own, lent) * (1 - 1e-9) <= found <= max(own, lent) * (1 + 1e-9)


def test_a_single_training_has_the_variance_of_all():
    prior = Prior(4.0, 5.0, 30.0)
    none = numpy.zeros(1)
    assert prior.moderate(none, none) == pytest.approx([4.0])
    assert prior.degrees(numpy.ones(1), none) == pytest.approx(5.0)


def test_a_difference_is_known_no_better_than_its_runs_are_or_the_variance_of_all_is():
    parts, freedoms = numpy.array([1.0, 1.0]), numpy.array([1.0, 3.0])
    assert Prior(4.0, 5.0, 30.0).degrees(parts, freedoms) == pytest.approx(1 / (0.5 / 6 + 0.5 / 8))
    lent = 0.5 * 5 / 6 + 0.5 * 5 / 8
    assert Prior(4.0, 5.0, 3.0).degrees(parts, freedoms) == pytest.approx(3.0 / lent)
    assert Prior(4.0, 5.0, 3.0).degrees(parts, numpy.zeros(2)) == pytest.approx(3.0)


def test_runs_that_borrow_next_to_nothing_have_the_degrees_of_their_own():
    parts, freedoms = numpy.array([1.0]), numpy.array([19.0])
    assert Prior(4.0, 0.01, 0.05).degrees(parts, freedoms) == pytest.approx(19, rel=0.01)


def test_further_trainings_add_what_they_would_have_told():
    variances, freedoms = numpy.ones(5), numpy.array([1.0, 1.0, 1.0, 2.0, 2.0])
    later = numpy.array([1.0, 1.0, 1.0, 4.0, 2.0])
    prior = fit_prior(variances, freedoms)
    assert float(prior.after(freedoms, later).known) == pytest.approx(
        float(fit_prior(variances, later).known)
    )
    assert float(prior.after(freedoms, later).known) > float(prior.known)

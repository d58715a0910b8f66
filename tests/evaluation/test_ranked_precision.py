import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsd.evaluation import ranked_precision as module
from tsd.evaluation.ranked_precision import RECALLS, Variant, ranked_precision, recall_steps

IMAGES = 4


def slow(image, is_true, is_counted, objects, weights):
    """COCO's AP with each image really repeated, one detection after another."""
    total = sum(int(n) * int(w) for n, w in zip(objects, weights, strict=True))
    if total == 0:
        return np.nan
    hits = seen = 0
    curve = []
    for where, true, counted in zip(image, is_true, is_counted, strict=True):
        for _ in range(weights[where] if counted else 0):
            seen += 1
            hits += bool(true)
            curve.append((hits / total, hits / (seen + np.spacing(1))))
    best = [max((p for r, p in curve if r >= step), default=0) for step in RECALLS]
    return sum(best) / len(best)


@st.composite
def rankings(draw):
    """Positions of images, two variants, and weightings."""
    number = draw(st.integers(0, 12))
    image = draw(st.lists(st.integers(0, IMAGES - 1), min_size=number, max_size=number))
    variants = []
    for _ in range(2):
        judged = draw(st.lists(st.sampled_from("tfi"), min_size=number, max_size=number))
        is_true = np.array([one == "t" for one in judged], bool)
        own = np.bincount(np.array(image, int)[is_true], minlength=IMAGES)
        missed = draw(st.lists(st.integers(0, 2), min_size=IMAGES, max_size=IMAGES))
        is_counted = np.array([one != "i" for one in judged], bool)
        variants.append(Variant(is_true, is_counted, own + np.array(missed)))
    weights = draw(
        st.lists(
            st.lists(st.integers(0, 3), min_size=IMAGES, max_size=IMAGES), min_size=1, max_size=4
        )
    )
    return np.array(image, int), variants, np.array(weights, np.int32).T


@settings(max_examples=60, deadline=None)
@given(rankings())
def test_a_weight_counts_like_a_repetition(made):
    image, variants, weights = made
    found = ranked_precision(image, variants, weights)
    expected = [
        [slow(image, v.is_true, v.is_counted, v.objects, w) for w in weights.T] for v in variants
    ]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_the_weightings_may_be_worked_on_in_parts(monkeypatch):
    random = np.random.default_rng(0)
    image, is_true = random.integers(0, 9, 50), random.random(50) < 0.4
    variant = Variant(is_true, np.ones(50, bool), np.bincount(image[is_true], minlength=9) + 1)
    weights = random.integers(0, 3, (9, 31)).astype(np.int32)
    whole = ranked_precision(image, [variant], weights)
    monkeypatch.setattr(module, "CELLS", 4 * is_true.sum())
    np.testing.assert_array_equal(ranked_precision(image, [variant], weights), whole)


@pytest.mark.parametrize("objects", [1, 3, 7, 10, 49, 100, 101, 1000])
def test_recall_steps_are_counted_exactly(objects):
    recall = np.arange(objects + 1) / objects
    expected = np.searchsorted(RECALLS, recall, side="right")
    np.testing.assert_array_equal(recall_steps(recall), expected)

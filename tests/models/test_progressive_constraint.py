import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tsd.models.progressive_constraint import (
    ProgressiveConstraint,
    aligned_iou,
    classification_constraint,
    localization_constraint,
    margin_loss,
)

unit = st.floats(0, 1)


@given(sibling=unit, tsd=unit, margin=unit)
def test_hinge_by_hand(sibling, tsd, margin):
    loss = margin_loss(torch.tensor(sibling), torch.tensor(tsd), margin)
    expected = max(0.0, sibling - tsd + min(margin, 1 - sibling))
    assert loss.item() == pytest.approx(expected, abs=1e-6)
    unclamped = margin_loss(torch.tensor(sibling), torch.tensor(tsd), margin, clamp=False)
    assert unclamped.item() == pytest.approx(max(0.0, sibling - tsd + margin), abs=1e-6)


@given(sibling=unit, margin=unit)
def test_a_perfect_tsd_owes_nothing_under_a_clamped_margin(sibling, margin):
    assert margin_loss(torch.tensor(sibling), torch.tensor(1.0), margin).item() <= 1e-6


def test_only_tsd_learns_unless_asked():
    for detach, expected in ((True, None), (False, 1.0)):
        sibling = torch.tensor(0.5, requires_grad=True)
        tsd = torch.tensor(0.4, requires_grad=True)
        margin_loss(sibling, tsd, 0.2, detach=detach).backward()
        assert tsd.grad == -1
        assert (sibling.grad if expected is None else sibling.grad.item()) == expected


def test_classification_takes_the_score_of_the_label_and_background_is_last():
    sibling = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    tsd = torch.tensor([[0.6, 0.3, 0.1], [0.2, 0.1, 0.7]])
    labels = torch.tensor([0, 2])
    loss = classification_constraint(sibling, tsd, labels, margin=0.2)
    first, second = 0.5 - 0.6 + 0.2, 0.8 - 0.7 + 0.2
    assert loss.item() == pytest.approx((first + second) / 2, abs=1e-6)


def test_localization_compares_ious():
    gt = torch.tensor([[0.0, 0, 10, 10]])
    half, most = torch.tensor([[0.0, 0, 10, 5]]), torch.tensor([[0.0, 0, 10, 6]])
    loss = localization_constraint(half, most, gt, margin=0.2)
    assert loss.item() == pytest.approx(0.5 - 0.6 + 0.2, abs=1e-6)
    assert aligned_iou(half, gt).tolist() == [0.5]


def test_nothing_to_average_is_zero_and_back_propagates():
    scores = torch.zeros(0, 4, requires_grad=True)
    boxes = torch.zeros(0, 4, requires_grad=True)
    loss = classification_constraint(
        scores, scores, torch.zeros(0, dtype=torch.long), 0.2
    ) + localization_constraint(boxes, boxes, torch.zeros(0, 4), 0.2)
    assert loss.item() == 0
    loss.backward()


@pytest.mark.parametrize("margins", [{"m_c": 1.5}, {"m_r": -0.1}])
def test_impossible_margins_are_refused(margins):
    with pytest.raises(ValueError, match=f"{next(iter(margins))} is"):
        ProgressiveConstraint(**margins)

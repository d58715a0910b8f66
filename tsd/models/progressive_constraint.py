"""Progressive constraint: TSD should beat the sibling head by a margin (Eq. 7 and 8).

Both terms are hinges |sibling − TSD + margin|₊, of a class score and of an IoU. The sibling's
side is a reference: it is detached, or the sibling could lower the loss by getting worse. The
margin is clamped to what is attainable, 1 − sibling, or a good sibling would demand a score above
one. Both are choices where the paper is silent; both can be switched off.
"""

from dataclasses import dataclass

import torch
from mmdet.structures.bbox import bbox_overlaps
from torch import Tensor


@dataclass(frozen=True)
class ProgressiveConstraint:
    """Which terms are on, and the choices the paper leaves open.

    Args:
        m_c: Margin of M_cls; None switches the term off. 0.2 in the ablations, 0.5 on test-dev.
        m_r: Margin of M_loc; None switches the term off. 0.2 throughout the paper.
        clamp: See :func:`margin_loss`.
        detach: See :func:`margin_loss`.
        over_negatives: M_cls averages over all sampled RoIs, y being background for the negative
            ones: Eq. 7 leaves none out, while Eq. 8 says that it does. False: positives only.

    Raises:
        ValueError: If a margin lies outside [0, 1].
    """

    m_c: float | None = 0.2
    m_r: float | None = 0.2
    clamp: bool = True
    detach: bool = True
    over_negatives: bool = True

    def __post_init__(self) -> None:
        for name in ("m_c", "m_r"):
            margin = getattr(self, name)
            if margin is not None and not 0 <= margin <= 1:
                raise ValueError(
                    f"progressive_constraint: {name} is {margin}; expected 0 … 1 or None"
                )

    @property
    def choices(self) -> dict[str, bool]:
        """Keyword arguments of :func:`margin_loss`."""
        return {"clamp": self.clamp, "detach": self.detach}


def margin_loss(
    sibling: Tensor, tsd: Tensor, margin: float, *, clamp: bool = True, detach: bool = True
) -> Tensor:
    """|sibling − tsd + m|₊ for each element.

    Args:
        sibling: Score or IoU of the sibling head, in [0, 1], any shape.
        tsd: The same of the TSD branch, same shape.
        margin: m_c or m_r.
        clamp: Use min(m, 1 − sibling), which TSD can reach, in place of m.
        detach: No gradient to the sibling head.
    """
    if detach:
        sibling = sibling.detach()
    attainable = (1 - sibling.detach()).clamp(max=margin) if clamp else margin
    return torch.relu(sibling - tsd + attainable)


def classification_constraint(
    sibling_logits: Tensor, tsd_logits: Tensor, labels: Tensor, margin: float, **choices: bool
) -> Tensor:
    """M_cls averaged over the RoIs given (Eq. 7).

    Args:
        sibling_logits: H_1 before softmax, Tensor[N, K + 1], background at index K.
        tsd_logits: H_1^D likewise.
        labels: y of each RoI, LongTensor[N] in 0 … K.
        margin: m_c.
        choices: ``clamp`` and ``detach`` of :func:`margin_loss`.

    Returns:
        Scalar; a zero that still back-propagates when N is zero.
    """
    at_label = labels[:, None]
    sibling = sibling_logits.float().softmax(dim=1).gather(1, at_label)
    tsd = tsd_logits.float().softmax(dim=1).gather(1, at_label)
    return _mean(margin_loss(sibling, tsd, margin, **choices))


def localization_constraint(
    sibling_boxes: Tensor, tsd_boxes: Tensor, gt_boxes: Tensor, margin: float, **choices: bool
) -> Tensor:
    """M_loc averaged over the positive RoIs given (Eq. 8).

    Args:
        sibling_boxes: B̂, the sibling head's box for the true class, Tensor[P, 4] (x1, y1, x2, y2).
        tsd_boxes: B̂_D likewise.
        gt_boxes: B, the matched ground truth, Tensor[P, 4].
        margin: m_r.
        choices: ``clamp`` and ``detach`` of :func:`margin_loss`.

    Returns:
        Scalar; a zero that still back-propagates when P is zero.
    """
    return _mean(
        margin_loss(
            aligned_iou(sibling_boxes, gt_boxes),
            aligned_iou(tsd_boxes, gt_boxes),
            margin,
            **choices,
        )
    )


def aligned_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """IoU of each box with its counterpart: Tensor[P, 4] (x1, y1, x2, y2) twice → Tensor[P]."""
    return bbox_overlaps(boxes.float(), others.float(), is_aligned=True)


def _mean(terms: Tensor) -> Tensor:
    """Mean that is zero, not NaN, over nothing."""
    return terms.sum() / max(terms.numel(), 1)

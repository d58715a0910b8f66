"""Progressive constraint: TSD should be better than the sibling head by a margin (Eq. 7 and 8).

Both terms are hinges, |sibling − TSD + margin|₊. One compares class scores, M_cls, and the other
compares IoUs with the ground truth, M_loc. The paper leaves two things open:

* The sibling head could lower the loss by getting worse. So its side is detached.
* A good sibling head would ask TSD for a score above one. So the margin is clamped to 1 − sibling,
  the most by which TSD can be better.

Both can be switched off. The letters are those of ``tsd/models/roi_head.py``.
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
        over_negatives: Whether M_cls averages over all sampled RoIs, with the background as y of
            the negative ones, or over the positive ones alone. All is the default, because Eq. 7
            leaves none out, while Eq. 8 says that it leaves out the negative ones.

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
        """The keyword arguments of :func:`margin_loss`."""
        return {"clamp": self.clamp, "detach": self.detach}


def margin_loss(
    sibling: Tensor, tsd: Tensor, margin: float, *, clamp: bool = True, detach: bool = True
) -> Tensor:
    """|sibling − tsd + m|₊ for each element.

    Args:
        sibling: Score or IoU of the sibling head, in [0, 1], a tensor of any shape.
        tsd: Score or IoU of the TSD branch, a tensor of the same shape.
        margin: m, which is m_c or m_r.
        clamp: Whether to use min(m, 1 − sibling) in place of m, which TSD can always reach.
        detach: Whether to keep gradients from the sibling head.
    """
    if detach:
        sibling = sibling.detach()
    attainable = (1 - sibling.detach()).clamp(max=margin) if clamp else margin
    return torch.relu(sibling - tsd + attainable)


def classification_constraint(
    sibling_scores: Tensor, tsd_scores: Tensor, labels: Tensor, margin: float, **choices: bool
) -> Tensor:
    """M_cls averaged over the RoIs given (Eq. 7).

    Args:
        sibling_scores: Scores of H_1 in [0, 1], Tensor[N, K + 1], background at index K.
        tsd_scores: Scores of H_1^D likewise.
        labels: y of each RoI, LongTensor[N] in 0 … K.
        margin: m_c.
        choices: ``clamp`` and ``detach`` of :func:`margin_loss`.

    Returns:
        A scalar. Where N is zero it is a zero through which gradients still flow.
    """
    at_label = labels[:, None]
    sibling, tsd = (scores.gather(1, at_label) for scores in (sibling_scores, tsd_scores))
    return _mean(margin_loss(sibling, tsd, margin, **choices))


def localization_constraint(
    sibling_boxes: Tensor, tsd_boxes: Tensor, gt_boxes: Tensor, margin: float, **choices: bool
) -> Tensor:
    """M_loc averaged over the positive RoIs given (Eq. 8).

    Args:
        sibling_boxes: The sibling head's box for the true class, Tensor[N⁺, 4] (x1, y1, x2, y2);
            B̂ in the paper.
        tsd_boxes: TSD's box for the true class, likewise; B̂_D in the paper.
        gt_boxes: B, the matched ground truth, Tensor[N⁺, 4].
        margin: m_r.
        choices: ``clamp`` and ``detach`` of :func:`margin_loss`.

    Returns:
        A scalar. Where N⁺ is zero it is a zero through which gradients still flow.
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
    """IoU of each box with its counterpart, Tensor[N⁺].

    Args:
        boxes: Tensor[N⁺, 4] (x1, y1, x2, y2).
        others: The counterparts, likewise.
    """
    return bbox_overlaps(boxes.float(), others.float(), is_aligned=True)


def _mean(terms: Tensor) -> Tensor:
    """The mean of all elements; of no elements it is zero rather than NaN."""
    return terms.sum() / max(terms.numel(), 1)

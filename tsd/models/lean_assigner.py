"""mmdet's MaxIoUAssigner in fewer steps, of which none waits for a GPU.

The *lean* parts of this package give what the parts of mmdet's give that they are named after. They
exist because the work of a training step on a small image is hardly any for a GPU, while starting
it takes the CPU longer than the rest. Two things cost time there: each operation is a launch, and
each number that Python reads from the GPU makes it wait until all that was launched is done.

Letters
    n    number of priors (anchors or proposals) of an image
    m    number of its objects

Boxes are (x1, y1, x2, y2).
"""

from typing import Any

import torch
from mmdet.models.task_modules.assigners import AssignResult, BboxOverlaps2D, MaxIoUAssigner
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import get_box_tensor
from torch import Tensor

SMALLEST_UNION = 1e-6
"""mmdet's ``bbox_overlaps`` divides by no less."""


class LeanOverlaps(BboxOverlaps2D):
    """mmdet's calculator of overlaps, whose IoUs of all pairs need fewer steps."""

    def __call__(
        self, bboxes1: Tensor, bboxes2: Tensor, mode: str = "iou", **kwargs: Any
    ) -> Tensor:
        """IoU of each of m boxes with each of n, Tensor[m, n]; anything else is mmdet's."""
        first, second = get_box_tensor(bboxes1), get_box_tensor(bboxes2)
        usual = first.dtype == second.dtype == torch.float32 and first.shape[-1] == 4
        if mode != "iou" or kwargs or not usual or not first.numel() or not second.numel():
            overlaps: Tensor = super().__call__(bboxes1, bboxes2, mode, **kwargs)
            return overlaps
        return pairwise_iou(first, second[..., :4])


def pairwise_iou(first: Tensor, second: Tensor) -> Tensor:
    """IoU of each of Tensor[…, m, 4] with each of Tensor[n, 4], by mmdet's arithmetic."""
    areas = []
    for boxes in (first, second):
        width, height = (boxes[..., 2:] - boxes[..., :2]).unbind(dim=-1)
        areas.append(width * height)
    low = torch.maximum(first[..., None, :2], second[:, :2])
    high = torch.minimum(first[..., None, 2:], second[:, 2:])
    width, height = (high - low).clamp(min=0).unbind(dim=-1)
    shared = width * height
    union = (areas[0][..., None] + areas[1] - shared).clamp(min=SMALLEST_UNION)
    return shared / union


@TASK_UTILS.register_module()
class LeanMaxIoUAssigner(MaxIoUAssigner):
    """Gives what ``MaxIoUAssigner`` gives: for each prior its object, the background or neither.

    mmdet asks about each object by itself whether it has a prior that is good enough. Here all
    objects are compared at once.

    Args:
        kwargs: Those of ``MaxIoUAssigner``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        usual: Any = vars(self)["iou_calculator"]
        if type(usual) is BboxOverlaps2D and usual.dtype is None:
            self.iou_calculator = LeanOverlaps()

    def assign_wrt_overlaps(self, overlaps: Tensor, gt_labels: Tensor) -> AssignResult:
        """Assign priors by their overlaps with the objects, Tensor[m, n]; see the base class."""
        if not overlaps.numel() or not self.gt_max_assign_all:
            return super().assign_wrt_overlaps(overlaps, gt_labels)
        assigned, best = self.match(overlaps)
        labels = gt_labels[(assigned - 1).clamp(min=0)].masked_fill(assigned <= 0, -1)
        return AssignResult(len(overlaps), assigned, best, labels)

    def match(self, overlaps: Tensor) -> tuple[Tensor, Tensor]:
        """Match each prior with an object, of one image or of several at once.

        Args:
            overlaps: IoU of each object with each prior, Tensor[…, m, n] with m > 0 and n > 0. It
                is below zero where the object or the prior does not count.

        Returns:
            The number of each prior's object from 1 on, 0 for the background and -1 for neither,
            LongTensor[…, n]; and its highest IoU, Tensor[…, n].
        """
        best, which = overlaps.max(dim=-2)
        # torch.where takes numbers too, but makes a tensor of each of them first.
        assigned = self._is_background(best).long() - 1
        assigned = torch.where(best >= self.pos_iou_thr, which + 1, assigned)
        if self.match_low_quality:
            highest = overlaps.amax(dim=-1, keepdim=True)
            is_best_for = (overlaps == highest) & (highest >= self.min_pos_iou)
            number = torch.arange(1, overlaps.shape[-2] + 1, device=overlaps.device)
            # Of several objects that have a prior as their best one, mmdet takes the last.
            last = (is_best_for * number[:, None]).amax(dim=-2)
            assigned = torch.where(last > 0, last, assigned)
        return assigned, best

    def _is_background(self, best: Tensor) -> Tensor:
        """Which priors overlap so little that they are background."""
        if isinstance(self.neg_iou_thr, float):
            return (best >= 0) & (best < self.neg_iou_thr)
        if isinstance(self.neg_iou_thr, tuple):
            return (best >= self.neg_iou_thr[0]) & (best < self.neg_iou_thr[1])
        return torch.zeros_like(best, dtype=torch.bool)

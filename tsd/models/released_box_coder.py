"""How the authors' released code clips boxes to the image."""

from collections.abc import Sequence
from typing import Any

from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder
from mmdet.registry import TASK_UTILS
from torch import Tensor


def clip_as_released(boxes: Tensor, img_shape: Sequence[int]) -> Tensor:
    """Clip boxes so that one which lies off the image keeps a row or a column of its pixels.

    The released code clips the first and the last pixel of a box to those of the image.

    Args:
        boxes: Boxes (x1, y1, x2, y2) in a last axis of 4, which end where their last pixel ends.
        img_shape: Height and width of the image that they are to be in.
    """
    height, width = img_shape[:2]
    lowest = boxes.new_tensor([0, 0, 1, 1])
    highest = boxes.new_tensor([width - 1, height - 1, width, height])
    return boxes.clamp(min=lowest, max=highest)


@TASK_UTILS.register_module()
class ReleasedBoxCoder(DeltaXYWHBBoxCoder):
    """mmdet's usual coder of boxes, but that it clips as the released code does.

    It is for the RPN, whose proposals are clipped by their coder. The box heads of the release clip
    by themselves (:mod:`tsd.models.released_rescaling`).
    """

    def decode(
        self,
        bboxes: Tensor,
        pred_bboxes: Tensor,
        max_shape: Sequence[int] | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """Boxes from deltas, clipped to ``max_shape`` (height, width) of one image, if given."""
        boxes: Tensor = super().decode(bboxes, pred_bboxes, max_shape, **kwargs)
        return boxes if max_shape is None else clip_as_released(boxes, max_shape)

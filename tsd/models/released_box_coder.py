"""How the authors' released code clips boxes to the image."""

from collections.abc import Sequence
from typing import Any

from mmdet.models.task_modules.coders import BaseBBoxCoder, DeltaXYWHBBoxCoder
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import BaseBoxes, HorizontalBoxes, get_box_tensor
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


def clip_if_asked(
    coder: BaseBBoxCoder, boxes: Tensor | BaseBoxes, img_shape: Sequence[int]
) -> Tensor:
    """Clip boxes as released, unless their coder has ``clip_border=False``.

    Args:
        coder: What made the boxes.
        boxes: Boxes (x1, y1, x2, y2) in a last axis of 4.
        img_shape: Height and width of the image that they are to be in.
    """
    plain: Tensor = get_box_tensor(boxes)
    return clip_as_released(plain, img_shape) if getattr(coder, "clip_border", True) else plain


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
    ) -> Tensor | BaseBoxes:
        """Boxes from deltas, clipped to ``max_shape`` (height, width) of one image, if given.

        As in mmdet's coder ``clip_border=False`` leaves boxes as they are, and ``use_box_type``
        asks for ``HorizontalBoxes``.
        """
        boxes: Tensor | BaseBoxes = super().decode(bboxes, pred_bboxes, max_shape, **kwargs)
        if max_shape is None:
            return boxes
        clipped = clip_if_asked(self, boxes, max_shape)
        return HorizontalBoxes(clipped) if self.use_box_type else clipped

"""mmdet's usual coder of boxes, which keeps its means and deviations on the device.

See :mod:`tsd.models.lean_assigner` for what the lean parts are.

Letters
    N    number of boxes

Boxes are (x1, y1, x2, y2), deltas (dx, dy, dw, dh).
"""

import math
from typing import Any

import torch
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder
from mmdet.registry import TASK_UTILS
from torch import Tensor


@TASK_UTILS.register_module()
class LeanDeltaXYWHBBoxCoder(DeltaXYWHBBoxCoder):
    """Gives what ``DeltaXYWHBBoxCoder`` gives, which copies eight numbers to a GPU in every call.

    Args:
        kwargs: Those of ``DeltaXYWHBBoxCoder``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._scaling: tuple[Tensor, Tensor] | None = None

    def encode(self, bboxes: Any, gt_bboxes: Any) -> Tensor:
        """Deltas from boxes to objects, both Tensor[N, 4]; see the base class."""
        tensors = isinstance(bboxes, Tensor) and isinstance(gt_bboxes, Tensor)
        if not tensors or bboxes.ndim != 2:
            encoded: Tensor = super().encode(bboxes, gt_bboxes)
            return encoded
        boxes, objects = bboxes.float(), gt_bboxes.float()
        means, stds = self._on(boxes.device)
        centre, size = _centre(boxes), boxes[:, 2:] - boxes[:, :2]
        moved = (_centre(objects) - centre) / size
        grown = torch.log((objects[:, 2:] - objects[:, :2]) / size)
        return torch.cat([moved, grown], dim=1).sub_(means).div_(stds)

    def decode(
        self,
        bboxes: Any,
        pred_bboxes: Tensor,
        max_shape: Any = None,
        wh_ratio_clip: float | None = 16 / 1000,
    ) -> Any:
        """Boxes from Tensor[N, 4] and deltas Tensor[N, 4]; see the base class."""
        usual = isinstance(bboxes, Tensor) and pred_bboxes.ndim == 2 and len(pred_bboxes)
        usual = usual and pred_bboxes.shape[1] == 4 and pred_bboxes.dtype == torch.float32
        if not usual or self.use_box_type or self.add_ctr_clamp or wh_ratio_clip is None:
            return super().decode(bboxes, pred_bboxes, max_shape, wh_ratio_clip)
        means, stds = self._on(pred_bboxes.device)
        deltas = pred_bboxes * stds + means
        most = abs(math.log(wh_ratio_clip))
        size = bboxes[:, 2:] - bboxes[:, :2]
        centre = _centre(bboxes) + size * deltas[:, :2]
        half = size * deltas[:, 2:].clamp(min=-most, max=most).exp() * 0.5
        boxes = torch.cat([centre - half, centre + half], dim=1)
        if self.clip_border and max_shape is not None:
            boxes[:, 0::2].clamp_(min=0, max=max_shape[1])
            boxes[:, 1::2].clamp_(min=0, max=max_shape[0])
        return boxes

    def _on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """The means and deviations of deltas, on a device."""
        if self._scaling is None or self._scaling[0].device != device:
            with torch.inference_mode(False):  # training may follow inference
                self._scaling = (
                    torch.tensor(self.means, dtype=torch.float32, device=device),
                    torch.tensor(self.stds, dtype=torch.float32, device=device),
                )
        return self._scaling


def _centre(boxes: Tensor) -> Tensor:
    """The centres (x, y) of boxes, Tensor[N, 2]."""
    return (boxes[:, :2] + boxes[:, 2:]) * 0.5

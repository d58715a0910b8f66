"""The RPN's anchors as mmdet 1 had them, and with it the authors' released code."""

from typing import Any

from mmdet.models.task_modules.prior_generators import LegacyAnchorGenerator
from mmdet.registry import TASK_UTILS
from torch import Tensor


@TASK_UTILS.register_module()
class ReleasedAnchorGenerator(LegacyAnchorGenerator):
    """Anchors around the centres of the cells, rounded to whole pixels.

    mmdet 3's anchors lie around the upper left corners of the cells and are not rounded. Its
    ``LegacyAnchorGenerator`` has those of mmdet 1 in the convention of mmdet 1, where a box ends
    with its last pixel. Here a box ends where the last pixel ends, as it does in all of mmdet 3.

    Args:
        center_offset: Where an anchor's centre is in a cell, in proportion to the cell.
        kwargs: Those of mmdet's ``AnchorGenerator``.
    """

    def __init__(self, *args: Any, center_offset: float = 0.5, **kwargs: Any) -> None:
        super().__init__(*args, center_offset=center_offset, **kwargs)

    def gen_single_level_base_anchors(self, *args: Any, **kwargs: Any) -> Tensor:
        """Anchors of a level's first cell, a row (x1, y1, x2, y2) each; see the base class."""
        anchors: Tensor = super().gen_single_level_base_anchors(*args, **kwargs)
        return anchors + anchors.new_tensor([0, 0, 1, 1])

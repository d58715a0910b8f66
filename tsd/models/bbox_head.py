"""TSD's box head H_1^D and H_2^D: each task has a trunk of its own (Eq. 2).

The letters are those of ``tsd/models/roi_head.py``.
"""

from typing import Any

from mmdet.models.roi_heads.bbox_heads import ConvFCBBoxHead
from mmdet.registry import MODELS
from torch import Tensor

from tsd.models.head_requirements import require_settings

LAYERS: dict[str, Any] = {
    "with_avg_pool": False,
    "with_cls": True,
    "with_reg": True,
    "num_shared_convs": 0,
    "num_shared_fcs": 0,
    "num_cls_convs": 0,
    "num_cls_fcs": 2,
    "num_reg_convs": 0,
    "num_reg_fcs": 2,
    "conv_out_channels": 256,
    "conv_cfg": None,
    "norm_cfg": None,
}
"""The settings of mmdet's ``ConvFCBBoxHead`` about its layers, as ``TSDBBoxHead`` has them. With no
convolutions, those about convolutions have the values that they have by default."""


@MODELS.register_module()
class TSDBBoxHead(ConvFCBBoxHead):
    """Box head that classifies one RoI feature and regresses from another.

    The sibling head passes one feature through two fully connected layers that both tasks share.
    Here each task has a feature and two layers of its own:

    .. code-block:: none

        F̂_c ─▶ f_c: fc ─▶ fc ─▶ class scores
        F̂_r ─▶ f_r: fc ─▶ fc ─▶ box deltas

    Where both features are F, this is D_head of Table 1.

    Args:
        fc_out_channels: Width of the layers in both trunks, by default that of the sibling head's.
        kwargs: Those of mmdet's ``BBoxHead``.

    Raises:
        ValueError: If a setting asks for layers that this head does not have, such as convolutions.
    """

    def __init__(self, fc_out_channels: int = 1024, **kwargs) -> None:
        require_settings(
            type(self).__name__,
            kwargs,
            LAYERS,
            "each task has two fully connected layers of its own on all bins of its RoI feature, "
            "and no others",
        )
        super().__init__(**{**kwargs, **LAYERS}, fc_out_channels=fc_out_channels)

    def forward(self, cls_feats: Tensor, reg_feats: Tensor) -> tuple[Tensor, Tensor]:
        """Give class scores from F̂_c and box deltas from F̂_r.

        Args:
            cls_feats: F̂_c, Tensor[N, C, k, k].
            reg_feats: F̂_r, Tensor[N, C, k, k].

        Returns:
            Logits, Tensor[N, K + 1] with the background last, and box deltas, Tensor[N, 4 · K], or
            Tensor[N, 4] where regression is class-agnostic.
        """
        cls, reg = cls_feats.flatten(1), reg_feats.flatten(1)
        for fc in self.cls_fcs:
            cls = self.relu(fc(cls))
        for fc in self.reg_fcs:
            reg = self.relu(fc(reg))
        return self.fc_cls(cls), self.fc_reg(reg)

"""H_1^D and H_2^D: a trunk of its own for each task (Eq. 2)."""

from mmdet.models.roi_heads.bbox_heads import ConvFCBBoxHead
from mmdet.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class TSDBBoxHead(ConvFCBBoxHead):
    r"""Box head whose two tasks read two RoI features.

    .. code-block:: none

        F̂_c ─▶ f_c: fc ─▶ fc ─▶ C: class scores
        F̂_r ─▶ f_r: fc ─▶ fc ─▶ R: box deltas

    With F̂_c = F̂_r = F this is D_head of Table 1.

    Args:
        fc_out_channels: Width of the two fc layers in each trunk, as in the sibling head's 2fc.
        kwargs: Those of mmdet's ``BBoxHead``.
    """

    def __init__(self, fc_out_channels: int = 1024, **kwargs) -> None:
        super().__init__(num_cls_fcs=2, num_reg_fcs=2, fc_out_channels=fc_out_channels, **kwargs)

    def forward(self, cls_feats: Tensor, reg_feats: Tensor) -> tuple[Tensor, Tensor]:
        """Score F̂_c and regress F̂_r.

        Args:
            cls_feats: F̂_c, Tensor[N, C, k, k].
            reg_feats: F̂_r, Tensor[N, C, k, k].

        Returns:
            Logits Tensor[N, K + 1], background last, and deltas Tensor[N, 4 · K], or Tensor[N, 4]
            where regression is class-agnostic.
        """
        cls, reg = cls_feats.flatten(1), reg_feats.flatten(1)
        for fc in self.cls_fcs:
            cls = self.relu(fc(cls))
        for fc in self.reg_fcs:
            reg = self.relu(fc(reg))
        return self.fc_cls(cls), self.fc_reg(reg)

"""Derived proposals P̂_c and P̂_r: where each task looks (Section 2.2, Eq. 3–6).

                          ┌─ F_c, layers 2–3 ─▶ ΔC ─▶ P̂_c = τ_c(P, ΔC)
    F [N, C, k, k] ─ fc ──┤
       (layer 1, shared)  └─ F_r, layers 2–3 ─▶ ΔR ─▶ P̂_r = τ_r(P, ΔR)

A task's *manner* says what kind of proposal it derives:

``shared``         P itself, no parameters; "–" in Table 4 and both tasks of D_head in Table 1
``proposal-wise``  one translation of the whole box (Prop.w, Eq. 3–4)
``point-wise``     one translation for each of the k × k bins (Point.w, Eq. 5–6)
"""

from typing import Literal, get_args

from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

Manner = Literal["shared", "proposal-wise", "point-wise"]


@MODELS.register_module()
class DerivedProposals(BaseModule):
    """Generates ΔC and ΔR from the RoI feature of the shared proposal P.

    Offsets are returned relative to the proposal's size, γ·F(F; θ); multiplied by (w, h) they are
    ΔC and ΔR in pixels (:func:`scale_to_proposals`). The last layers start at zero, so training
    starts from P̂ = P, as deformable RoI pooling does (Dai et al. 2017); the paper does not say.

    A proposal-wise P̂_r is a box, so R regresses from it: the box it predicts is encoded against
    and decoded from P̂_r. A point-wise P̂_r is a set of k × k points without a box of its own: its
    features come from the moved points, and boxes are encoded against and decoded from P.

    Args:
        cls_manner: How P̂_c is derived. Proposal-wise and point-wise are Eq. 3 and 5.
        reg_manner: How P̂_r is derived.
        in_channels: C of the RoI feature.
        roi_feat_size: k.
        hidden_channels: Width of the first two layers, 256 in the paper.
        gamma: γ. "A pre-defined scalar" in the paper; 0.1 is the released code's.

    Raises:
        ValueError: On an unknown manner.
    """

    def __init__(
        self,
        cls_manner: Manner = "point-wise",
        reg_manner: Manner = "proposal-wise",
        in_channels: int = 256,
        roi_feat_size: int = 7,
        hidden_channels: int = 256,
        gamma: float = 0.1,
    ) -> None:
        super().__init__()
        self.roi_feat_size = roi_feat_size
        self.gamma = gamma
        self.cls_manner, self.reg_manner = cls_manner, reg_manner
        for name, manner in (("cls_manner", cls_manner), ("reg_manner", reg_manner)):
            if manner not in get_args(Manner):
                raise ValueError(f"{name} is {manner!r}; expected one of {get_args(Manner)}")
        if cls_manner == reg_manner == "shared":
            return
        self.shared_layer = nn.Sequential(
            nn.Flatten(), nn.Linear(in_channels * roi_feat_size**2, hidden_channels), nn.ReLU()
        )
        if cls_manner != "shared":
            self.cls_layers = self._last_layers(cls_manner, hidden_channels)
        if reg_manner != "shared":
            self.reg_layers = self._last_layers(reg_manner, hidden_channels)

    def _last_layers(self, manner: Manner, channels: int) -> nn.Sequential:
        """Layers 2 and 3 of F_c or F_r, giving Tensor[N, bins, bins, 2]."""
        bins = self.roi_feat_size if manner == "point-wise" else 1
        return nn.Sequential(
            nn.Linear(channels, channels),
            nn.ReLU(),
            nn.Linear(channels, bins * bins * 2),
            nn.Unflatten(1, (bins, bins, 2)),
        )

    def init_weights(self) -> None:
        """Xavier for the hidden layers, zero for the last ones."""
        super().init_weights()
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for branch in ("cls_layers", "reg_layers"):
            if hasattr(self, branch):
                nn.init.zeros_(getattr(self, branch)[2].weight)

    def forward(self, roi_feats: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Derive both proposals.

        Args:
            roi_feats: F, Tensor[N, C, k, k], pooled from P.

        Returns:
            ΔC and ΔR over (w, h): Tensor[N, k, k, 2] where the manner is point-wise,
            Tensor[N, 1, 1, 2] where it is proposal-wise, None where it is shared. Last axis (x, y).
        """
        if self.cls_manner == self.reg_manner == "shared":
            return None, None
        hidden = self.shared_layer(roi_feats)
        cls = self.gamma * self.cls_layers(hidden) if self.cls_manner != "shared" else None
        reg = self.gamma * self.reg_layers(hidden) if self.reg_manner != "shared" else None
        return cls, reg


def scale_to_proposals(relative: Tensor, rois: Tensor) -> Tensor:
    """ΔC or ΔR in pixels: relative offsets times each proposal's (w, h), Eq. 3 and 5.

    Args:
        relative: Tensor[N, bins, bins, 2] as given by :class:`DerivedProposals`.
        rois: Tensor[N, 5], (batch index, x1, y1, x2, y2).
    """
    return relative * (rois[:, 3:5] - rois[:, 1:3])[:, None, None, :]

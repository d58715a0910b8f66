"""Derived proposals P̂_c and P̂_r: where each task looks (Section 2.2, Eq. 3 to 6).

The letters are those of ``tsd/models/roi_head.py``. F_c and F_r are the networks that predict ΔC
and ΔR from F; their first layer is one and the same.

.. code-block:: none

                          ┌─ cls_manner: F_c, layers 2 and 3 ─▶ ΔC ─▶ P̂_c = τ_c(P, ΔC)
    F [N, C, k, k] ─ fc ──┤
     (layer 1, for both)  └─ reg_manner: F_r, layers 2 and 3 ─▶ ΔR ─▶ P̂_r = τ_r(P, ΔR)
"""

from collections.abc import Callable

from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from tsd.models.manners import Manner, find_manner


@MODELS.register_module()
class DerivedProposals(BaseModule):
    """Predicts from the feature F of the shared proposal P where each task is to look.

    Each task has a *manner*, which says what kind of proposal it derives and has the layers that
    the tasks do not share (:mod:`tsd.models.manners`). Unless ``start`` says otherwise, training
    starts at P̂ = P, as in deformable RoI pooling (Dai et al. 2017); the paper does not say where it
    starts.

    Args:
        cls_manner: Registered name of the manner of P̂_c.
        reg_manner: Registered name of the manner of P̂_r.
        in_channels: C of the RoI feature.
        roi_feat_size: k.
        hidden_channels: Width of the first two layers, 256 in the paper.
        gamma: γ. "A pre-defined scalar" in the paper; 0.1 is the released code's.
        start: What the layers start with, a key of :data:`STARTS`: ``zero`` is P̂ = P;
            ``kaiming`` is random everywhere, as in the released code.

    Raises:
        ValueError: If no manner is registered under a name, or there is no such start.
    """

    def __init__(
        self,
        cls_manner: str = "point-wise",
        reg_manner: str = "proposal-wise",
        in_channels: int = 256,
        roi_feat_size: int = 7,
        hidden_channels: int = 256,
        gamma: float = 0.1,
        start: str = "zero",
    ) -> None:
        super().__init__()
        if start not in STARTS:
            raise ValueError(f"start is {start!r}; expected one of {', '.join(STARTS)}")
        self.start = STARTS[start]
        self.gamma = gamma
        manners = [find_manner(cls_manner, "cls_manner"), find_manner(reg_manner, "reg_manner")]
        self.shared_layer: nn.Module = nn.Identity()
        if any(manner.learns for manner in manners):
            self.shared_layer = nn.Sequential(
                nn.Flatten(), nn.Linear(in_channels * roi_feat_size**2, hidden_channels), nn.ReLU()
            )
        # Checkpoints know the weights of the manners by these two names.
        self.cls_layers, self.reg_layers = (
            manner(hidden_channels, roi_feat_size) for manner in manners
        )

    @property
    def cls_manner(self) -> Manner:
        """How P̂_c is derived."""
        return self.cls_layers

    @property
    def reg_manner(self) -> Manner:
        """How P̂_r is derived."""
        return self.reg_layers

    def init_weights(self) -> None:
        """Give all layers the weights that ``start`` says."""
        super().init_weights()
        self.start(self)

    def forward(self, roi_feats: Tensor) -> tuple[Tensor, Tensor]:
        """Predict the offsets of both proposals, γ · F_c(F) and γ · F_r(F).

        Args:
            roi_feats: F, Tensor[N, C, k, k], pooled from P.

        Returns:
            Offsets of P̂_c and of P̂_r in proportion to the (width, height) of P: Tensor[N, k, k, 2]
            where the manner is point-wise, otherwise Tensor[N, 1, 1, 2]. The last axis is (x, y).
        """
        hidden = self.shared_layer(roi_feats)
        return self.gamma * self.cls_manner(hidden), self.gamma * self.reg_manner(hidden)


def start_at_shared(derived: DerivedProposals) -> None:
    """Initialise all layers by Xavier, then let both manners start at P̂ = P."""
    for module in derived.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    derived.cls_manner.start_at_shared()
    derived.reg_manner.start_at_shared()


def start_at_random(derived: DerivedProposals) -> None:
    """Initialise all layers, the last ones too, at random.

    The weights of a layer are normal with a deviation of 1/√n, n being the number of its inputs
    (Kaiming's initialisation for an activation of slope a = 1). With features of unit size, ΔC and
    ΔR are then about half of γ in proportion to P.
    """
    for module in derived.modules():
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, a=1)
            nn.init.zeros_(module.bias)


STARTS: dict[str, Callable[[DerivedProposals], None]] = {
    "zero": start_at_shared,
    "kaiming": start_at_random,
}
"""What the layers of ``DerivedProposals`` can start with, by the names that configs give it."""

"""The manners in which a task derives its proposal P̂ from the shared one (Section 2.2, Table 4).

The paper compares three: P̂ is P itself ("–" in Table 4), P moved as a whole (Prop.w), or P with
every bin moved by itself (Point.w). Each manner is a class here, and everything in which it differs
from the others is in that class: no other module asks which manner it deals with. A config names a
manner by the name under which its class is registered. ``CONTRIBUTING.md`` adds a fourth.

Letters
    N    number of RoIs
    C    channels of a feature map
    k    bins along each side of a pooled RoI, 7 in the paper
    P    the shared proposals: Tensor[N, 5], (batch index, x1, y1, x2, y2), pixels of the input
    P̂    the proposals that a task derives from P, P̂_c or P̂_r
    F    the feature pooled from P, Tensor[N, C, k, k]
    F̂    the feature pooled from P̂, of the same shape

*Offsets* are what the layers of a manner predict. They are (x, y) in proportion to the width and
height of P, Tensor[N, rows, columns, 2]. Multiplied by that width and height they are the paper's
ΔC or ΔR in pixels (:func:`scale_to_proposals`).
"""

from collections.abc import Sequence
from typing import ClassVar, cast

import torch
from mmdet.registry import MODELS
from torch import Tensor, nn


class Manner(nn.Sequential):
    """What the rest of the package can ask of a manner.

    Called as a module, a manner predicts its offsets from the output of layer 1. This base class
    has no layers. Its methods are those of a P̂ whose bins move and which has no box.

    Args:
        channels: Width of layer 1, whose output both tasks read.
        bins: k.
    """

    learns: ClassVar[bool] = False
    """Whether there are layers. Where neither task has any, layer 1 is not needed either."""

    translates_box: ClassVar[bool] = False
    """Whether P̂ is the box P moved as a whole, so that boxes can be regressed from P̂. With any
    other P̂ they are encoded against P and decoded from P."""

    def __init__(self, channels: int, bins: int) -> None:
        super().__init__(*self.layers(channels, bins))
        self.bins = bins

    @classmethod
    def layers(cls, channels: int, bins: int) -> list[nn.Module]:
        """The layers that a task does not share with the other one, by the class's arguments."""
        return []

    def start_at_shared(self) -> None:
        """Set the weights so that training starts at P̂ = P."""

    def pool(
        self,
        extractor: nn.Module,
        features: Sequence[Tensor],
        rois: Tensor,
        offsets: Tensor,
        shared_feats: Tensor,
    ) -> Tensor:
        """F̂, the feature that the task reads, Tensor[N, C, k, k].

        Args:
            extractor: RoI extractor that takes offsets, such as ``DeformableRoIPooling``.
            features: Feature pyramid.
            rois: P.
            offsets: What the manner predicted for P.
            shared_feats: F.
        """
        return extractor(features, rois, scale_to_proposals(offsets, rois))

    def translation(self, offsets: Tensor) -> Tensor:
        """How far P̂ lies from P in proportion to the size of P, Tensor[N, 2].

        Raises:
            TypeError: If the manner does not move P as a whole (``translates_box``).
        """
        raise TypeError(f"{type(self).__name__} does not translate the box P")

    def box(self, rois: Tensor, offsets: Tensor) -> Tensor | None:
        """P̂ as boxes, Tensor[N, 4] (x1, y1, x2, y2) in pixels; None if it has no box."""
        return None

    def points(self, rois: Tensor, offsets: Tensor) -> Tensor:
        """P̂ as the centres of its bins, Tensor[N, k, k, 2] (x, y) in pixels."""
        return bin_centres(rois, self.bins) + scale_to_proposals(offsets, rois)


@MODELS.register_module(name="shared")
class Shared(Manner):
    """P̂ is P itself: "–" in Table 4, and both tasks of D_head in Table 1."""

    def forward(self, hidden: Tensor) -> Tensor:
        """Offsets of zero, Tensor[N, 1, 1, 2]."""
        return hidden.new_zeros(len(hidden), 1, 1, 2)

    def pool(
        self,
        extractor: nn.Module,
        features: Sequence[Tensor],
        rois: Tensor,
        offsets: Tensor,
        shared_feats: Tensor,
    ) -> Tensor:
        """Return F, because P has been pooled already."""
        return shared_feats

    def box(self, rois: Tensor, offsets: Tensor) -> Tensor:
        """Return the boxes of P."""
        return rois[:, 1:]


class LearntManner(Manner):
    """A manner that predicts offsets by two layers of its own, layers 2 and 3 of F_c or F_r.

    A subclass says in ``offsets`` how many offsets that is.
    """

    learns = True

    @classmethod
    def offsets(cls, bins: int) -> tuple[int, int]:
        """Number of rows and of columns of offsets that are predicted for each RoI."""
        raise NotImplementedError

    @classmethod
    def layers(cls, channels: int, bins: int) -> list[nn.Module]:
        """Layer 2, as wide as layer 1, and layer 3, which gives x and y of each offset."""
        rows, columns = cls.offsets(bins)
        return [
            nn.Linear(channels, channels),
            nn.ReLU(),
            nn.Linear(channels, rows * columns * 2),
        ]

    @property
    def last_layer(self) -> nn.Linear:
        """Layer 3."""
        return cast(nn.Linear, self[-1])

    def start_at_shared(self) -> None:
        """Let the last layer predict offsets of zero."""
        nn.init.zeros_(self.last_layer.weight)
        nn.init.zeros_(self.last_layer.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """Offsets, Tensor[N, rows, columns, 2], from layer 1's output, Tensor[N, channels]."""
        return super().forward(hidden).unflatten(1, (*self.offsets(self.bins), 2))


@MODELS.register_module(name="proposal-wise")
class ProposalWise(LearntManner):
    """P̂ is P moved as a whole, by one translation (Prop.w, Eq. 3 and 4)."""

    translates_box = True

    @classmethod
    def offsets(cls, bins: int) -> tuple[int, int]:
        """There is one offset."""
        return 1, 1

    def translation(self, offsets: Tensor) -> Tensor:
        """The only offset of each RoI."""
        return offsets[:, 0, 0]

    def box(self, rois: Tensor, offsets: Tensor) -> Tensor:
        """P, moved by its offset."""
        moved_by = self.translation(scale_to_proposals(offsets, rois))
        return rois[:, 1:] + moved_by.repeat(1, 2)


@MODELS.register_module(name="point-wise")
class PointWise(LearntManner):
    """P̂ is P with each of its k × k bins moved by itself (Point.w, Eq. 5 and 6)."""

    @classmethod
    def offsets(cls, bins: int) -> tuple[int, int]:
        """Each bin has an offset."""
        return bins, bins


def registered_manners() -> dict[str, type[Manner]]:
    """The manners that there are, by the names that configs give them."""
    return {
        name: kind
        for name, kind in MODELS.module_dict.items()
        if isinstance(kind, type) and issubclass(kind, Manner)
    }


def find_manner(name: str, setting: str) -> type[Manner]:
    """The manner that is registered under a name.

    Args:
        name: Such as ``point-wise``.
        setting: The setting that gives the name, for the error.

    Raises:
        ValueError: If no manner has that name. The message lists those that there are.
    """
    known = registered_manners()
    if name not in known:
        raise ValueError(f"{setting} is {name!r}; expected one of {', '.join(known)}")
    return known[name]


def scale_to_proposals(offsets: Tensor, rois: Tensor) -> Tensor:
    """ΔC or ΔR in pixels: offsets times the (width, height) of each proposal (Eq. 3 and 5).

    Args:
        offsets: Tensor[N, rows, columns, 2].
        rois: P, Tensor[N, 5].
    """
    return offsets * (rois[:, 3:5] - rois[:, 1:3])[:, None, None, :]


def bin_centres(rois: Tensor, bins: int) -> Tensor:
    """Centres of the bins of each RoI, in pixels.

    Args:
        rois: Tensor[N, 5].
        bins: k.

    Returns:
        Tensor[N, k, k, 2], last axis (x, y).
    """
    steps = (torch.arange(bins, device=rois.device) + 0.5) / bins
    across = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1)
    return rois[:, None, None, 1:3] + (rois[:, 3:5] - rois[:, 1:3])[:, None, None] * across

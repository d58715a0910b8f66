"""RoI pooling as the authors' released code does it, for weights that were trained with it.

The released code (Sense-X/TSD, ``mmdet/ops/roi_align`` and ``mmdet/ops/dcn``) pools F and F̂ by two
rules, neither of which is that of :mod:`tsd.models.pooling`:

* F, the feature of the proposal itself, is RoIAlign from before the half-pixel correction, so that
  it is read half a cell to the right of the proposal and below it.
* F̂_c and F̂_r, the features of the derived proposals, have their RoI rounded to whole pixels. Each
  bin averages 4 × 4 samples at 0, ¼, ½ and ¾ of its sides, an eighth of a bin to the upper left of
  its centre on average, and samples that are off the map are left out of the mean.

A network learns where it reads. So its weights give what its authors measured only with this
pooling.

Letters
    N        number of RoIs
    C        channels of a feature map
    kh, kw   rows and columns of bins of a pooled RoI (7 × 7)
    S        samples along each side of a bin

RoIs are (batch index, x1, y1, x2, y2) and offsets (x, y), in pixels of the network's input. The
released code describes a box by its first and last pixel. Ours ends where the last pixel ends,
which is 1 more; only the rounding depends on it.
"""

from collections.abc import Sequence

import torch
from mmdet.registry import MODELS
from torch import Tensor

from tsd.models.pooling import (
    DeformableRoIPooling,
    assign_levels,
    check_offsets,
    map_sizes,
    sum_of_points,
)

DERIVED_SAMPLES = 4
"""Samples along each side of a bin of F̂."""

SMALLEST_SIDE = 0.1
"""An RoI of F̂ is taken to be at least as wide and as high as this, in cells."""


@MODELS.register_module()
class ReleasedRoIPooling(DeformableRoIPooling):
    """Pools F and F̂ as the released code does, with gradients to the features and the offsets.

    Its arguments are those of ``DeformableRoIPooling``, of which ``sampling_ratio`` is about F
    alone: 2 in the released code. It can be trained with as well.
    """

    @property
    def resting_offset(self) -> tuple[float, float]:
        """The samples lie an eighth of a bin to the upper left, which an offset may make good."""
        kh, kw = self.output_size
        return 1 / (8 * kw), 1 / (8 * kh)

    def forward(
        self, feats: Sequence[Tensor], rois: Tensor, offsets: Tensor | None = None
    ) -> Tensor:
        """Pool F, or F̂ if there are offsets.

        Offsets of zero are not the same as none.

        Args:
            feats: The pyramid, of which the first L levels are read.
            rois: P, Tensor[N, 5].
            offsets: Tensor[N, kh, kw, 2] or Tensor[N, 1, 1, 2], in pixels.

        Returns:
            Tensor[N, C, kh, kw].

        Raises:
            ValueError: If the offsets have another shape.
        """
        check_offsets(offsets, len(rois), self.output_size)
        feats = feats[: self.num_inputs]
        rois = rois.to(torch.promote_types(rois.dtype, torch.float32))
        level = assign_levels(rois, self.num_inputs, self.finest_scale)
        stride = rois.new_tensor(self.featmap_strides)[level]
        if offsets is None:
            x, y = self._points_of_shared(rois, stride)
        else:
            x, y = self._points_of_derived(rois, stride, offsets)
        height, width = map_sizes(feats, level)
        if offsets is None:
            on_the_map = (x >= -1) & (x <= width) & (y >= -1) & (y <= height)
            counted = x.new_tensor(self.sampling_ratio**2)
        else:
            on_the_map = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
            counted = on_the_map.sum(dim=-1, keepdim=True).clamp(min=1)
        return sum_of_points(
            feats,
            rois[:, 0].long(),
            level,
            _flat_at_cells(x),
            _flat_at_cells(y),
            on_the_map.to(x.dtype) / counted,
        )

    def _points_of_shared(self, rois: Tensor, stride: Tensor) -> tuple[Tensor, Tensor]:
        """Columns and rows in cells of the samples of F, each Tensor[N, kh, kw, S²]."""
        samples = self.sampling_ratio
        start = rois[:, 1:3] / stride[:, None]
        size = (rois[:, 3:5] / stride[:, None] - start).clamp(min=0)
        within_bin = (torch.arange(samples).to(rois) + 0.5) / samples
        return self._points(start, size, within_bin)

    def _points_of_derived(
        self, rois: Tensor, stride: Tensor, offsets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Columns and rows in cells of the samples of F̂, each Tensor[N, kh, kw, 4²].

        The offsets are in proportion to the proposal, and here they are multiplied by its size
        after rounding.
        """
        first, last = _round_half_away(rois[:, 1:3]), _round_half_away(rois[:, 3:5] - 1)
        start = first / stride[:, None] - 0.5
        end = (last + 1) / stride[:, None] - 0.5
        size = (end - start).clamp(min=SMALLEST_SIDE)
        within_bin = torch.arange(DERIVED_SAMPLES).to(rois) / DERIVED_SAMPLES
        x, y = self._points(start, size, within_bin)

        side = rois[:, 3:5] - rois[:, 1:3]
        side = torch.where(side == 0, torch.ones_like(side), side)  # its offsets are 0 as well
        moved = offsets * (size / side)[:, None, None]
        return x + moved[..., 0, None], y + moved[..., 1, None]

    def _points(self, start: Tensor, size: Tensor, within_bin: Tensor) -> tuple[Tensor, Tensor]:
        """Columns and rows of samples in the bins of RoIs.

        Args:
            start: Upper left corners, Tensor[N, 2].
            size: Widths and heights, Tensor[N, 2].
            within_bin: Where the samples lie along a bin's side of 1, Tensor[S].
        """
        kh, kw = self.output_size
        across = (torch.arange(kw).to(start)[:, None] + within_bin) / kw  # [kw, S]
        down = (torch.arange(kh).to(start)[:, None] + within_bin) / kh  # [kh, S]
        x = (start[:, 0, None, None] + size[:, 0, None, None] * across)[:, None, :, None, :]
        y = (start[:, 1, None, None] + size[:, 1, None, None] * down)[:, :, None, :, None]
        shape = (len(start), kh, kw, len(within_bin), len(within_bin))
        return x.expand(shape).flatten(3), y.expand(shape).flatten(3)


def _round_half_away(value: Tensor) -> Tensor:
    """Round to integers, halves away from zero; ``torch.round`` takes them to the even one."""
    whole = value.trunc()
    return whole + ((value - whole).abs() >= 0.5) * value.sign()


def _flat_at_cells(points: Tensor) -> Tensor:
    """Let no gradient through where a coordinate is a whole number of cells.

    The released kernel interpolates between the cells at the floor and at the ceiling of a
    coordinate, which there are the same one.
    """
    return torch.where(points == points.floor(), points.detach(), points)

"""RoI pooling whose sample points can be moved, over a feature pyramid.

Letters
    N        number of RoIs
    B        number of images in a batch
    L        number of pyramid levels, each of which is a Tensor[B, C, H_l, W_l]
    C        channels of a level
    kh, kw   rows and columns of bins of a pooled RoI (k × k in the paper, 7 × 7)
    S        samples along each side of a bin, so that a bin averages |G(x, y)| = S² points (Eq. 6)

Boxes are (x1, y1, x2, y2) in pixels of the network's input, RoIs are (batch index, x1, y1, x2, y2).
Offsets are (x, y) in the same pixels.
"""

from collections.abc import Sequence

import torch
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from tsd.models.weighted_cells import weighted_cells


def deformable_roi_pool(
    features: Sequence[Tensor],
    rois: Tensor,
    offsets: Tensor | None = None,
    *,
    strides: Sequence[int],
    output_size: tuple[int, int] = (7, 7),
    sampling_ratio: int = 2,
    finest_scale: int = 56,
) -> Tensor:
    """Average bilinear samples in every bin of every RoI, each bin moved by its own offset.

    This is Eq. 6 of the paper. Without offsets, or with offsets of zero, it equals RoIAlign with
    half-pixel alignment (``torchvision.ops.roi_align(..., aligned=True)``). Gradients reach the
    features and the offsets. As in RoIAlign, none reach the coordinates of the RoIs.

    As in RoIAlign, a point that is more than one cell outside its feature map counts as zero, and a
    point within that margin is moved to the border.

    Args:
        features: L maps Tensor[B, C, H_l, W_l], fine to coarse.
        rois: Tensor[N, 5]. N may be zero.
        offsets: Tensor[N, kh, kw, 2] moves each bin by itself (a point-wise deformation),
            Tensor[N, 1, 1, 2] the whole RoI (a proposal-wise translation).
        strides: Image pixels a feature cell spans, one per level.
        output_size: (kh, kw).
        sampling_ratio: S.
        finest_scale: A RoI of area s² reads level floor(log2(s / finest_scale)), clamped to the
            levels that there are. This is FPN's rule (Lin et al. 2017, Eq. 1), by which RoIs below
            2 · 56 pixels read the finest level. The offsets do not change the level.

    Returns:
        Tensor[N, C, kh, kw] in the features' dtype.

    Raises:
        ValueError: If levels and strides differ in number, or the offsets have another shape.
    """
    if len(features) != len(strides):
        raise ValueError(f"{len(features)} feature levels, but {len(strides)} strides")
    check_offsets(offsets, len(rois), output_size)
    # Coordinates stay in float32 at least: float16 cannot tell 1/16 of a pixel at x = 1000.
    rois = rois.to(torch.promote_types(rois.dtype, torch.float32))
    if kernels_are_for(features[0]):
        # Triton is there only where CUDA is.
        from tsd.models import pooling_kernels

        rule = pooling_kernels.Rule(tuple(strides), output_size, sampling_ratio, finest_scale)
        return pooling_kernels.pool(features, rois.float(), offsets, rule)
    level = assign_levels(rois, len(features), finest_scale)
    x, y = _sample_points(rois, offsets, output_size, sampling_ratio)
    scale = rois.new_tensor([1 / stride for stride in strides])[level][:, None, None, None]
    x, y = x * scale - 0.5, y * scale - 0.5
    height, width = map_sizes(features, level)
    inside = (x > -1) & (x < width) & (y > -1) & (y < height)
    weights = inside.to(x.dtype) / sampling_ratio**2
    return sum_of_points(features, rois[:, 0].long(), level, x, y, weights)


def kernels_are_for(feature: Tensor) -> bool:
    """Whether the kernels of :mod:`tsd.models.pooling_kernels` pool a map, or PyTorch's own steps.

    The kernels are for CUDA and for the dtypes that networks are trained in. They add gradients in
    no fixed order, so that PyTorch's steps are taken where ``torch.use_deterministic_algorithms``
    asks for the same bits every time.
    """
    dtypes = (torch.float32, torch.float16, torch.bfloat16)
    is_free = not torch.are_deterministic_algorithms_enabled()
    return feature.is_cuda and feature.dtype in dtypes and is_free


def check_offsets(offsets: Tensor | None, num_rois: int, output_size: tuple[int, int]) -> None:
    """Raise a ValueError if there are offsets of another shape than the two that are allowed."""
    kh, kw = output_size
    allowed = (num_rois, kh, kw, 2), (num_rois, 1, 1, 2)
    if offsets is not None and offsets.shape not in allowed:
        raise ValueError(
            f"offsets are {tuple(offsets.shape)}; expected {allowed[0]} (a point a bin) or "
            f"{allowed[1]} (a translation)"
        )


def assign_levels(rois: Tensor, num_levels: int, finest_scale: int = 56) -> Tensor:
    """Index of the pyramid level each RoI reads: LongTensor[N] for rois Tensor[N, 5]."""
    side = ((rois[:, 3] - rois[:, 1]) * (rois[:, 4] - rois[:, 2])).clamp(min=0).sqrt()
    octave = side / finest_scale + 1e-6
    level = torch.zeros(len(rois), dtype=torch.long, device=rois.device)
    for upper in range(1, num_levels):  # a logarithm may be rounded to the next level
        level += octave >= 2.0**upper
    return level


def _sample_points(
    rois: Tensor, offsets: Tensor | None, output_size: tuple[int, int], samples: int
) -> tuple[Tensor, Tensor]:
    """Image coordinates x, y of every sample point, each Tensor[N, kh, kw, S²]."""
    kh, kw = output_size
    centres = torch.arange(samples, device=rois.device, dtype=rois.dtype).add(0.5) / samples
    across = (torch.arange(kw, device=rois.device)[:, None] + centres) / kw  # [kw, S]
    down = (torch.arange(kh, device=rois.device)[:, None] + centres) / kh  # [kh, S]
    x1, y1, x2, y2 = (rois[:, i, None, None] for i in range(1, 5))
    x = (x1 + (x2 - x1) * across)[:, None, :, None, :]  # [N, 1, kw, 1, S]
    y = (y1 + (y2 - y1) * down)[:, :, None, :, None]  # [N, kh, 1, S, 1]
    shape = (rois.shape[0], kh, kw, samples, samples)
    x, y = x.expand(shape).flatten(3), y.expand(shape).flatten(3)
    if offsets is None:
        return x, y
    return x + offsets[..., 0, None], y + offsets[..., 1, None]


def map_sizes(features: Sequence[Tensor], level: Tensor) -> tuple[Tensor, Tensor]:
    """Height and width in cells of the map that each RoI reads, LongTensor[N, 1, 1, 1] each.

    Args:
        features: L maps Tensor[B, C, H_l, W_l].
        level: The level that each RoI reads, LongTensor[N].
    """
    sizes = torch.tensor([feature.shape[-2:] for feature in features], device=level.device)
    height, width = sizes[level].unbind(1)
    return height[:, None, None, None], width[:, None, None, None]


def sum_of_points(
    features: Sequence[Tensor], image: Tensor, level: Tensor, x: Tensor, y: Tensor, weights: Tensor
) -> Tensor:
    """Sum the weighted values at the sample points of every bin of every RoI.

    Values are interpolated bilinearly. A point outside its map has the value at the nearest point
    of the border; its weight says whether that counts.

    A loop over RoIs or bins would be slow. So each bin is a weighted sum of the 4·S² cells around
    its points, and :func:`~tsd.models.weighted_cells.weighted_cells` sums for all bins at once.
    Memory is linear in N · kh · kw · S².

    Args:
        features: L maps Tensor[B, C, H_l, W_l].
        image: The batch index of each RoI, LongTensor[N].
        level: The level that each RoI reads, LongTensor[N].
        x: Column of each point in cells of the RoI's level, Tensor[N, kh, kw, S²]; whole numbers
            are the centres of cells. Gradients reach x and y, except where a point lies outside.
        y: Row likewise.
        weights: What each point counts, of the same shape.

    Returns:
        Tensor[N, C, kh, kw] in the features' dtype.
    """
    channels = features[0].shape[1]
    cells = [feature.numel() // channels for feature in features]
    starts = torch.tensor([sum(cells[:i]) for i in range(len(cells))], device=level.device)
    height, width = map_sizes(features, level)
    start = starts[level][:, None, None, None] + image[:, None, None, None] * height * width

    last_x, last_y = width - 1, height - 1
    x = torch.minimum(x.clamp(min=0), last_x.to(x.dtype))
    y = torch.minimum(y.clamp(min=0), last_y.to(y.dtype))
    # Where training diverges, positions are no numbers: any cell is read, and the result is none.
    left, top = (place.detach().nan_to_num().long() for place in (x, y))
    right, bottom = torch.minimum(left + 1, last_x), torch.minimum(top + 1, last_y)
    fx, fy = x - left, y - top
    to_left, to_top, to_bottom = 1 - fx, (1 - fy) * weights, fy * weights
    shares = [to_top * to_left, to_top * fx, to_bottom * to_left, to_bottom * fx]
    upper, lower = start + top * width, start + bottom * width
    rows = [upper + left, upper + right, lower + left, lower + right]

    num_rois, kh, kw, samples = x.shape
    bags = (num_rois * kh * kw, 4 * samples)
    pooled = weighted_cells(
        features, torch.stack(rows, -1).reshape(bags), torch.stack(shares, -1).reshape(bags)
    )
    return pooled.reshape(num_rois, kh, kw, channels).permute(0, 3, 1, 2)


@MODELS.register_module()
class DeformableRoIPooling(BaseModule):
    """:func:`deformable_roi_pool` as an mmdet RoI extractor.

    It can stand wherever mmdet has a ``SingleRoIExtractor`` with RoIAlign. Its ``forward`` takes
    offsets as well.

    Args:
        out_channels: C, the same for every level.
        featmap_strides: Image pixels that a feature cell spans, one per level, fine to coarse.
        output_size: k, or (kh, kw).
        sampling_ratio: S. RoIAlign also has an adaptive number of samples, by a ratio of 0. It is
            not offered here, because memory would then depend on the size of the RoIs.
        finest_scale: See :func:`deformable_roi_pool`.

    Raises:
        ValueError: If ``sampling_ratio`` is below one.
    """

    def __init__(
        self,
        out_channels: int = 256,
        featmap_strides: Sequence[int] = (4, 8, 16, 32),
        output_size: int | Sequence[int] = 7,
        sampling_ratio: int = 2,
        finest_scale: int = 56,
    ) -> None:
        super().__init__()
        if sampling_ratio < 1:
            raise ValueError(
                f"{type(self).__name__}: sampling_ratio is {sampling_ratio}, with which RoIAlign "
                "chooses the number of samples; here it is the number itself, such as 2"
            )
        self.out_channels = out_channels
        self.featmap_strides = tuple(featmap_strides)
        kh, kw = (output_size, output_size) if isinstance(output_size, int) else output_size
        self.output_size = (kh, kw)
        self.sampling_ratio = sampling_ratio
        self.finest_scale = finest_scale

    @property
    def num_inputs(self) -> int:
        """L, which mmdet asks every extractor for."""
        return len(self.featmap_strides)

    @property
    def resting_offset(self) -> tuple[float, float]:
        """The offset (x, y) at which a bin is averaged around its centre.

        It is in proportion to the width and height of the RoI. Whoever shows where a network looks
        subtracts it from the offsets that the network predicts.
        """
        return 0.0, 0.0

    def prepare(self, feats: Sequence[Tensor]) -> list[Tensor]:
        """Bring a pyramid that is pooled from several times into the order that pooling reads.

        Where the kernels for CUDA pool, a cell's channels have to lie beside each other, and would
        be copied so in every call. Elsewhere nothing is changed.

        Args:
            feats: The pyramid.
        """
        return [
            feat.contiguous(memory_format=torch.channels_last) if kernels_are_for(feat) else feat
            for feat in feats
        ]

    def forward(
        self, feats: Sequence[Tensor], rois: Tensor, offsets: Tensor | None = None
    ) -> Tensor:
        """Pool RoIs, moved by ``offsets`` if there are any, as :func:`deformable_roi_pool` does.

        Args:
            feats: The pyramid, of which the first L levels are read.
            rois: Tensor[N, 5].
            offsets: Tensor[N, kh, kw, 2] or Tensor[N, 1, 1, 2], in pixels.

        Returns:
            Tensor[N, C, kh, kw].
        """
        return deformable_roi_pool(
            feats[: self.num_inputs],
            rois,
            offsets,
            strides=self.featmap_strides,
            output_size=self.output_size,
            sampling_ratio=self.sampling_ratio,
            finest_scale=self.finest_scale,
        )

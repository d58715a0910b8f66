"""The RoI pooling of :mod:`tsd.models.pooling` as two Triton kernels, for CUDA.

PyTorch alone pools in some thirty steps, each of which reads and writes memory, and copies the
whole pyramid into a table first. Here one kernel does all of a forward pass, and one all of a
backward pass. A program of either is responsible for one bin of one RoI: it finds the RoI's level,
the bin's sample points and their four neighbours, and sums over them with the channels side by
side.

.. code-block:: none

    program (n, bin) ─▶ level of RoI n ─▶ S² points ─▶ 4 cells each ─▶ sum over C channels at once
                                             ▲                           │
                                          offset ◀─ gradient (backward) ─┘

Features are read where they are, with the channels of a cell beside each other (``channels_last``).
Maps in another order are copied into this one; a network that runs in it saves the copy. Values
are of float32, float16 or bfloat16, and sums are of float32 for all of them.

Gradients of a cell come from many bins, whose programs add them in whatever order they run. So the
last bits of a backward pass differ from call to call. Where
``torch.use_deterministic_algorithms`` asks for the same bits every time,
:func:`tsd.models.pooling.deformable_roi_pool` does not come here.

Letters
    N           number of RoIs
    B           number of images in a batch
    L           number of pyramid levels, each of which is a Tensor[B, C, H_l, W_l]
    H_l, W_l    rows and columns of cells of a level
    C           channels of a level
    kh, kw      rows and columns of bins of a pooled RoI
    S           samples along each side of a bin, so that a bin averages S² points
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

MOST_CHANNELS = 256
"""So many channels a program handles side by side; of more it handles one group after another."""

WARPS = 2
"""Groups of 32 threads that share a program; two were best on an H100."""


@dataclass(frozen=True)
class Rule:
    """What does not change from call to call.

    Attributes:
        strides: Image pixels a feature cell spans, one per level.
        output_size: (kh, kw).
        samples: S.
        finest_scale: As of ``deformable_roi_pool``.
    """

    strides: tuple[int, ...]
    output_size: tuple[int, int]
    samples: int
    finest_scale: int


def pool(features: Sequence[Tensor], rois: Tensor, offsets: Tensor | None, rule: Rule) -> Tensor:
    """Pool RoIs, as ``deformable_roi_pool`` describes it.

    Args:
        features: L maps Tensor[B, C, H_l, W_l] of one dtype.
        rois: Tensor[N, 5] of float32.
        offsets: Tensor[N, kh, kw, 2], Tensor[N, 1, 1, 2] or None.
        rule: The rest.

    Returns:
        Tensor[N, C, kh, kw] in the features' dtype.
    """
    kh, kw = rule.output_size
    if offsets is None:
        offsets = rois.new_zeros(1).expand(len(rois), kh, kw, 2)  # no memory, and never read
        moved = False
    else:
        offsets = offsets.float().expand(len(rois), kh, kw, 2)
        moved = True
    channels_last = [f.contiguous(memory_format=torch.channels_last) for f in features]
    pooled: Tensor = _Pool.apply(rois, offsets, moved, rule, *channels_last)
    return pooled.permute(0, 3, 1, 2)


class _Pool(torch.autograd.Function):
    """The kernels as a function that PyTorch can differentiate."""

    @staticmethod
    def forward(
        ctx: Any, rois: Tensor, offsets: Tensor, moved: bool, rule: Rule, *features: Tensor
    ) -> Tensor:
        rois, offsets = rois.contiguous(), offsets.contiguous() if moved else offsets
        kh, kw = rule.output_size
        channels = features[0].shape[1]
        pooled = features[0].new_empty(len(rois), kh, kw, channels)
        if pooled.numel():
            _forward[(len(rois) * kh * kw,)](
                rois, offsets, features, pooled, **_constants(features, moved, rule)
            )
        ctx.save_for_backward(rois, offsets, *features)
        ctx.moved, ctx.rule = moved, rule
        return pooled

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rois, offsets, *features = ctx.saved_tensors
        (gradient,) = gradients
        to_offsets = ctx.needs_input_grad[1]
        to_features = any(ctx.needs_input_grad[4:])
        d_offsets = torch.zeros_like(offsets) if to_offsets else offsets
        d_features = [
            torch.zeros_like(f, dtype=torch.float32) if to_features else f for f in features
        ]
        if gradient.numel():
            _backward[(len(rois) * offsets.shape[1] * offsets.shape[2],)](
                rois,
                offsets,
                tuple(features),
                gradient.contiguous(),
                d_offsets,
                tuple(d_features),
                **_constants(features, ctx.moved, ctx.rule),
                TO_OFFSETS=to_offsets,
                TO_FEATURES=to_features,
            )
        of_features = [
            d.to(f.dtype) if to_features else None
            for d, f in zip(d_features, features, strict=True)
        ]
        return None, d_offsets if to_offsets else None, None, None, *of_features


def _constants(features: Sequence[Tensor], moved: bool, rule: Rule) -> dict[str, Any]:
    """What the kernels are told besides tensors."""
    channels = features[0].shape[1]
    kh, kw = rule.output_size
    return {
        "heights": tuple(f.shape[2] for f in features),
        "widths": tuple(f.shape[3] for f in features),
        "strides": tuple(float(stride) for stride in rule.strides),
        "finest_scale": float(rule.finest_scale),
        "MOVED": moved,
        "KH": kh,
        "KW": kw,
        "S": rule.samples,
        "C": channels,
        "BLOCK": min(MOST_CHANNELS, triton.next_power_of_2(channels)),
        "num_warps": WARPS,
    }


@triton.jit
def _level(width, height, finest_scale, LEVELS: tl.constexpr):  # noqa: N803
    """The level that a RoI of some size reads."""
    octave = tl.sqrt(tl.maximum(width * height, 0.0)) / finest_scale + 1e-6
    level = 0
    for upper in tl.static_range(1, LEVELS):
        level += (octave >= 2.0**upper).to(tl.int32)
    return level


@triton.jit
def _of_level(level, values):
    """The entry of a tuple that is a level's: of sizes, strides or maps."""
    chosen = values[0]
    for here in tl.static_range(1, len(values)):
        chosen = tl.where(level == here, values[here], chosen)
    return chosen


@triton.jit
def _real(channel, C: tl.constexpr, BLOCK: tl.constexpr):  # noqa: N803
    """Which channels of a block there are. That they all are is known when a kernel is compiled."""
    return channel < C if C % BLOCK != 0 else None


@triton.jit
def _load(at, channel, C: tl.constexpr, BLOCK: tl.constexpr):  # noqa: N803
    """Values of a block of channels in float32; zero for channels that there are not."""
    if C % BLOCK == 0:
        return tl.load(at).to(tl.float32)
    return tl.load(at, channel < C, 0.0).to(tl.float32)


@triton.jit
def _place(start, end, bins, at, sample, offset, stride, size, S: tl.constexpr):  # noqa: N803
    """Where a sample lies along one axis of a map.

    Returns:
        The cell before it, the one after it, how far it is from the former in cells, whether it
        counts, and whether it would move with its offset. The cells exist wherever the sample is,
        even if its place is no number, so that they may be read without asking.
    """
    within = (at + (sample + 0.5) / S) / bins
    x = (start + (end - start) * within + offset) / stride - 0.5
    counts = (x > -1) & (x < size)
    moves = (x >= 0) & (x <= size - 1)
    x = tl.minimum(tl.maximum(x, 0.0), size - 1.0)
    before = tl.floor(x).to(tl.int32)
    return before, tl.minimum(before + 1, size - 1), x - before, counts, moves


@triton.jit
def _forward(
    rois,
    offsets,
    features,
    pooled,
    heights,
    widths,
    strides,
    finest_scale,
    MOVED: tl.constexpr,  # noqa: N803
    KH: tl.constexpr,  # noqa: N803
    KW: tl.constexpr,  # noqa: N803
    S: tl.constexpr,  # noqa: N803
    C: tl.constexpr,  # noqa: N803
    BLOCK: tl.constexpr,  # noqa: N803
):
    """Pool one bin of one RoI."""
    program = tl.program_id(0).to(tl.int64)
    n, row, column = program // (KH * KW), program // KW % KH, program % KW
    image = tl.load(rois + n * 5).to(tl.int64)
    x1, y1 = tl.load(rois + n * 5 + 1), tl.load(rois + n * 5 + 2)
    x2, y2 = tl.load(rois + n * 5 + 3), tl.load(rois + n * 5 + 4)
    dx, dy = 0.0, 0.0
    if MOVED:
        dx, dy = tl.load(offsets + program * 2), tl.load(offsets + program * 2 + 1)
    level = _level(x2 - x1, y2 - y1, finest_scale, len(heights))
    height, width = _of_level(level, heights), _of_level(level, widths)
    stride = _of_level(level, strides)
    cells = tl.multiple_of(_of_level(level, features), 16) + image * height * width * C
    for first in tl.static_range(0, C, BLOCK):
        channel = first + tl.arange(0, BLOCK)
        total = tl.zeros([BLOCK], tl.float32)
        for v in tl.static_range(S):
            top, bottom, fy, counts_y, _ = _place(y1, y2, KH, row, v, dy, stride, height, S)
            for u in tl.static_range(S):
                left, right, fx, counts_x, _ = _place(x1, x2, KW, column, u, dx, stride, width, S)
                share = tl.where(counts_x & counts_y, 1.0 / (S * S), 0.0)
                a = cells + (top * width + left) * C + channel
                b = cells + (top * width + right) * C + channel
                c = cells + (bottom * width + left) * C + channel
                d = cells + (bottom * width + right) * C + channel
                total += share * (
                    (1 - fy) * (1 - fx) * _load(a, channel, C, BLOCK)
                    + (1 - fy) * fx * _load(b, channel, C, BLOCK)
                    + fy * (1 - fx) * _load(c, channel, C, BLOCK)
                    + fy * fx * _load(d, channel, C, BLOCK)
                )
        at = pooled + program * C + channel
        tl.store(at, total.to(pooled.dtype.element_ty), _real(channel, C, BLOCK))


@triton.jit
def _backward(
    rois,
    offsets,
    features,
    gradient,
    d_offsets,
    d_features,
    heights,
    widths,
    strides,
    finest_scale,
    MOVED: tl.constexpr,  # noqa: N803
    KH: tl.constexpr,  # noqa: N803
    KW: tl.constexpr,  # noqa: N803
    S: tl.constexpr,  # noqa: N803
    C: tl.constexpr,  # noqa: N803
    BLOCK: tl.constexpr,  # noqa: N803
    TO_OFFSETS: tl.constexpr,  # noqa: N803
    TO_FEATURES: tl.constexpr,  # noqa: N803
):
    """Hand the gradient of one bin of one RoI on to the cells that it reads, and to its offset."""
    program = tl.program_id(0).to(tl.int64)
    n, row, column = program // (KH * KW), program // KW % KH, program % KW
    image = tl.load(rois + n * 5).to(tl.int64)
    x1, y1 = tl.load(rois + n * 5 + 1), tl.load(rois + n * 5 + 2)
    x2, y2 = tl.load(rois + n * 5 + 3), tl.load(rois + n * 5 + 4)
    dx, dy = 0.0, 0.0
    if MOVED:
        dx, dy = tl.load(offsets + program * 2), tl.load(offsets + program * 2 + 1)
    level = _level(x2 - x1, y2 - y1, finest_scale, len(heights))
    height, width = _of_level(level, heights), _of_level(level, widths)
    stride = _of_level(level, strides)
    start = image * height * width * C
    cells = tl.multiple_of(_of_level(level, features), 16) + start
    to_cells = tl.multiple_of(_of_level(level, d_features), 16) + start
    along_x = tl.zeros([BLOCK], tl.float32)
    along_y = tl.zeros([BLOCK], tl.float32)
    for first in tl.static_range(0, C, BLOCK):
        channel = first + tl.arange(0, BLOCK)
        real = _real(channel, C, BLOCK)
        whole = _load(gradient + program * C + channel, channel, C, BLOCK)
        for v in tl.static_range(S):
            top, bottom, fy, counts_y, moves_y = _place(y1, y2, KH, row, v, dy, stride, height, S)
            for u in tl.static_range(S):
                left, right, fx, counts_x, moves_x = _place(
                    x1, x2, KW, column, u, dx, stride, width, S
                )
                g = whole * tl.where(counts_x & counts_y, 1.0 / (S * S), 0.0)
                a = (top * width + left) * C + channel
                b = (top * width + right) * C + channel
                c = (bottom * width + left) * C + channel
                d = (bottom * width + right) * C + channel
                if TO_FEATURES:
                    tl.atomic_add(to_cells + a, g * (1 - fy) * (1 - fx), real, sem="relaxed")
                    tl.atomic_add(to_cells + b, g * (1 - fy) * fx, real, sem="relaxed")
                    tl.atomic_add(to_cells + c, g * fy * (1 - fx), real, sem="relaxed")
                    tl.atomic_add(to_cells + d, g * fy * fx, real, sem="relaxed")
                if TO_OFFSETS:
                    at_a = _load(cells + a, channel, C, BLOCK)
                    at_b = _load(cells + b, channel, C, BLOCK)
                    at_c = _load(cells + c, channel, C, BLOCK)
                    at_d = _load(cells + d, channel, C, BLOCK)
                    slope_x = (1 - fy) * (at_b - at_a) + fy * (at_d - at_c)
                    slope_y = (1 - fx) * (at_c - at_a) + fx * (at_d - at_b)
                    along_x += tl.where(moves_x, g * slope_x, 0.0)
                    along_y += tl.where(moves_y, g * slope_y, 0.0)
    if TO_OFFSETS:
        tl.store(d_offsets + program * 2, tl.sum(along_x) / stride)
        tl.store(d_offsets + program * 2 + 1, tl.sum(along_y) / stride)

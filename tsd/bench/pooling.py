"""The project's own operator, beside torchvision's RoIAlign and mmcv's deformable RoI pooling.

A call of theirs pools from one level, so that they are called once for each level with the RoIs
that read it, as mmdet does. That they give the same is checked before they are timed.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.ops import roi_align

from tsd.bench.rows import Bench, Measurement, NotMeasuredError, Row, peak_memory, time_ratio
from tsd.models.pooling import assign_levels, deformable_roi_pool

STRIDES = (4, 8, 16, 32)
CHANNELS, BINS, SAMPLES = 256, 7, 2
AGREEMENT = 1e-3
"""Values of about 1 may differ by this much: GPUs interpolate in another order."""


class Inputs:
    """A pyramid, RoIs of all sizes, and an offset for each bin.

    Args:
        bench: Where they are, and how large.
        dtype: Of the pyramid.
        learn: Whether gradients are made.
    """

    def __init__(self, bench: Bench, dtype: torch.dtype = torch.float32, learn: bool = False):
        device, rois = bench.device, bench.rois
        generator = torch.Generator().manual_seed(0)
        self.features = [
            torch.randn(1, CHANNELS, bench.height // s, bench.width // s, generator=generator).to(
                device, dtype
            )
            for s in STRIDES
        ]
        extent = torch.tensor([bench.width, bench.height])
        centre = torch.rand(rois, 2, generator=generator) * extent
        half = 8 * 2 ** (6 * torch.rand(rois, 2, generator=generator)) / 2
        boxes = torch.cat([centre - half, centre + half], dim=1)
        self.rois = torch.cat([torch.zeros(rois, 1), boxes], dim=1).to(device)
        self.offsets = torch.randn(rois, BINS, BINS, 2, generator=generator).to(device)
        self.learn = learn
        for tensor in (*self.features, self.offsets):
            tensor.requires_grad_(learn)

    def ours(self, offsets: Tensor | None) -> Tensor:
        """Pooled by this project."""
        return deformable_roi_pool(self.features, self.rois, offsets, strides=STRIDES)

    def torchvision(self) -> Tensor:
        """Pooled by RoIAlign, which has no offsets."""
        return self._by_level(
            lambda feature, rois, stride, _: roi_align(
                feature, rois, BINS, 1 / stride, SAMPLES, aligned=True
            )
        )

    def mmcv(self) -> Tensor:
        """Pooled by mmcv's deformable RoI pooling, whose offsets are in proportion to the RoI."""
        from mmcv.ops import deform_roi_pool

        size = (self.rois[:, 3:5] - self.rois[:, 1:3])[:, None, None]
        offsets = (self.offsets / size).permute(0, 3, 1, 2)
        return self._by_level(
            lambda feature, rois, stride, chosen: deform_roi_pool(
                feature,
                rois,
                offsets[chosen].contiguous(),
                (BINS, BINS),
                1 / stride,
                SAMPLES,
                1.0,
            )
        )

    def _by_level(self, pool: Callable[[Tensor, Tensor, int, Tensor], Tensor]) -> Tensor:
        level = assign_levels(self.rois, len(STRIDES))
        dtype, device = self.features[0].dtype, self.rois.device
        out = torch.zeros(len(self.rois), CHANNELS, BINS, BINS, dtype=dtype, device=device)
        for index, stride in enumerate(STRIDES):
            chosen = (level == index).nonzero().squeeze(1)
            rois = self.rois[chosen].to(dtype)
            out[chosen] = pool(self.features[index], rois, stride, chosen).to(dtype)
        return out

    def done(self, pooled: Tensor) -> None:
        """Differentiate the sum, if gradients are made at all, and forget the gradients."""
        if self.learn:
            pooled.sum().backward()
            for tensor in (*self.features, self.offsets):
                tensor.grad = None


def _against_torchvision(learn: bool) -> Callable[[Bench], Measurement]:
    def measure(bench: Bench) -> Measurement:
        inputs = Inputs(bench, learn=learn)
        _require_alike(inputs.ours(None), inputs.torchvision(), "torchvision")
        sides = {
            "ours": lambda: inputs.done(inputs.ours(inputs.offsets)),
            "torchvision": lambda: inputs.done(inputs.torchvision()),
        }
        return time_ratio(bench, "ours", "torchvision", sides)

    return measure


def _against_mmcv(learn: bool) -> Callable[[Bench], Measurement]:
    def measure(bench: Bench) -> Measurement:
        inputs = Inputs(bench, learn=learn)
        _require_alike(inputs.ours(inputs.offsets), inputs.mmcv(), "mmcv")
        sides = {
            "ours": lambda: inputs.done(inputs.ours(inputs.offsets)),
            "mmcv": lambda: inputs.done(inputs.mmcv()),
        }
        return time_ratio(bench, "ours", "mmcv", sides)

    return measure


def _memory(of: Callable[[Inputs], Tensor]) -> Callable[[Bench], Measurement]:
    """Peak memory of a forward and a backward pass of ours, as a part of another op's."""

    def measure(bench: Bench) -> Measurement:
        inputs = Inputs(bench, learn=True)
        ours = peak_memory(lambda: inputs.done(inputs.ours(inputs.offsets)))
        return Measurement([ours / peak_memory(lambda: inputs.done(of(inputs)))])

    return measure


def _halves(dtype: torch.dtype) -> Callable[[Bench], Measurement]:
    def measure(bench: Bench) -> Measurement:
        halves = Inputs(bench, dtype, learn=True)
        full = Inputs(bench, learn=True)
        sides = {
            "halves": lambda: halves.done(halves.ours(halves.offsets)),
            "full": lambda: full.done(full.ours(full.offsets)),
        }
        return time_ratio(bench, "halves", "full", sides)

    return measure


def _deterministic(bench: Bench) -> Measurement:
    """PyTorch's steps, which give the same bits every time, beside the kernels."""
    inputs = Inputs(bench, learn=True)

    def same_bits() -> None:
        torch.use_deterministic_algorithms(True)  # what has no such form raises, and is told
        try:
            inputs.done(inputs.ours(inputs.offsets))
        finally:
            torch.use_deterministic_algorithms(False)

    sides = {"same bits": same_bits, "kernels": lambda: inputs.done(inputs.ours(inputs.offsets))}
    return time_ratio(bench, "same bits", "kernels", sides)


def _require_alike(found: Tensor, expected: Tensor, whose: str) -> None:
    difference = float((found.detach().float() - expected.detach().float()).abs().max())
    if not difference <= AGREEMENT:
        raise NotMeasuredError(f"its values differ by {difference:.3g} from those of {whose}")


_WHAT = f"pooling {{rois}} RoIs, {CHANNELS} channels, {BINS} × {BINS} bins, 4 levels"

ROWS = (
    Row(
        "pooling-torchvision",
        f"{_WHAT}, forward: ours with offsets / torchvision's RoIAlign without",
        0.25,
        "×",
        _against_torchvision(learn=False),
    ),
    Row(
        "pooling-torchvision-backward",
        f"{_WHAT}, forward and backward: ours / torchvision's",
        0.35,
        "×",
        _against_torchvision(learn=True),
    ),
    Row(
        "pooling-mmcv",
        f"{_WHAT}, forward: ours / mmcv's deform_roi_pool",
        0.5,
        "×",
        _against_mmcv(learn=False),
        ("cuda",),
    ),
    Row(
        "pooling-mmcv-backward",
        f"{_WHAT}, forward and backward: ours / mmcv's",
        0.5,
        "×",
        _against_mmcv(learn=True),
        ("cuda",),
    ),
    Row(
        "pooling-memory",
        f"{_WHAT}, peak memory of forward and backward: ours / mmcv's",
        1.0,
        "×",
        _memory(Inputs.mmcv),
        ("cuda",),
    ),
    Row(
        "pooling-memory-torchvision",
        f"{_WHAT}, peak memory of forward and backward: ours / torchvision's",
        None,
        "×",
        _memory(Inputs.torchvision),
        ("cuda",),
    ),
    Row(
        "pooling-deterministic",
        f"{_WHAT}, forward and backward: the same bits every time / the kernels",
        None,
        "×",
        _deterministic,
        ("cuda",),
    ),
    Row(
        "pooling-float16",
        f"{_WHAT}, forward and backward: float16 / float32",
        None,
        "×",
        _halves(torch.float16),
        ("cuda",),
    ),
    Row(
        "pooling-bfloat16",
        f"{_WHAT}, forward and backward: bfloat16 / float32",
        None,
        "×",
        _halves(torch.bfloat16),
        ("cuda",),
    ),
)

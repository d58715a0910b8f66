"""Deformable RoI pooling one sample point at a time: slow, plain, and written from Eq. 6."""

import math

import torch
from torch import Tensor


def pool_slowly(
    features: list[Tensor],
    rois: Tensor,
    offsets: Tensor | None,
    strides: list[int],
    output_size: tuple[int, int],
    samples: int,
    finest_scale: int = 56,
) -> Tensor:
    kh, kw = output_size
    channels = features[0].shape[1]
    out = torch.zeros(len(rois), channels, kh, kw, dtype=features[0].dtype)
    for n, (image, x1, y1, x2, y2) in enumerate(rois.tolist()):
        side = math.sqrt((x2 - x1) * (y2 - y1))
        level = min(max(math.floor(math.log2(side / finest_scale + 1e-6)), 0), len(strides) - 1)
        for i in range(kh):
            for j in range(kw):
                dx = dy = 0.0
                if offsets is not None:
                    row, column = (i, j) if offsets.shape[1] > 1 else (0, 0)
                    dx, dy = offsets[n, row, column].tolist()
                for a in range(samples):
                    for b in range(samples):
                        x = x1 + (x2 - x1) / kw * (j + (b + 0.5) / samples) + dx
                        y = y1 + (y2 - y1) / kh * (i + (a + 0.5) / samples) + dy
                        out[n, :, i, j] += bilinear(
                            features[level][int(image)], x / strides[level], y / strides[level]
                        )
    return out / samples**2


def bilinear(feature: Tensor, x: float, y: float) -> Tensor:
    """Value [C] of a map [C, H, W] at (x, y) in cells, pixel centres at half-integers."""
    _, height, width = feature.shape
    x, y = x - 0.5, y - 0.5
    if not (-1 < x < width and -1 < y < height):
        return torch.zeros(len(feature), dtype=feature.dtype)
    x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
    left, top = math.floor(x), math.floor(y)
    right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
    fx, fy = x - left, y - top
    return (
        feature[:, top, left] * (1 - fx) * (1 - fy)
        + feature[:, top, right] * fx * (1 - fy)
        + feature[:, bottom, left] * (1 - fx) * fy
        + feature[:, bottom, right] * fx * fy
    )

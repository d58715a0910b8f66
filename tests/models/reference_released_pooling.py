"""The released pooling one sample at a time: slow, plain, and in the released convention.

A box (x1, y1, x2, y2) ends with its last pixel here, so that its width is x2 - x1 + 1.
"""

import math

import numpy as np


def find_level(roi, levels: int) -> int:
    _, x1, y1, x2, y2 = roi
    area = (x2 - x1 + 1) * (y2 - y1 + 1)
    return min(max(math.floor(math.log2(math.sqrt(max(area, 0)) / 56 + 1e-6)), 0), levels - 1)


def pool_shared(features: list, rois: np.ndarray, strides: list[int], k: int) -> np.ndarray:
    """F of each RoI, [N, C, k, k]."""
    out = np.zeros((len(rois), features[0].shape[1], k, k))
    for n, roi in enumerate(rois):
        level = find_level(roi, len(strides))
        feature, stride = features[level][int(roi[0])], strides[level]
        _, rows, columns = feature.shape
        ax, ay = roi[1] / stride, roi[2] / stride
        w, h = max((roi[3] + 1) / stride - ax, 0), max((roi[4] + 1) / stride - ay, 0)
        for i, j, u, v in np.ndindex(k, k, 2, 2):
            x = ax + w * (j + (u + 0.5) / 2) / k
            y = ay + h * (i + (v + 0.5) / 2) / k
            if -1 <= x <= columns and -1 <= y <= rows:
                out[n, :, i, j] += interpolate(feature, x, y) / 4
    return out


def pool_derived(
    features: list, rois: np.ndarray, delta: np.ndarray, strides: list[int], gamma: float = 0.1
) -> np.ndarray:
    """F̂ of each RoI, [N, C, k, k], by the network's outputs delta [N, 2, k, k]."""
    k = delta.shape[-1]
    out = np.zeros((len(rois), features[0].shape[1], k, k))
    for n, roi in enumerate(rois):
        level = find_level(roi, len(strides))
        feature, stride = features[level][int(roi[0])], strides[level]
        _, rows, columns = feature.shape
        ax, ay = (rounded(value) / stride - 0.5 for value in roi[1:3])
        w, h = (
            max((rounded(end) + 1) / stride - 0.5 - start, 0.1)
            for start, end in zip((ax, ay), roi[3:5], strict=True)
        )
        for i, j in np.ndindex(k, k):
            values = []
            for u, v in np.ndindex(4, 4):
                x = ax + w * (j / k + u / (4 * k) + gamma * delta[n, 0, i, j])
                y = ay + h * (i / k + v / (4 * k) + gamma * delta[n, 1, i, j])
                if -0.5 <= x <= columns - 0.5 and -0.5 <= y <= rows - 0.5:
                    values.append(interpolate(feature, x, y))
            if values:
                out[n, :, i, j] = np.mean(values, axis=0)
    return out


def rounded(value: float) -> int:
    """To an integer, halves away from zero."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def interpolate(feature: np.ndarray, x: float, y: float) -> np.ndarray:
    """Value [C] of a map [C, H, W] at column x and row y, moved onto the map."""
    _, rows, columns = feature.shape
    x, y = min(max(x, 0), columns - 1), min(max(y, 0), rows - 1)
    left, right, top, bottom = math.floor(x), math.ceil(x), math.floor(y), math.ceil(y)
    fx, fy = x - left, y - top
    return (
        feature[:, top, left] * (1 - fx) * (1 - fy)
        + feature[:, top, right] * fx * (1 - fy)
        + feature[:, bottom, left] * (1 - fx) * fy
        + feature[:, bottom, right] * fx * fy
    )

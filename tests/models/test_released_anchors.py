import pytest
import torch
from mmdet.registry import TASK_UTILS

import tsd.models  # noqa: F401 registers the generator

ANCHORS = {
    4: [(-21, -9, 25, 13), (-14, -14, 18, 18), (-9, -21, 13, 25)],
    8: [(-41, -19, 49, 27), (-28, -28, 36, 36), (-19, -41, 27, 49)],
    16: [(-83, -37, 99, 53), (-56, -56, 72, 72), (-37, -83, 53, 99)],
    32: [(-165, -75, 197, 107), (-112, -112, 144, 144), (-75, -165, 107, 197)],
    64: [(-330, -149, 394, 213), (-224, -224, 288, 288), (-149, -330, 213, 394)],
}
"""Stride → the anchors that the released code generates for a feature map's first cell."""


def generator():
    config = {"type": "ReleasedAnchorGenerator", "scales": [8], "ratios": [0.5, 1.0, 2.0]}
    return TASK_UTILS.build({**config, "strides": list(ANCHORS)})


@pytest.mark.parametrize("level", range(5))
def test_anchors_are_those_of_the_released_code(level):
    found = generator().base_anchors[level]
    assert [tuple(anchor) for anchor in found.tolist()] == list(ANCHORS.values())[level]


def test_anchors_are_repeated_a_stride_apart():
    anchors = generator().grid_priors([(2, 3)] * 5, device="cpu")[1]
    expected = torch.tensor(ANCHORS[8]) + torch.tensor([16, 8, 16, 8])  # column 2, row 1
    torch.testing.assert_close(anchors[-3:], expected.float())

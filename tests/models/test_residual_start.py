import pytest
import torch
from mmdet.models.backbones.resnet import Bottleneck
from mmdet.registry import MODELS

import tsd.models  # noqa: F401

START = {"type": "ResidualStart"}
SMALL = {"base_channels": 8, "stem_channels": 8}


def started(init_cfg=START, **network):
    torch.manual_seed(0)
    model = MODELS.build({**SMALL, **network, "init_cfg": init_cfg})
    torch.manual_seed(1)
    model.init_weights()
    return model


@pytest.mark.parametrize("depth", [18, 50])
def test_a_resnet_starts_as_mmdets_does_to_the_bit(depth):
    expected = started(None, type="ResNet", depth=depth).state_dict()
    found = started(type="ResNet", depth=depth).state_dict()
    assert found.keys() == expected.keys()
    for name, weights in expected.items():
        assert torch.equal(found[name], weights), name


@pytest.mark.parametrize(
    "network",
    [
        {"type": "ResNeXt", "depth": 50, "groups": 4, "base_width": 4},
        {
            "type": "ResNet",
            "depth": 50,
            "dcn": {"type": "DCN", "deform_groups": 1},
            "stage_with_dcn": (False, True, True, True),
        },
    ],
)
def test_each_block_is_the_identity_at_first(network):
    model = started(**network)
    blocks = [part for part in model.modules() if isinstance(part, Bottleneck)]
    assert len(blocks) == 16
    for block in blocks:
        if block.downsample is None:
            x = torch.rand(1, block.conv1.in_channels, 8, 8)
            assert torch.equal(block.eval()(x), x)


def test_offsets_start_at_zero_and_the_weights_beside_them_do_not():
    dcn = {"type": "DCN", "deform_groups": 1}
    model = started(type="ResNet", depth=50, dcn=dcn, stage_with_dcn=(False, False, False, True))
    convolution = model.layer4[0].conv2
    assert not convolution.conv_offset.weight.any()
    assert not convolution.conv_offset.bias.any()
    assert convolution.weight.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.1)


def test_no_weight_of_a_trident_network_is_left_unset():
    network = {"type": "TridentResNet", "num_branch": 3, "test_branch_idx": 1}
    network |= {"trident_dilations": (1, 2, 3), "num_stages": 3, "strides": (1, 2, 2)}
    network |= {"dilations": (1, 1, 1), "out_indices": (2,), "depth": 50}
    torch.use_deterministic_algorithms(True)  # fills unset memory with NaN
    try:
        model = started(**network)
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(weights.isfinite().all() for weights in model.state_dict().values())

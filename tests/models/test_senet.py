import pytest
import torch
from mmcv.ops import DeformConv2d
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from timm.models import senet as timm_senet
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from tsd.models.senet import SENet154

DCN = {"type": "DCN", "deform_groups": 1, "fallback_on_stride": False}
C3_TO_C5 = (False, True, True, True)


@pytest.fixture
def shallow(monkeypatch):
    """SENet154 with two bottlenecks in a stage in place of 3, 8, 36 and 3, of a network as narrow
    as 64 groups allow."""

    def network():
        return timm_senet.SENet(
            timm_senet.SEBottleneck,
            layers=(2, 2, 2, 2),
            groups=64,
            reduction=16,
            inplanes=128,
            input_3x3=True,
            downsample_kernel_size=3,
            downsample_padding=1,
        )

    monkeypatch.setattr(timm_senet, "legacy_senet154", network)


def images(height=96, width=96, count=2):
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(0))


def norms(module):
    return [m for m in module.modules() if isinstance(m, _BatchNorm)]


def test_the_network_is_senet154():
    register_all_modules()
    backbone = MODELS.build({"type": "SENet154", "dcn": DCN, "stage_with_dcn": C3_TO_C5})
    assert [len(getattr(backbone, f"layer{i}")) for i in (1, 2, 3, 4)] == [3, 8, 36, 3]
    offsets = sum(p.numel() for n, p in backbone.named_parameters() if "conv_offset" in n)
    classifier = 1000 * (2048 + 1)
    total = sum(p.numel() for p in backbone.parameters()) - offsets + classifier
    assert total / 1e6 == pytest.approx(115.09, abs=0.01)  # as the SENet repository states it


def test_features_have_strides_4_to_32(shallow):
    backbone = SENet154().eval()
    features = backbone(images(64, 96))
    assert [tuple(f.shape) for f in features] == [
        (2, 64 * stride, 64 // stride, 96 // stride) for stride in (4, 8, 16, 32)
    ]
    chosen = SENet154(out_indices=[1, 3]).eval()
    chosen.load_state_dict(backbone.state_dict())
    for expected, found in zip(features[1::2], chosen(images(64, 96)), strict=True):
        assert torch.equal(expected, found)


@pytest.mark.parametrize("training", [False, True])
def test_with_dcn_it_starts_as_the_ordinary_network_from_its_weights(shallow, training):
    weights = timm_senet.legacy_senet154().state_dict()
    ordinary, deformable = (
        SENet154(dcn=dcn, stage_with_dcn=C3_TO_C5, norm_eval=False) for dcn in (None, DCN)
    )
    for backbone in (ordinary, deformable):
        read = backbone.load_state_dict(weights, strict=False)
        assert set(read.unexpected_keys) == {"last_linear.weight", "last_linear.bias"}
        assert all("conv_offset" in name for name in read.missing_keys)
        backbone.train(training)
    for expected, found in zip(ordinary(images()), deformable(images()), strict=True):
        torch.testing.assert_close(found, expected)


def test_without_a_file_the_replaced_convolutions_keep_their_weights(shallow, monkeypatch):
    network = timm_senet.legacy_senet154()
    before = [block.conv2 for block in network.layer3]
    monkeypatch.setattr(timm_senet, "legacy_senet154", lambda: network)
    backbone = SENet154(dcn=DCN, stage_with_dcn=C3_TO_C5)
    for block, conv in zip(backbone.layer3, before, strict=True):
        assert isinstance(block.conv2, DeformConv2d)
        assert torch.equal(block.conv2.weight, conv.weight)
        assert (block.conv2.groups, block.conv2.stride) == (64, conv.stride)


def test_dcn_is_in_the_stages_asked_for_and_moves_their_features_alone(shallow):
    backbone = SENet154(dcn=DCN, stage_with_dcn=(False, False, True, False)).eval()
    found = {name for name, m in backbone.named_modules() if isinstance(m, DeformConv2d)}
    assert found == {"layer3.0.conv2", "layer3.1.conv2"}
    before = backbone(images())
    nn.init.constant_(backbone.layer3[0].conv2.conv_offset.bias, 0.5)
    after = backbone(images())
    same = [torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert same == [True, True, False, False]


def test_gradients_reach_every_parameter(shallow):
    backbone = SENet154(dcn=DCN, stage_with_dcn=C3_TO_C5, norm_eval=False).train()
    sum(feature.square().mean() for feature in backbone(images())).backward()
    without = [n for n, p in backbone.named_parameters() if p.grad is None or not p.grad.any()]
    assert not without


@pytest.mark.parametrize("frozen_stages", [-1, 0, 2])
@pytest.mark.parametrize("norm_eval", [False, True])
def test_what_is_frozen_stays_so_in_training(shallow, frozen_stages, norm_eval):
    backbone = SENet154(frozen_stages=frozen_stages, norm_eval=norm_eval)
    backbone.eval().train()
    for stage in range(5):
        layer = getattr(backbone, f"layer{stage}")
        frozen = stage <= frozen_stages
        assert {p.requires_grad for p in layer.parameters()} == {not frozen}
        assert {m.training for m in norms(layer)} == {not (frozen or norm_eval)}


def test_sync_bn_replaces_every_norm_and_changes_no_weight(shallow):
    torch.manual_seed(0)
    plain = SENet154(norm_cfg={"type": "BN"}).eval()
    torch.manual_seed(0)
    synchronised = SENet154(norm_cfg={"type": "SyncBN"}, dcn=DCN, stage_with_dcn=C3_TO_C5).eval()
    assert {type(m) for m in norms(plain)} == {nn.BatchNorm2d}
    assert {type(m) for m in norms(synchronised)} == {nn.SyncBatchNorm}
    for expected, found in zip(plain(images()), synchronised(images()), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("kind", ["BN", "SyncBN"])
@pytest.mark.parametrize("trained", [True, False])
def test_scale_and_shift_are_trained_if_asked_for(shallow, kind, trained):
    settings = {"type": kind, "requires_grad": trained}
    backbone = SENet154(norm_cfg=settings, frozen_stages=1, norm_eval=True).train()
    for stage in (2, 3, 4):
        layer = getattr(backbone, f"layer{stage}")
        of_norms = {id(p) for norm in norms(layer) for p in norm.parameters()}
        assert of_norms
        for parameter in layer.parameters():
            assert parameter.requires_grad == (trained or id(parameter) not in of_norms)
    assert not any(p.requires_grad for p in backbone.layer1.parameters())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"norm_cfg": {"type": "GN", "num_groups": 32}},
            r"type BN or SyncBN, .* and no more, not .*GN",
        ),
        ({"norm_cfg": {"type": "BN", "eps": 0.1}}, r"no more, not .*eps"),
        ({"norm_cfg": {"type": "BN", "requires_grad": "no"}}, r"no more, not .*'no'"),
        ({"out_indices": (1, 4)}, r"out_indices are among 0 … 3, not \(1, 4\)"),
        ({"frozen_stages": 5}, r"frozen_stages is among -1 … 4, not 5"),
        ({"stage_with_dcn": (True,)}, r"stage_with_dcn has 4 entries, not \(True,\)"),
        (
            {"dcn": {"type": "DCN", "fallback_on_stride": True}, "stage_with_dcn": C3_TO_C5},
            r"fallback_on_stride cannot be true",
        ),
    ],
)
def test_settings_that_it_does_not_have_are_refused(shallow, settings, message):
    with pytest.raises(ValueError, match=f"SENet154: .*{message}"):
        SENet154(**settings)

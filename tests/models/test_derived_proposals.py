import pytest
import torch
from torch import nn

from tsd.models.derived_proposals import DerivedProposals
from tsd.models.manners import scale_to_proposals

LAYER_1 = ["shared_layer.1.weight", "shared_layer.1.bias"]
CLS = ["cls_layers.0.weight", "cls_layers.0.bias", "cls_layers.2.weight", "cls_layers.2.bias"]
REG = ["reg_layers.0.weight", "reg_layers.0.bias", "reg_layers.2.weight", "reg_layers.2.bias"]
KEYS = {
    ("shared", "shared"): [],
    ("shared", "proposal-wise"): [*LAYER_1, *REG],
    ("shared", "point-wise"): [*LAYER_1, *REG],
    ("proposal-wise", "shared"): [*LAYER_1, *CLS],
    ("proposal-wise", "proposal-wise"): [*LAYER_1, *CLS, *REG],
    ("proposal-wise", "point-wise"): [*LAYER_1, *CLS, *REG],
    ("point-wise", "shared"): [*LAYER_1, *CLS],
    ("point-wise", "proposal-wise"): [*LAYER_1, *CLS, *REG],
    ("point-wise", "point-wise"): [*LAYER_1, *CLS, *REG],
}
"""Names of the weights in trained checkpoints, which have to load for ever."""

OUTPUTS = {"shared": 0, "proposal-wise": 2, "point-wise": 3 * 3 * 2}
"""Width of a manner's last layer at k = 3."""

PAIRS = pytest.mark.parametrize(("cls_manner", "reg_manner"), KEYS)


def build(cls_manner="point-wise", reg_manner="proposal-wise"):
    torch.manual_seed(0)
    derived = DerivedProposals(
        cls_manner, reg_manner, in_channels=4, roi_feat_size=3, hidden_channels=8
    )
    derived.init_weights()
    return derived


@PAIRS
def test_checkpoints_keep_the_names_of_their_weights(cls_manner, reg_manner):
    assert list(build(cls_manner, reg_manner).state_dict()) == KEYS[cls_manner, reg_manner]


@PAIRS
def test_a_seed_gives_the_weights_that_it_always_gave(cls_manner, reg_manner):
    derived = build(cls_manner, reg_manner)
    drawn_next = torch.rand(1)
    torch.manual_seed(0)
    widths = [(4 * 3 * 3, 8)] if (cls_manner, reg_manner) != ("shared", "shared") else []
    for manner in (cls_manner, reg_manner):
        if OUTPUTS[manner]:
            widths += [(8, 8), (8, OUTPUTS[manner])]
    layers = [nn.Linear(*width) for width in widths]
    for layer in layers:
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    for layer in layers[2::2]:
        nn.init.zeros_(layer.weight)
    expected = [values for layer in layers for values in layer.state_dict().values()]
    for found, wanted in zip(derived.state_dict().values(), expected, strict=True):
        assert torch.equal(found, wanted)
    assert torch.equal(torch.rand(1), drawn_next), "as many random numbers were drawn"


def test_the_first_weights_of_seed_0():
    expected = [-0.0687, -0.3309, 0.3130, 0.2150]
    found = build().state_dict()["cls_layers.0.weight"].flatten()[:4]
    assert found.tolist() == pytest.approx(expected, abs=1e-4)


@PAIRS
def test_training_starts_at_the_shared_proposal(cls_manner, reg_manner):
    for offsets in build(cls_manner, reg_manner)(torch.randn(5, 4, 3, 3)):
        assert offsets.shape[0] == 5
        assert not offsets.any()


def test_offsets_are_gamma_times_the_size_of_the_proposal():
    derived = build()
    derived.reg_manner.last_layer.bias.data.fill_(2.0)
    offsets_c, offsets_r = derived(torch.randn(3, 4, 3, 3))
    assert offsets_c.shape == (3, 3, 3, 2)
    assert offsets_r.shape == (3, 1, 1, 2)
    rois = torch.tensor([[0, 10.0, 20, 30, 60]] * 3)
    moved = scale_to_proposals(offsets_r, rois)[:, 0, 0]
    torch.testing.assert_close(moved, torch.tensor([[0.2 * 20, 0.2 * 40]] * 3))


def test_a_random_start_moves_the_proposals_by_half_of_gamma():
    torch.manual_seed(0)
    derived = DerivedProposals(in_channels=64, hidden_channels=256, gamma=0.1, start="kaiming")
    derived.init_weights()
    for layer in (module for module in derived.modules() if isinstance(module, nn.Linear)):
        assert layer.weight.std().item() == pytest.approx(layer.in_features**-0.5, rel=0.15)
        assert not layer.bias.any()
    offsets_c, offsets_r = derived(torch.randn(200, 64, 7, 7))
    assert offsets_c.square().mean().sqrt().item() == pytest.approx(0.05, rel=0.1)
    assert offsets_r.square().mean().sqrt().item() == pytest.approx(0.05, rel=0.3)


def test_an_unknown_start_is_named_with_those_that_there_are():
    with pytest.raises(ValueError, match="start is 'xavier'; expected one of zero, kaiming"):
        DerivedProposals(start="xavier")


@pytest.mark.parametrize("setting", ["cls_manner", "reg_manner"])
@pytest.mark.parametrize("name", ["pointwise", "ResNet", ""])
def test_an_unknown_manner_is_named_with_those_that_there_are(setting, name):
    known = f"{setting} is {name!r}; expected one of shared, proposal-wise, point-wise"
    with pytest.raises(ValueError, match=known):
        DerivedProposals(**{setting: name})

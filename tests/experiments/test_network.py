"""The names of networks, as compiled configs have them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config

from tsd.experiments.network import network_name
from tsd.experiments.settings import open_grid

FPN = {"type": "FPN", "out_channels": 48}


def name(backbone=None, neck=FPN, pipeline=(), **content):
    model = {"type": "FasterRCNN", "neck": neck}
    if backbone is not None:
        model["backbone"] = backbone
    loader = {"dataset": {"pipeline": list(pipeline)}}
    return network_name(Config({"model": model, "test_dataloader": loader, **content}))


@pytest.mark.parametrize(
    ("backbone", "text"),
    [
        ({"type": "ResNet", "depth": 50}, "ResNet-50"),
        ({"type": "ResNet", "depth": 18, "base_channels": 32}, "ResNet-18 (32 base channels)"),
        ({"type": "ResNet", "depth": 50, "base_channels": 64}, "ResNet-50"),
        ({"type": "ResNet", "depth": 101, "dcn": {"type": "DCN"}}, "ResNet-101-DCN"),
        ({"type": "ResNet", "depth": 101, "dcn": None}, "ResNet-101"),
        (
            {"type": "ResNeXt", "depth": 50, "groups": 4, "base_width": 8, "base_channels": 8},
            "ResNeXt-50 (4×8d, 8 base channels)",
        ),
        ({"type": "MobileNetV2", "widen_factor": 0.5}, "MobileNetV2 (0.5 times as wide)"),
        ({"type": "MobileNetV2", "widen_factor": 1.0}, "MobileNetV2"),
        ({"type": "CSPNeXt", "arch": "P5"}, "CSPNeXt-P5"),
        ({"type": "SwinTransformer", "embed_dims": 96}, "SwinTransformer (96 channels)"),
        ({}, "unnamed"),
        (None, "FasterRCNN"),
    ],
)
def test_a_backbone_is_named_with_what_differs_from_the_one_of_that_name(backbone, text):
    assert name(backbone) == f"{text}, FPN-48"


@pytest.mark.parametrize(
    ("neck", "text"),
    [
        (FPN, ", FPN-48"),
        ([FPN, {"type": "DyHead"}], ", FPN-48+DyHead"),
        (None, ""),
    ],
)
def test_necks_are_named_one_after_the_other(neck, text):
    assert name({"type": "ResNet", "depth": 50}, neck) == f"ResNet-50{text}"


@pytest.mark.parametrize(
    ("scale", "text"),
    [
        ((320, 320), "320 px"),
        (160, "160 px"),
        ((1333, 800), "1333 × 800 px"),
        ([1333, 800], "1333 × 800 px"),
    ],
)
def test_the_size_of_the_images_is_that_of_the_test(scale, text):
    pipeline = [{"type": "LoadImageFromFile"}, {"type": "Resize", "scale": scale}]
    assert name({"type": "ResNet", "depth": 50}, None, pipeline) == f"ResNet-50, {text}"
    augmentation = {"scales": [1, 2, 3]}
    found = name({"type": "X"}, None, pipeline, test_time_augmentation=augmentation)
    assert found == "X, 3 image sizes"


PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
KEYS = ["type", "depth", "arch", "dcn", "groups", "base_channels", "embed_dims", "widen_factor"]


@given(st.dictionaries(st.sampled_from(KEYS), PLAIN | st.lists(PLAIN)), PLAIN, PLAIN)
def test_whatever_a_config_has_it_gets_a_name(backbone, scale, channels):
    pipeline = [{"type": "Resize", "scale": scale}]
    assert name(backbone, {"type": "FPN", "out_channels": channels}, pipeline)


@pytest.mark.parametrize(
    ("scale", "run", "text"),
    [
        ("paper", "r50", "ResNet-50, FPN-256, 1333 × 800 px"),
        ("paper", "x101", "ResNeXt-101 (32×4d), FPN-256, 1333 × 800 px"),
        ("mini", "r50", "ResNet-18 (32 base channels), FPN-48, 160 px"),
        ("mini", "r152", "ResNet-101 (8 base channels), FPN-48, 160 px"),
        ("transfer", "r50", "MobileNetV2, FPN-64, 320 px"),
        ("mini", "bells_r101_dcn_tsd", "ResNet-50-DCN (8 base channels), FPN-48, 3 image sizes"),
    ],
)
def test_declared_runs_have_the_name_of_what_they_compile_to(scale, run, text):
    assert network_name(open_grid({"scale": scale}).job(run, 0).config) == text

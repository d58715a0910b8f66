"""What a RoI head cannot honour, and parts that do not fit, are refused when it is built."""

import re

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.utils import register_all_modules
from mmengine.config import ConfigDict

from tests.models.small_head import CHANNELS, STRIDES, head_config, let_proposals_move, scene
from tests.models.test_split_detector import build as build_split
from tests.models.test_split_detector import images, samples
from tsd.models.bbox_head import LAYERS, TSDBBoxHead

MMDETS = dict(
    type="SingleRoIExtractor",
    roi_layer=dict(type="RoIAlign", output_size=3, sampling_ratio=0),
    out_channels=CHANNELS,
    featmap_strides=STRIDES,
)
RESNET_STAGE = dict(type="ResLayer", depth=18, stage=3)
OWN_LAYERS = {
    "num_shared_convs": 2,
    "num_shared_fcs": 1,
    "num_cls_convs": 1,
    "num_cls_fcs": 3,
    "num_reg_convs": 1,
    "num_reg_fcs": 1,
    "conv_out_channels": 64,
    "conv_cfg": dict(type="DCN"),
    "norm_cfg": dict(type="GN", num_groups=2),
    "with_avg_pool": True,
    "with_cls": False,
    "with_reg": False,
}


def build(**changes):
    """The small head, with changes by their dotted names; a dict replaces what was there."""
    config = head_config()
    for name, value in changes.items():
        *path, last = name.split("__")
        part = config
        for key in path:
            part = part[key]
        part[last] = ConfigDict(value) if isinstance(value, dict) else value
    torch.manual_seed(0)
    head = MODELS.build(config)
    head.init_weights()
    return head


def test_every_setting_of_layers_is_tried():
    assert OWN_LAYERS.keys() == LAYERS.keys()


@pytest.mark.parametrize("name", OWN_LAYERS)
def test_layers_that_are_never_called_are_refused(name):
    with pytest.raises(
        ValueError, match=rf"TSDBBoxHead: {name}=.* would not be honoured; leave it out"
    ):
        TSDBBoxHead(**{name: OWN_LAYERS[name]})
    TSDBBoxHead(**{name: LAYERS[name]})


REFUSED = {
    "an extractor of mmdet's": (
        {"bbox_roi_extractor": MMDETS},
        r"bbox_roi_extractor is SingleRoIExtractor, .*_delete_=True, type='DeformableRoIPooling'",
    ),
    "bins that are not the head's": (
        {"bbox_roi_extractor__output_size": 7},
        r"bbox_roi_extractor\.output_size is \(7, 7\), but bbox_head\.roi_feat_size is \(3, 3\)",
    ),
    "channels that are not the head's": (
        {"bbox_roi_extractor__out_channels": 8},
        r"bbox_roi_extractor\.out_channels is 8, but bbox_head\.in_channels is 4",
    ),
    "bins that are not square": (
        {"bbox_head__roi_feat_size": (3, 5)},
        r"bbox_head\.roi_feat_size is \(3, 5\); derived proposals have k × k bins",
    ),
    "a shared head": (
        {"shared_head": RESNET_STAGE},
        r"TSDRoIHead: shared_head=.* would not be honoured; leave it out, or set shared_head=None",
    ),
    "a training of Dynamic R-CNN's": (
        {"train_cfg__dynamic_rcnn": {"iou_topk": 75}},
        r"TSDRoIHead\.train_cfg: dynamic_rcnn=.* would not be honoured; .*DynamicRoIHead",
    ),
    "a sampler of PISA's": (
        {"train_cfg__sampler__type": "ScoreHLRSampler"},
        r"sampler is ScoreHLRSampler, .* such as RandomSampler",
    ),
    "a head that takes one feature": (
        {"bbox_head__type": "Shared2FCBBoxHead"},
        "bbox_head is Shared2FCBBoxHead; expected .*two RoI features, .* such as TSDBBoxHead",
    ),
    "a sibling that takes two": (
        {"sibling_head": {"type": "TSDBBoxHead"}},
        "sibling_head is TSDBBoxHead; expected .*one RoI feature, F, such as Shared2FCBBoxHead",
    ),
    "a sibling that does not regress": (
        {"sibling_head": {"with_reg": False}},
        "sibling_head: with_cls and with_reg have to be true",
    ),
    "a sibling with other classes": (
        {"sibling_head": {"num_classes": 5}},
        r"sibling_head\.num_classes is 5, but bbox_head\.num_classes is 3; leave it out",
    ),
    "centres that are clamped around P": (
        {"bbox_head__bbox_coder__add_ctr_clamp": True},
        r"needs bbox_coder\.add_ctr_clamp=False",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused(case):
    changes, message = REFUSED[case]
    with pytest.raises(ValueError, match=re.compile(message, re.S)):
        build(**changes)


def test_a_box_of_five_numbers_is_refused(monkeypatch):
    monkeypatch.setattr("mmdet.models.task_modules.coders.BaseBBoxCoder.encode_size", 5)
    with pytest.raises(ValueError, match="bbox_coder=DeltaXYWHBBoxCoder describes a box by 5"):
        build()


def losses_and_boxes(head):
    features, results, samples_ = scene()
    torch.manual_seed(0)
    losses = head.loss(features, results, samples_)
    features, results, samples_ = scene()
    with torch.no_grad():
        found = head.eval().predict(features, results, samples_)
    return losses, [one.bboxes for one in found]


def test_boxes_that_know_their_type_change_no_loss_and_no_detection():
    plain, typed = (
        let_proposals_move(build(bbox_head__bbox_coder__use_box_type=given))
        for given in (False, True)
    )
    boxes = torch.tensor([[0.0, 0, 8, 8]])
    decoded = typed.bbox_head.bbox_coder.decode(boxes, torch.zeros(1, 4))
    assert isinstance(decoded, HorizontalBoxes)
    (losses, found), (expected, boxes) = (losses_and_boxes(head) for head in (typed, plain))
    assert losses.keys() == expected.keys()
    assert all(torch.equal(losses[name], expected[name]) for name in expected)
    assert all(map(torch.equal, found, boxes))


def test_a_sampler_that_looks_at_losses_is_served():
    sampler = {"type": "OHEMSampler", "num": 4, "pos_fraction": 0.25}
    losses, found = losses_and_boxes(build(train_cfg__sampler=sampler))
    assert losses["loss_pc_cls"].isfinite()
    assert len(found) == 2


def test_a_split_head_takes_no_shared_head_and_no_masks():
    register_all_modules()
    for setting, value in (
        ("shared_head", RESNET_STAGE),
        ("mask_head", dict(type="FCNMaskHead")),
        ("mask_roi_extractor", MMDETS),
    ):
        with pytest.raises(ValueError, match=f"SplitRoIHead: {setting}=.* would not be honoured"):
            MODELS.build(dict(type="SplitRoIHead", **{setting: value}))


def test_a_split_head_pools_from_the_levels_of_its_extractor_alone():
    extractor = dict(
        type="SingleRoIExtractor",
        roi_layer=dict(type="RoIAlign", output_size=3),
        out_channels=8,
        featmap_strides=[4, 8, 16, 32],
        finest_scale=1,  # so that every RoI would read the fifth level if it could
    )
    detector = build_split(extractor=extractor)
    losses = detector.loss(images(), samples())
    assert losses["loss_bbox"].isfinite()


def test_a_neck_that_leaves_out_stages_is_no_guide_to_where_the_backbone_is_split():
    neck = dict(type="FPN", in_channels=[8, 16, 32, 64], out_channels=8, num_outs=5, start_level=1)
    with pytest.raises(ValueError, match=r"neck\.start_level is 1; expected 0"):
        build_split(neck=neck)

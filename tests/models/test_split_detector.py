import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.config import Config, ConfigDict
from mmengine.structures import InstanceData
from torch import nn

import tsd.models  # noqa: F401 registers the method

CLASSES, SIZE = 3, 64
RESNET = dict(type="ResNet", depth=18, base_channels=8, norm_eval=False, norm_cfg=dict(type="BN"))
BACKBONES = {
    "ResNet-18": (RESNET, [8, 16, 32, 64]),
    "ResNeXt-50": (
        dict(type="ResNeXt", depth=50, base_channels=8, groups=4, base_width=2),
        [32, 64, 128, 256],
    ),
    "MobileNetV2": (
        dict(type="MobileNetV2", widen_factor=0.25, out_indices=(1, 2, 4, 6)),
        [8, 8, 24, 80],
    ),
}


POOLING = dict(type="DeformableRoIPooling", out_channels=8, output_size=3, finest_scale=14)


def build(split_at=16, backbone=RESNET, channels=(8, 16, 32, 64), extractor=POOLING, **changes):
    config = ConfigDict(
        type="SplitFasterRCNN",
        split_at=split_at,
        data_preprocessor=dict(type="DetDataPreprocessor"),
        backbone=dict(backbone),
        neck=dict(type="FPN", in_channels=list(channels), out_channels=8, num_outs=5),
        rpn_head=dict(
            type="RPNHead",
            in_channels=8,
            feat_channels=8,
            anchor_generator=dict(
                type="AnchorGenerator",
                scales=[4],
                ratios=[0.5, 1.0, 2.0],
                strides=[4, 8, 16, 32, 64],
            ),
            bbox_coder=dict(type="DeltaXYWHBBoxCoder"),
            loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=True),
            loss_bbox=dict(type="L1Loss"),
        ),
        roi_head=dict(
            type="SplitRoIHead",
            bbox_roi_extractor=dict(extractor),
            bbox_head=dict(
                type="TSDBBoxHead",
                in_channels=8,
                fc_out_channels=8,
                roi_feat_size=3,
                num_classes=CLASSES,
                bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_stds=[0.1, 0.1, 0.2, 0.2]),
                loss_bbox=dict(type="L1Loss"),
            ),
        ),
        train_cfg=dict(
            rpn=dict(
                assigner=dict(type="MaxIoUAssigner", pos_iou_thr=0.7, neg_iou_thr=0.3),
                sampler=dict(
                    type="RandomSampler", num=16, pos_fraction=0.5, add_gt_as_proposals=False
                ),
                allowed_border=-1,
                pos_weight=-1,
            ),
            rpn_proposal=dict(
                nms_pre=50, max_per_img=20, min_bbox_size=0, nms=dict(type="nms", iou_threshold=0.7)
            ),
            rcnn=dict(
                assigner=dict(
                    type="MaxIoUAssigner", pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5
                ),
                sampler=dict(
                    type="RandomSampler", num=8, pos_fraction=0.5, add_gt_as_proposals=True
                ),
                pos_weight=-1,
            ),
        ),
        test_cfg=dict(
            rpn=dict(
                nms_pre=50, max_per_img=20, min_bbox_size=0, nms=dict(type="nms", iou_threshold=0.7)
            ),
            rcnn=dict(score_thr=0.0, nms=dict(type="nms", iou_threshold=0.5), max_per_img=10),
        ),
    )
    config.update(changes)
    register_all_modules()  # sets mmdet's scope as well
    torch.manual_seed(0)
    model = MODELS.build(config)
    model.init_weights()
    return model


def images():
    return torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def samples(objects=(2, 1)):
    made = []
    for count in objects:
        shape = (SIZE, SIZE)
        sample = DetDataSample(
            metainfo=dict(
                img_shape=shape,
                ori_shape=shape,
                pad_shape=shape,
                batch_input_shape=shape,
                scale_factor=(1.0, 1.0),
            ),
            gt_instances=InstanceData(
                bboxes=torch.tensor([[4.0, 4, 30, 40], [20, 10, 60, 50]])[:count],
                labels=torch.tensor([0, 2])[:count],
            ),
        )
        sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4))
        made.append(sample)
    return made


def losses_of(model, **options):
    torch.manual_seed(0)
    losses = model.train().loss(images(), samples(**options))
    return {k: v if isinstance(v, torch.Tensor) else sum(v) for k, v in losses.items()}


def has_gradient(module):
    """Whether anything reached the parameters; all of them, or none."""
    reached = {p.grad is not None and bool(p.grad.abs().sum()) for p in module.parameters()}
    return any(reached)


@pytest.mark.parametrize(("split_at", "millions"), [(8, 81.1), (16, 74.0), (32, 59.0)])
def test_parameters_are_those_of_table_1(split_at, millions):
    config = Config.fromfile(
        "tsd/configs/split_faster-rcnn_r50_fpn.py", import_custom_modules=False
    ).model
    config.split_at = split_at
    with torch.device("meta"):
        model = MODELS.build(config)
    count = sum(p.numel() for p in model.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.2)


@pytest.mark.parametrize(
    ("split_at", "copied"),
    [(4, ["layer2", "layer3", "layer4"]), (8, ["layer3", "layer4"]), (16, ["layer4"]), (32, [])],
)
def test_what_lies_after_the_split_is_copied_and_what_lies_before_runs_once(split_at, copied):
    model = build(split_at).eval()
    calls = []
    for name, module in model.named_modules():
        if name.count(".") == 1 and name.startswith(("backbone.", "reg_stages.")):
            module.register_forward_hook(lambda *_, name=name: calls.append(name))
    model.extract_feat(images())
    assert list(model.reg_stages) == copied
    layers = [f"backbone.layer{i}" for i in (1, 2, 3, 4)]
    assert [c for c in calls if "layer" in c] == layers + [f"reg_stages.{c}" for c in copied]
    assert calls.count("backbone.conv1") == 1


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("split_at", [8, 32])
def test_each_pyramid_is_the_one_of_a_whole_detector(backbone, split_at):
    config, channels = BACKBONES[backbone]
    model = build(split_at, config, channels).eval()
    pyramids = model.extract_feat(images())
    stages = model.backbone(images())
    for level, expected in zip(pyramids.cls_levels, model.neck(stages), strict=True):
        torch.testing.assert_close(level, expected)
    # The copies start with the backbone's weights, so its own stages stand for them here.
    for level, expected in zip(pyramids.reg_levels, model.reg_neck(stages), strict=True):
        torch.testing.assert_close(level, expected)
    assert not torch.equal(pyramids.cls_levels[0], pyramids.reg_levels[0])


@pytest.mark.parametrize("task", ["cls", "reg"])
@pytest.mark.parametrize("split_at", [8, 16, 32])
def test_the_trunk_learns_from_both_tasks_and_the_copies_from_their_own(task, split_at):
    model = build(split_at)
    losses_of(model)[{"cls": "loss_cls", "reg": "loss_bbox"}[task]].backward()
    shared = {8: ("layer1", "layer2"), 16: ("layer1", "layer2", "layer3")}.get(
        split_at, ("layer1", "layer2", "layer3", "layer4")
    )
    assert has_gradient(model.backbone.conv1)
    for name in shared:
        assert has_gradient(getattr(model.backbone, name)), name
    assert has_gradient(model.neck) == (task == "cls")
    assert has_gradient(model.reg_neck) == (task == "reg")
    for name, stage in model.reg_stages.items():
        assert has_gradient(stage) == (task == "reg")
        assert has_gradient(getattr(model.backbone, name)) == (task == "cls")
    assert has_gradient(model.roi_head.bbox_head.cls_fcs) == (task == "cls")
    assert has_gradient(model.roi_head.bbox_head.reg_fcs) == (task == "reg")


@pytest.mark.parametrize(
    ("setting", "task"),
    [({"rpn_pyramid": "cls"}, "cls"), ({"rpn_pyramid": "reg"}, "reg"), ({}, "reg")],
)
def test_the_rpn_reads_the_pyramid_it_is_told(setting, task):
    model = build(**setting)
    losses = losses_of(model)
    (losses["loss_rpn_cls"] + losses["loss_rpn_bbox"]).backward()
    assert has_gradient(model.neck) == (task == "cls")
    assert has_gradient(model.reg_neck) == (task == "reg")


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("objects", [(2, 1), (0, 2), (0, 0)])
def test_a_step_and_a_prediction(backbone, objects):
    config, channels = BACKBONES[backbone]
    model = build(16, config, channels)
    losses = losses_of(model, objects=objects)
    assert {"loss_rpn_cls", "loss_rpn_bbox", "loss_cls", "loss_bbox"} < set(losses)
    total = sum(loss for name, loss in losses.items() if "loss" in name)
    assert total.isfinite()
    total.backward()
    untouched = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert all(name.startswith("backbone.conv2.") for name in untouched)  # MobileNetV2's unused end
    with torch.inference_mode():
        for sample in model.eval().predict(images(), samples(objects)):
            found = sample.pred_instances
            assert 0 < len(found) <= 10
            assert found.bboxes.isfinite().all()


def test_copies_are_frozen_and_normalise_as_the_originals():
    model = build(4, dict(RESNET, frozen_stages=3)).train()
    assert not any(p.requires_grad for p in model.reg_stages["layer3"].parameters())
    assert all(p.requires_grad for p in model.reg_stages["layer4"].parameters())
    before = {n: b.clone() for n, b in model.reg_stages.named_buffers() if "running_mean" in n}
    model.extract_feat(images())
    moved = {
        n.split(".")[0]
        for n, b in model.reg_stages.named_buffers()
        if not b.equal(before.get(n, b))
    }
    assert moved == {"layer4"}


@pytest.mark.parametrize(("norm_eval", "training"), [(True, False), (False, True)])
def test_norm_eval_holds_for_the_copies(norm_eval, training):
    model = build(8, dict(RESNET, norm_eval=norm_eval))
    norms = [m for m in model.reg_stages.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert {m.training for m in model.train() and norms} == {training}
    assert {m.training for m in model.eval() and norms} == {False}


@pytest.mark.parametrize("backbone", BACKBONES)
def test_pretrained_weights_reach_both_copies(backbone, tmp_path):
    config, channels = BACKBONES[backbone]
    torch.manual_seed(1)
    weights = {
        name: torch.rand_like(value) if value.is_floating_point() else value
        for name, value in MODELS.build(config).state_dict().items()
    }
    torch.save(weights, tmp_path / "backbone.pth")
    pretrained = dict(type="Pretrained", checkpoint=str(tmp_path / "backbone.pth"))
    model = build(8, dict(config, init_cfg=pretrained), channels)
    for name, value in model.backbone.state_dict().items():
        assert value.equal(weights[name]), name
    copies = model.reg_stages.state_dict()
    assert copies
    for name, value in copies.items():
        assert value.equal(weights[name]), name


def test_configuration_mistakes_are_named():
    with pytest.raises(ValueError, match=r"split_at is 12; .* one of 4, 8, 16, 32"):
        build(12)
    with pytest.raises(ValueError, match="rpn_pyramid is 'loc'; expected one of"):
        build(rpn_pyramid="loc")
    with pytest.raises(ValueError, match="backbone HourglassNet cannot be split"):
        build(backbone=dict(type="HourglassNet", num_stacks=1, feat_channel=256))
    whole = build()
    with pytest.raises(TypeError, match=r"needs model\.type=SplitFasterRCNN"):
        whole.roi_head._bbox_forward(
            whole.extract_feat(images()).reg_levels, torch.tensor([[0.0, 1, 1, 9, 9]])
        )


def test_another_roi_head_is_refused():
    config = Config.fromfile(
        "tsd/configs/split_faster-rcnn_r50_fpn.py", import_custom_modules=False
    ).model
    config.roi_head.type = "StandardRoIHead"
    with torch.device("meta"), pytest.raises(ValueError, match="expected SplitRoIHead"):
        MODELS.build(config)

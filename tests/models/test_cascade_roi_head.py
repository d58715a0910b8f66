from itertools import pairwise

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures.bbox import bbox2roi
from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config

from tests.models.small_head import (
    CHANNELS,
    CLASSES,
    SIZE,
    STRIDES,
    build_head,
    let_proposals_move,
    scene,
)
from tsd.models.manners import scale_to_proposals
from tsd.training.build import inference_parameters

LOSSES = {
    "loss_tsd_cls",
    "loss_tsd_bbox",
    "loss_cls",
    "loss_bbox",
    "loss_pc_cls",
    "loss_pc_loc",
}
STAGES = [(0.5, 0.1), (0.6, 0.05), (0.7, 0.033)]
"""IoU threshold and standard deviation of a shift."""


def stage_head(shift_std, agnostic=True):
    return dict(
        type="TSDBBoxHead",
        in_channels=CHANNELS,
        fc_out_channels=8,
        roi_feat_size=3,
        num_classes=CLASSES,
        reg_class_agnostic=agnostic,
        bbox_coder=dict(
            type="DeltaXYWHBBoxCoder",
            target_stds=[shift_std, shift_std, 2 * shift_std, 2 * shift_std],
        ),
        loss_bbox=dict(type="L1Loss"),
    )


def stage_training(iou):
    return dict(
        assigner=dict(type="MaxIoUAssigner", pos_iou_thr=iou, neg_iou_thr=iou, min_pos_iou=iou),
        sampler=dict(type="RandomSampler", num=8, pos_fraction=0.5, add_gt_as_proposals=True),
        pos_weight=-1,
    )


def build_cascade(stages=3, agnostic=True, **changes):
    config = ConfigDict(
        type="TSDCascadeRoIHead",
        num_stages=stages,
        stage_loss_weights=[1.0] * stages,
        bbox_roi_extractor=dict(
            type="DeformableRoIPooling",
            out_channels=CHANNELS,
            featmap_strides=STRIDES,
            output_size=3,
        ),
        bbox_head=[stage_head(std, agnostic) for _, std in STAGES[:stages]],
        derived_proposals=dict(hidden_channels=8),
        sibling_head=dict(),
        progressive_constraint=dict(m_c=0.2, m_r=0.2),
        train_cfg=[stage_training(iou) for iou, _ in STAGES[:stages]],
        test_cfg=dict(score_thr=0.0, nms=dict(type="nms", iou_threshold=0.5), max_per_img=100),
    )
    config.update(changes)
    torch.manual_seed(0)
    head = MODELS.build(config)
    head.init_weights()
    for stage in head.stages:
        let_proposals_move(stage)
    return head


def losses_of(head, **options):
    features, results, samples = scene(**options)
    torch.manual_seed(0)
    return head.loss(features, results, samples), features


def outputs_of_stages(head):
    """What each stage is given and gives, from now on: (rois, outputs) in the order of calls."""
    seen = []

    def spied(forward):
        def call(x, rois):
            seen.append((rois, forward(x, rois)))
            return seen[-1][1]

        return call

    for stage in head.stages:
        stage._bbox_forward = spied(stage._bbox_forward)
    return seen


def boxes_from_derived_proposals(stage, features, rois):
    """A stage's boxes, decoded from P̂_r without the detour over P."""
    pooled = stage.bbox_roi_extractor(features, rois)
    delta_c, delta_r = (
        scale_to_proposals(relative, rois) for relative in stage.derived_proposals(pooled)
    )
    assert delta_r.abs().min() > 0
    _, deltas = stage.bbox_head(
        stage.bbox_roi_extractor(features, rois, delta_c),
        stage.bbox_roi_extractor(features, rois, delta_r),
    )
    derived = rois[:, 1:] + delta_r[:, 0, 0].repeat(1, 2)
    return stage.bbox_head.bbox_coder.decode(derived, deltas, max_shape=(SIZE, SIZE))


@pytest.mark.parametrize("agnostic", [True, False])
def test_losses_of_every_stage_reach_all_of_it(agnostic):
    head = build_cascade(agnostic=agnostic)
    losses, features = losses_of(head)
    terms = {name: value for name, value in losses.items() if "loss" in name}
    assert set(terms) == {f"s{stage}.{name}" for stage in range(3) for name in LOSSES}
    sum(terms.values()).backward()
    assert all(f.grad.isfinite().all() for f in features)
    assert any(f.grad.any() for f in features)
    assert not [name for name, p in head.named_parameters() if p.grad is None]


def test_a_cascade_of_one_stage_is_tsd():
    head, cascade = let_proposals_move(build_head(agnostic=True)), build_cascade(1)
    cascade.stages[0].load_state_dict(head.state_dict())
    expected, _ = losses_of(head)
    losses, _ = losses_of(cascade)
    assert losses.keys() == {f"s0.{name}" for name in expected}
    for name, value in expected.items():
        torch.testing.assert_close(losses[f"s0.{name}"], value)
    features, results, samples = scene()
    found = cascade.eval().predict(features, results, samples)
    for ours, theirs in zip(found, head.eval().predict(features, results, samples), strict=True):
        torch.testing.assert_close(ours.bboxes, theirs.bboxes)
        torch.testing.assert_close(ours.scores, theirs.scores)


def test_training_hands_on_the_boxes_decoded_from_the_derived_proposals():
    head = build_cascade()
    seen = outputs_of_stages(head)
    _, features = losses_of(head, objects=(0, 0))  # all negative: every box is handed on
    for stage, (given, next_given) in enumerate(pairwise(seen)):
        expected = boxes_from_derived_proposals(head.stages[stage], features, given[0])
        # The sampler shuffles; each box that comes is one of those that left.
        distance = torch.cdist(next_given[0][:, 1:], expected).min(dim=1).values
        assert distance.max() < 1e-3
        assert len(next_given[0]) == len(expected)
        assert not torch.isclose(given[0][:, 1:], expected, atol=0.1).all()


def test_inference_refines_by_tsd_and_averages_the_logits():
    head = build_cascade().eval()
    seen = outputs_of_stages(head)
    features, results, samples = scene()
    rois = bbox2roi([r.bboxes for r in results])
    with torch.no_grad():
        found = head.predict_bbox(features, [s.metainfo for s in samples], results, None)
        boxes = rois[:, 1:]
        for stage, (given, _) in zip(head.stages, seen, strict=True):
            torch.testing.assert_close(given[:, 1:], boxes, atol=1e-4, rtol=1e-5)
            boxes = boxes_from_derived_proposals(stage, features, given)
    torch.testing.assert_close(torch.cat([f.bboxes for f in found]), boxes, atol=1e-4, rtol=1e-5)
    logits = torch.stack([outputs["cls_score"] for _, outputs in seen]).mean(0)
    torch.testing.assert_close(torch.cat([f.scores for f in found]), logits.softmax(1))


def test_a_stage_samples_at_its_own_threshold():
    head = build_cascade(train_cfg=[stage_training(iou) for iou in (0.01, 1.0, 1.0)])
    _, results, samples = scene()
    results = [r.clone() for r in results]
    positives = []
    for assigner in head.bbox_assigner:
        for result, sample in zip(results, samples, strict=True):
            result.priors = result.bboxes
            assigned = assigner.assign(result, sample.gt_instances, sample.ignored_instances)
            positives.append(int((assigned.gt_inds > 0).sum()))
    assert positives[0] > 0
    assert positives[2:] == [0, 0, 0, 0]


def test_stage_weights_hold_for_the_constraint_too_and_not_for_accuracy():
    plain, _ = losses_of(build_cascade())
    weighted, _ = losses_of(build_cascade(stage_loss_weights=[1, 0.5, 0.25]))
    for name, value in plain.items():
        weight = {"s0": 1, "s1": 0.5, "s2": 0.25}[name[:2]] if "loss" in name else 1
        torch.testing.assert_close(weighted[name], value * weight)


@pytest.mark.parametrize("proposals", [(6, 6), (0, 0)])
@pytest.mark.parametrize("objects", [(2, 1), (0, 2), (0, 0)])
def test_images_without_objects_or_rois_back_propagate_and_predict(proposals, objects):
    head = build_cascade()
    losses, _ = losses_of(head, proposals=proposals, objects=objects)
    total = sum(value for name, value in losses.items() if "loss" in name)
    assert total.isfinite()
    total.backward()
    assert head.stages[0].derived_proposals.shared_layer[1].weight.grad is not None
    features, results, samples = scene(proposals=proposals, objects=objects)
    found = head.eval().predict(features, results, samples)
    assert [bool(len(image)) for image in found] == [bool(count) for count in proposals]


def test_sibling_heads_are_for_training_only():
    head = build_cascade().eval()
    assert inference_parameters(head) == inference_parameters(
        build_cascade(sibling_head=None, progressive_constraint=None)
    )
    assert inference_parameters(head) < sum(p.numel() for p in head.parameters())

    def fail(*_):
        raise AssertionError("a sibling head was called")

    for stage in head.stages:
        stage.sibling_head.forward = fail
    features, results, samples = scene()
    assert len(head.predict(features, results, samples)) == 2


def test_configuration_mistakes_are_named():
    with pytest.raises(ValueError, match="bbox_head has 2 entries; expected one for each of num_s"):
        build_cascade(bbox_head=[stage_head(0.1)] * 2)
    with pytest.raises(ValueError, match="train_cfg has 1 entries"):
        build_cascade(train_cfg=[stage_training(0.5)])
    with pytest.raises(ValueError, match="set sibling_head=dict"):
        build_cascade(sibling_head=None)
    for weights in ([1.0] * 2, [1.0] * 4):
        with pytest.raises(ValueError, match=f"stage_loss_weights has {len(weights)} entries"):
            build_cascade(stage_loss_weights=weights)
    with pytest.raises(ValueError, match=r"TSDCascadeRoIHead: shared_head=.*leave it out"):
        build_cascade(shared_head=dict(type="ResLayer", depth=18, stage=3))


def test_a_head_for_inference_only_needs_no_training_settings():
    head = build_cascade(train_cfg=None).eval()
    features, results, samples = scene()
    assert len(head.predict(features, results, samples)) == 2


def test_the_stages_of_the_config_are_cascades_and_the_schedule_is_the_baselines():
    base, ours, tsd = (
        Config.fromfile(f"tsd/configs/{name}-rcnn_r50_fpn.py", import_custom_modules=False)
        for name in ("faster", "cascade", "tsd_cascade")
    )
    theirs = get_config("mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py")
    for config in (ours, tsd):
        assert config.model.type == theirs.model.type
        assert config.model.train_cfg.rcnn == theirs.model.train_cfg.rcnn
        assert config.model.test_cfg == theirs.model.test_cfg
        heads = zip(config.model.roi_head.bbox_head, theirs.model.roi_head.bbox_head, strict=True)
        for our_head, their_head in heads:
            assert our_head.bbox_coder == their_head.bbox_coder
            assert our_head.reg_class_agnostic == their_head.reg_class_agnostic
        for key in ("num_stages", "stage_loss_weights"):
            assert config.model.roi_head[key] == theirs.model.roi_head[key]
        assert config.param_scheduler == base.param_scheduler
        assert config.model.rpn_head == base.model.rpn_head


def test_a_difference_in_one_stage_of_the_config_leaves_the_others():
    config = Config.fromfile("tsd/configs/tsd_cascade-rcnn_r50_fpn.py", import_custom_modules=False)
    stages = config.to_dict()["model"]["train_cfg"]["rcnn"]
    stages[0]["sampler"]["num"] = 1
    assert [stage["sampler"]["num"] for stage in stages] == [1, 512, 512]

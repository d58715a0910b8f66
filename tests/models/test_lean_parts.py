"""The lean parts give exactly what mmdet's give, on whatever they are given."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.models.dense_heads import RPNHead
from mmdet.models.roi_heads.bbox_heads import Shared2FCBBoxHead
from mmdet.models.task_modules.assigners import MaxIoUAssigner
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder
from mmdet.models.task_modules.samplers import RandomSampler
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from tsd.models.lean_assigner import LeanMaxIoUAssigner
from tsd.models.lean_box_coder import LeanDeltaXYWHBBoxCoder
from tsd.models.lean_box_losses import LeanShared2FCBBoxHead
from tsd.models.lean_rpn_head import LeanRPNHead
from tsd.models.lean_sampler import LeanRandomSampler

MANY = settings(max_examples=40, deadline=None, derandomize=True)
FEW = settings(max_examples=10, deadline=None, derandomize=True)


def boxes_of(count, generator, extent=64.0):
    """Boxes on whole pixels, so that some are equal and some overlap equally much."""
    corner = torch.randint(0, int(extent * 0.7), (count, 2), generator=generator).float()
    size = torch.randint(1, int(extent * 0.4), (count, 2), generator=generator).float()
    return torch.cat([corner, corner + size], dim=1)


def instances(count, generator, classes=3):
    labels = torch.randint(0, classes, (count,), generator=generator)
    return InstanceData(bboxes=boxes_of(count, generator), labels=labels)


def same(found, expected):
    assert found.dtype == expected.dtype
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


seeds = st.integers(0, 2**31)


@MANY
@given(
    seed=seeds,
    priors=st.integers(0, 40),
    objects=st.integers(0, 6),
    low_quality=st.booleans(),
    thresholds=st.sampled_from([(0.7, 0.3, 0.3), (0.5, 0.5, 0.5), (0.6, (0.1, 0.4), 0.0)]),
)
def test_the_assigner(seed, priors, objects, low_quality, thresholds):
    generator = torch.Generator().manual_seed(seed)
    positive, negative, least = thresholds
    settings_of_both = dict(
        pos_iou_thr=positive,
        neg_iou_thr=negative,
        min_pos_iou=least,
        match_low_quality=low_quality,
    )
    candidates = InstanceData(priors=boxes_of(priors, generator))
    truth = instances(objects, generator)
    expected = MaxIoUAssigner(**settings_of_both).assign(candidates, truth)
    found = LeanMaxIoUAssigner(**settings_of_both).assign(candidates, truth)
    assert found.num_gts == expected.num_gts
    for name in ("gt_inds", "max_overlaps", "labels"):
        same(getattr(found, name), getattr(expected, name))


@MANY
@given(
    seed=seeds,
    priors=st.integers(1, 60),
    objects=st.integers(0, 5),
    num=st.integers(1, 24),
    bound=st.sampled_from([-1, 2]),
    add=st.booleans(),
)
def test_the_sampler_draws_the_same_by_the_same_random_numbers(
    seed, priors, objects, num, bound, add
):
    results = []
    for kind in (RandomSampler, LeanRandomSampler):
        generator = torch.Generator().manual_seed(seed)
        candidates = InstanceData(priors=boxes_of(priors, generator))
        truth = instances(objects, generator)
        assigned = MaxIoUAssigner(0.4, 0.3, 0.0).assign(candidates, truth)
        torch.manual_seed(seed % 1000)
        sampler = kind(num=num, pos_fraction=0.5, neg_pos_ub=bound, add_gt_as_proposals=add)
        sampled = sampler.sample(assigned, candidates, truth)
        results.append((sampled, torch.get_rng_state()))
    (expected, state), (found, state_found) = results
    assert torch.equal(state, state_found)
    assert (found.num_pos, found.num_neg, found.num_gts) == (
        expected.num_pos,
        expected.num_neg,
        expected.num_gts,
    )
    for name in (
        "pos_inds",
        "neg_inds",
        "pos_priors",
        "neg_priors",
        "pos_is_gt",
        "pos_assigned_gt_inds",
        "pos_gt_labels",
        "pos_gt_bboxes",
    ):
        same(getattr(found, name), getattr(expected, name))


@MANY
@given(seed=seeds, count=st.integers(0, 20), clip=st.booleans())
def test_the_box_coder(seed, count, clip):
    generator = torch.Generator().manual_seed(seed)
    first, second = boxes_of(count, generator), boxes_of(count, generator)
    deltas = torch.randn(count, 4, generator=generator) * 3
    shape = (40, 50) if clip else None
    setting = dict(target_means=(0.1, 0.0, 0.2, 0.0), target_stds=(0.1, 0.1, 0.2, 0.2))
    theirs, ours = DeltaXYWHBBoxCoder(**setting), LeanDeltaXYWHBBoxCoder(**setting)
    same(ours.encode(first, second), theirs.encode(first, second))
    gradients = []
    for coder in (theirs, ours):
        moved = deltas.clone().requires_grad_()
        decoded = coder.decode(first, moved, max_shape=shape)
        decoded.square().sum().backward()
        gradients.append((decoded.detach(), moved.grad))
    for found, expected in zip(gradients[1], gradients[0], strict=True):
        same(found, expected)


RPN = dict(
    in_channels=4,
    feat_channels=4,
    anchor_generator=dict(
        type="AnchorGenerator", scales=[2], ratios=[0.5, 1.0, 2.0], strides=[4, 8, 16]
    ),
    loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=True, loss_weight=1.0),
    loss_bbox=dict(type="L1Loss", loss_weight=1.0),
)


def rpn_head(lean, border=-1, loss="L1Loss", **proposals):
    names = (
        ("LeanMaxIoUAssigner", "LeanRandomSampler") if lean else ("MaxIoUAssigner", "RandomSampler")
    )
    assigner, sampler = names
    test = ConfigDict(
        nms_pre=proposals.get("nms_pre", 60),
        max_per_img=proposals.get("max_per_img", 30),
        nms=dict(type="nms", iou_threshold=0.7),
        min_bbox_size=proposals.get("smallest", 0),
    )
    torch.manual_seed(0)
    config = {**RPN, "loss_bbox": dict(type=loss, loss_weight=1.0)}
    return (LeanRPNHead if lean else RPNHead)(
        **config,
        train_cfg=ConfigDict(
            assigner=dict(
                type=assigner,
                pos_iou_thr=0.7,
                neg_iou_thr=0.3,
                min_pos_iou=0.3,
                match_low_quality=True,
                ignore_iof_thr=-1,
            ),
            sampler=dict(
                type=sampler, num=32, pos_fraction=0.5, neg_pos_ub=-1, add_gt_as_proposals=False
            ),
            allowed_border=border,
            pos_weight=-1,
            debug=False,
        ),
        test_cfg=test,
    )


def rpn_step(head, seed, objects, heights):
    """Losses, gradients and proposals of a step on maps of a 64 × 64 batch."""
    generator = torch.Generator().manual_seed(seed)
    images = len(objects)
    features = [torch.randn(images, 4, 64 // s, 64 // s, generator=generator) for s in (4, 8, 16)]
    features = [feature.requires_grad_() for feature in features]
    truths = [instances(count, generator, classes=1) for count in objects]
    metas = [dict(img_shape=(h - 3, 60), pad_shape=(h, 64)) for h in heights]
    torch.manual_seed(seed % 1000)
    for weights in head.parameters():
        weights.grad = None
        torch.nn.init.normal_(weights, std=0.5)
    outs = head(features)
    torch.manual_seed(seed % 1000)
    losses = head.loss_by_feat(*outs, truths, metas)
    state = torch.get_rng_state()
    proposals = head.predict_by_feat(*outs, batch_img_metas=metas, cfg=head.test_cfg)
    totals = {
        name: sum(value) if isinstance(value, list) else value for name, value in losses.items()
    }
    sum(totals.values()).backward()
    gradients = [*(p.grad for p in head.parameters()), *(f.grad for f in features)]
    return totals, gradients, proposals, state


@FEW
@given(
    seed=seeds,
    objects=st.lists(st.integers(0, 5), min_size=1, max_size=3),
    full=st.booleans(),
    border=st.sampled_from([-1, 8]),
    loss=st.sampled_from(["L1Loss", "SmoothL1Loss"]),
    smallest=st.sampled_from([0, 6, -1]),
    together=st.sampled_from([2**24, 1]),
)
def test_the_rpn_head(seed, objects, full, border, loss, smallest, together):
    heights = [64 if full else 64 - 16 * (i % 2) for i in range(len(objects))]
    found_by = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tsd.models.lean_rpn_head.MOST_OVERLAPS", together)
        for lean in (False, True):
            head = rpn_head(lean, border, loss, smallest=smallest)
            assert not lean or head._trains_as_usual
            found_by.append(rpn_step(head, seed, objects, heights))
    expected, found = found_by
    assert torch.equal(expected[3], found[3])
    for name, total in expected[0].items():
        torch.testing.assert_close(found[0][name].reshape(()), total.reshape(()))
    for gradient, other in zip(found[1], expected[1], strict=True):
        torch.testing.assert_close(gradient, other, rtol=1e-5, atol=1e-7)
    for proposals, others in zip(found[2], expected[2], strict=True):
        assert set(proposals.keys()) == set(others.keys())
        same(proposals.labels, others.labels)
        # A CPU computes the sigmoid and the exponential of the last elements of a tensor by other
        # instructions than those before them.
        torch.testing.assert_close(proposals.scores, others.scores, rtol=1e-6, atol=0)
        torch.testing.assert_close(proposals.bboxes, others.bboxes, rtol=1e-6, atol=1e-5)


def test_only_what_lies_before_the_sums_of_a_loss_has_to_be_equal():
    """The gradients that reach the RPN's own outputs are the same to the last bit."""
    seen = []
    for lean in (False, True):
        head = rpn_head(lean)
        generator = torch.Generator().manual_seed(1)
        shapes = [(3, 16), (3, 8), (3, 4)]
        scores = [torch.randn(2, c, s, s, generator=generator).requires_grad_() for c, s in shapes]
        deltas = [
            torch.randn(2, 4 * c, s, s, generator=generator).requires_grad_() for c, s in shapes
        ]
        truths = [instances(3, generator, 1), instances(2, generator, 1)]
        metas = [dict(img_shape=(64, 64), pad_shape=(64, 64))] * 2
        torch.manual_seed(3)
        losses = head.loss_by_feat(scores, deltas, truths, metas)
        total = sum(sum(v) if isinstance(v, list) else v for v in losses.values())
        total.backward()
        seen.append([t.grad for t in (*scores, *deltas)])
    assert any(gradient.abs().sum() > 0 for gradient in seen[0])
    for found, expected in zip(seen[1], seen[0], strict=True):
        same(found, expected)


def test_anchors_of_any_size_are_mmdets():
    head = rpn_head(lean=True)
    for sizes in (
        [(16, 16), (8, 8), (4, 4)],
        [(8, 20), (4, 10), (2, 5)],
        [(20, 3), (10, 2), (5, 1)],
    ):
        with torch.inference_mode():
            found = head._anchors(sizes, torch.device("cpu"))
        expected = head.prior_generator.grid_priors(sizes, device="cpu")
        for ours, theirs in zip(found, expected, strict=True):
            same(ours, theirs)
        assert not head._grids[0].is_inference()


def test_boxes_that_know_their_type_are_boxes_to_the_rpn_too():
    found_by = []
    for typed in (False, True):
        head = rpn_head(lean=True)
        head.bbox_coder.use_box_type = typed
        features = [torch.full((2, 4, 64 // s, 64 // s), 1 / s) for s in (4, 8, 16)]
        generator = torch.Generator().manual_seed(0)
        truths = [instances(count, generator, 1) for count in (2, 0)]
        if typed:
            for truth in truths:
                truth.bboxes = HorizontalBoxes(truth.bboxes)
        metas = [dict(img_shape=(64, 64), pad_shape=(64, 64))] * 2
        torch.manual_seed(0)
        outs = head(features)
        losses = head.loss_by_feat(*outs, truths, metas)
        found_by.append((losses, head.predict_by_feat(*outs, batch_img_metas=metas)))
    (expected, proposals), (losses, typed_proposals) = found_by
    assert all(map(torch.equal, losses.values(), expected.values()))
    for typed_one, plain in zip(typed_proposals, proposals, strict=True):
        assert isinstance(typed_one.bboxes, HorizontalBoxes)
        torch.testing.assert_close(typed_one.bboxes.tensor, plain.bboxes)


def test_an_image_without_usable_anchors_is_told():
    head = rpn_head(lean=True, border=0)
    outs = head([torch.randn(1, 4, 64 // s, 64 // s) for s in (4, 8, 16)])
    metas = [dict(img_shape=(2, 2), pad_shape=(64, 64))]
    with pytest.raises(ValueError, match="too small for the anchors"):
        head.loss_by_feat(*outs, [instances(1, torch.Generator(), 1)], metas)


@FEW
@given(
    seed=seeds,
    objects=st.lists(st.integers(0, 3), min_size=1, max_size=3),
    agnostic=st.booleans(),
    loss=st.sampled_from(["L1Loss", "SmoothL1Loss"]),
)
def test_the_box_head(seed, objects, agnostic, loss):
    found_by = []
    for kind in (Shared2FCBBoxHead, LeanShared2FCBBoxHead):
        generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(0)
        head = kind(
            in_channels=2,
            roi_feat_size=2,
            fc_out_channels=4,
            num_classes=3,
            reg_class_agnostic=agnostic,
            loss_bbox=dict(type=loss),
        )
        sampler = RandomSampler(num=8, pos_fraction=0.5)
        sampled = []
        torch.manual_seed(1)
        for count in objects:
            truth = instances(count, generator)
            near = truth.bboxes.repeat(3, 1) + 1
            candidates = InstanceData(priors=torch.cat([near, boxes_of(6, generator)]))
            assigned = MaxIoUAssigner(0.5, 0.5, 0.5).assign(candidates, truth)
            sampled.append(sampler.sample(assigned, candidates, truth))
        rois = sum(len(result.priors) for result in sampled)
        scores = torch.randn(rois, 4, generator=generator).requires_grad_()
        deltas = torch.randn(rois, 4 if agnostic else 12, generator=generator).requires_grad_()
        result = head.loss_and_target(
            scores, deltas, torch.zeros(rois, 5), sampled, ConfigDict(pos_weight=-1)
        )
        losses = result["loss_bbox"]
        (losses["loss_cls"] + losses["loss_bbox"]).backward()
        found_by.append((losses, scores.grad, deltas.grad, result["bbox_targets"][0]))
    expected, found = found_by
    assert list(found[0]) == list(expected[0])
    for name, value in expected[0].items():
        same(found[0][name], value)
    for ours, theirs in zip(found[1:], expected[1:], strict=True):
        same(ours, theirs)

"""Between the stages of the released cascade the best label refines, be it the background."""

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures.bbox import bbox2roi

from tests.models.small_head import CLASSES, SIZE, scene
from tests.models.test_cascade_roi_head import (
    STAGES,
    build_cascade,
    losses_of,
    outputs_of_stages,
    stage_head,
)
from tsd.models.released_box_coder import clip_as_released

META = {"ori_shape": (SIZE, SIZE), "scale": (SIZE, SIZE)}


def released_stage(shift_std):
    return {**stage_head(shift_std, agnostic=False), "type": "ReleasedCascadeBBoxHead"}


def build_released(**changes):
    head = build_cascade(
        type="ReleasedTSDCascadeRoIHead",
        bbox_head=[released_stage(std) for _, std in STAGES],
        **changes,
    )
    for stage in head.stages:  # so that labels differ and deltas can be seen
        torch.nn.init.normal_(stage.bbox_head.fc_cls.weight, std=2.0)
        torch.nn.init.normal_(stage.bbox_head.fc_reg.weight, std=0.5)
    return head


def refined_slowly(stage, rois, outputs, labels):
    """One box after the other, by the four deltas of its label."""
    boxes = []
    for roi, label, deltas in zip(rois, labels, outputs["bbox_pred"], strict=True):
        chosen = deltas[4 * int(label) : 4 * int(label) + 4]
        coder = stage.bbox_head.bbox_coder
        box = coder.decode(roi[None, 1:], chosen[None], max_shape=(SIZE, SIZE))
        boxes.append(clip_as_released(box, (SIZE, SIZE)))
    return torch.cat(boxes)


def test_at_inference_the_best_label_refines_background_included():
    head = build_released().eval()
    seen = outputs_of_stages(head)
    features, results, samples = scene(proposals=(6, 4))
    metas = [{**s.metainfo, **META} for s in samples]
    rois = bbox2roi([r.bboxes for r in results])
    with torch.no_grad():
        found = head.predict_bbox(features, metas, results, None, rescale=True)
    boxes, used = rois[:, 1:], set()
    for stage, (given, outputs) in zip(head.stages, seen, strict=True):
        torch.testing.assert_close(given[:, 1:], boxes)
        labels = outputs["cls_score"].argmax(dim=1)
        used.update(labels.tolist())
        boxes = refined_slowly(stage, given, outputs, labels)
    assert CLASSES in used
    assert len(used) > 1
    logits = torch.stack([outputs["cls_score"] for _, outputs in seen]).mean(0)
    torch.testing.assert_close(torch.cat([f.scores for f in found]), logits.softmax(1))
    detected = torch.cat([f.bboxes for f in found]).unflatten(1, (-1, 4))
    assert detected.shape == (10, CLASSES, 4)
    rois, outputs = seen[-1]
    for label in range(CLASSES):
        expected = refined_slowly(head.stages[-1], rois, outputs, [label] * 10)
        torch.testing.assert_close(detected[:, label], expected)


def test_in_training_a_negative_is_refined_for_its_best_label():
    head = build_released()
    seen = outputs_of_stages(head)
    losses_of(head, objects=(0, 0))
    (given, outputs), (after, _) = seen[:2]
    labels = outputs["cls_score"].argmax(dim=1)
    assert CLASSES in labels
    expected = refined_slowly(head.stages[0], given, outputs, labels)
    distance = torch.cdist(after[:, 1:], expected).min(dim=1).values
    assert distance.max() < 1e-3
    assert len(after) == len(expected)


def test_in_training_a_positive_is_refined_for_its_class_and_ground_truth_is_left_out():
    head = build_released()
    bbox_head = head.stages[0].bbox_head

    class Sampled:
        pos_is_gt = torch.tensor([1, 0], dtype=torch.uint8)

    rois = torch.tensor([[0, 8.0, 8, 24, 24]] * 3)
    deltas = torch.randn(3, 4 * (CLASSES + 1))
    scores = torch.zeros(3, CLASSES + 1)
    scores[:, CLASSES] = 1
    labels = torch.tensor([0, 1, CLASSES])
    results = {"rois": rois, "cls_score": scores, "bbox_pred": deltas, "bbox_targets": (labels,)}
    (found,) = bbox_head.refine_bboxes([Sampled], results, [{"img_shape": (SIZE, SIZE)}])
    expected = refined_slowly(head.stages[0], rois, results, labels)[1:]
    torch.testing.assert_close(found.bboxes, expected)


def test_the_background_has_no_loss_and_everything_else_trains():
    head = build_released()
    losses, features = losses_of(head)
    sum(value for name, value in losses.items() if "loss" in name).backward()
    assert not [name for name, p in head.named_parameters() if p.grad is None]
    for stage in head.stages:
        assert not stage.bbox_head.fc_reg.weight.grad[4 * CLASSES :].any()
    assert head.stages[0].bbox_head.fc_reg.weight.grad[: 4 * CLASSES].any()
    assert features[0].grad.any()


@pytest.mark.parametrize("proposals", [(0, 6), (0, 0)])
def test_images_without_proposals(proposals):
    head = build_released()
    losses, _ = losses_of(head, proposals=proposals)
    assert all(value.isfinite().all() for value in losses.values())
    features, results, samples = scene(proposals=proposals)
    for sample in samples:
        sample.set_metainfo(META)
    found = head.eval().predict(features, results, samples, rescale=True)
    assert [bool(len(image)) for image in found] == [bool(count) for count in proposals]


def test_a_class_agnostic_head_is_refused():
    with pytest.raises(ValueError, match="needs reg_class_agnostic=False"):
        MODELS.build({**released_stage(0.1), "reg_class_agnostic": True})


def test_settings_that_the_stages_do_not_read_are_refused():
    seesaw = {"type": "SeesawLoss", "num_classes": CLASSES}
    with pytest.raises(ValueError, match=r"reg_predictor_cfg=.* would not be honoured"):
        MODELS.build({**released_stage(0.1), "reg_predictor_cfg": {"type": "NormedLinear"}})
    with pytest.raises(ValueError, match=r"scores are a softmax, .* not SeesawLoss"):
        MODELS.build({**released_stage(0.1), "loss_cls": seesaw})


def test_a_refined_box_off_the_image_keeps_a_pixel_of_it():
    head = build_released().bbox_head[0]
    boxes, deltas = torch.tensor([[80.0, 8, 90, 18]]), torch.zeros(1, 4 * (CLASSES + 1))
    found = head.refine(boxes, torch.tensor([CLASSES]), deltas, {"img_shape": (SIZE, SIZE)})
    assert found.tolist() == [[SIZE - 1, 8, SIZE, 18]]
    head.bbox_coder.clip_border = False
    found = head.refine(boxes, torch.tensor([CLASSES]), deltas, {"img_shape": (SIZE, SIZE)})
    assert found.tolist() == boxes.tolist()

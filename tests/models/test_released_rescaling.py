import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from tests.models.small_head import CLASSES, SIZE, head_config, let_proposals_move, scene
from tests.models.test_mask_head import MASKS, build_mask_head
from tsd.models.released_box_coder import clip_as_released
from tsd.models.released_rescaling import (
    resize_factor,
    to_original_image,
    to_resized_image,
)

S = 4
META = {"ori_shape": (SIZE // S, SIZE // S), "img_shape": (SIZE, SIZE), "scale": (SIZE, SIZE)}
"""Of an image that was resized by 4."""

TEST = ConfigDict(score_thr=0.0, nms=dict(type="nms", iou_threshold=0.5), max_per_img=100)
HEADS = {
    "TSDRoIHead": ("TSDBBoxHead", "ReleasedTSDBBoxHead"),
    "StandardRoIHead": ("Shared2FCBBoxHead", "ReleasedShared2FCBBoxHead"),
}
"""RoI head → its box head, and the one that converts detections as in the released code."""


@pytest.mark.parametrize(
    ("sides", "resized", "factor"),
    [((480, 640), (800, 1067), 800 / 480), ((400, 1000), (533, 1333), 1333 / 1000)],
)
def test_both_sides_have_the_factor_of_the_side_that_limits(sides, resized, factor):
    meta = {"ori_shape": sides, "img_shape": resized, "scale": (1333, 800)}
    assert resize_factor(meta) == pytest.approx(factor, rel=1e-12)


def test_an_image_that_was_resized_otherwise_is_refused():
    meta = {"ori_shape": (480, 640), "img_shape": (800, 1333), "scale": (1333, 800)}
    with pytest.raises(ValueError, match=r"\(800, 1333\) after resizing.*need keep_ratio"):
        resize_factor(meta)
    with pytest.raises(ValueError, match="add 'scale' to the meta_keys of PackDetInputs"):
        resize_factor({"ori_shape": (480, 640), "img_shape": (800, 1067)})


@given(
    corner=st.tuples(*[st.floats(0, 500)] * 2),
    side=st.tuples(*[st.floats(1, 500)] * 2),
    factor=st.floats(0.3, 4),
)
def test_first_and_last_pixel_are_divided_by_the_factor(corner, side, factor):
    x1, y1 = corner
    x2, y2 = x1 + side[0], y1 + side[1]
    box = torch.tensor([x1, y1, x2, y2], dtype=torch.float64)
    found = to_original_image(box, factor)
    assert found[:2].tolist() == pytest.approx([x1 / factor, y1 / factor])
    sides = (found[2:] - found[:2]).tolist()
    assert sides == pytest.approx([(x2 - x1 - 1) / factor + 1, (y2 - y1 - 1) / factor + 1])
    torch.testing.assert_close(to_resized_image(found, factor), box)


def build(kind, box_head):
    """A small RoI head in which no detection suppresses another."""
    config = head_config(
        type=kind, test_cfg=ConfigDict(TEST, nms=dict(type="nms", iou_threshold=1))
    )
    config.bbox_head.type = box_head
    if kind == "StandardRoIHead":
        for name in ("derived_proposals", "sibling_head", "progressive_constraint"):
            del config[name]
    torch.manual_seed(0)
    head = MODELS.build(config)
    head.init_weights()
    return let_proposals_move(head) if kind == "TSDRoIHead" else head


@pytest.mark.parametrize("kind", HEADS)
def test_detections_come_back_by_one_factor(kind):
    features, results, samples = scene()
    for sample in samples:
        sample.set_metainfo({**META, "scale_factor": (S, S)})
    ordinary, released = (build(kind, box_head).eval() for box_head in HEADS[kind])
    with torch.no_grad():
        resized = ordinary.predict(features, [r.clone() for r in results], samples, rescale=False)
        found = released.predict(features, [r.clone() for r in results], samples, rescale=True)
        back = released.predict(features, [r.clone() for r in results], samples, rescale=False)
    for before, after, unscaled in zip(resized, found, back, strict=True):
        assert len(after) == 6 * CLASSES
        torch.testing.assert_close(after.scores, before.scores)
        assert after.labels.tolist() == before.labels.tolist()
        boxes = clip_as_released(before.bboxes, (SIZE, SIZE))
        torch.testing.assert_close(after.bboxes, to_original_image(boxes, S))
        torch.testing.assert_close(unscaled.bboxes, boxes)


def test_boxes_are_compared_in_the_original_image():
    """Boxes of 8 pixels, 3 apart: their IoU is 0.45, and 0.57 once a pixel is left of each end."""
    rois = torch.tensor([[0, 20.0, 20, 28, 28], [0, 23, 20, 31, 28]])
    scores = torch.tensor([[9.0, -9, -9, 0], [8, -9, -9, 0]])
    for box_head, kept in zip(HEADS["StandardRoIHead"], (2, 1), strict=True):
        head = build("StandardRoIHead", box_head).bbox_head
        (found,) = head.predict_by_feat(
            [rois],
            [scores],
            [torch.zeros(2, 4 * CLASSES)],
            [{**META, "scale_factor": (S, S)}],
            ConfigDict(TEST, score_thr=0.1),
            rescale=False,
        )
        assert len(found) == kept
        torch.testing.assert_close(found.bboxes, rois[:kept, 1:])


def test_detections_off_the_image_keep_a_pixel_of_it():
    rois, scores = torch.tensor([[0, 70.0, 20, 78, 28]]), torch.tensor([[9.0, -9, -9, 0]])
    head = build("StandardRoIHead", "ReleasedShared2FCBBoxHead").bbox_head
    (found,) = head.predict_by_feat(
        [rois], [scores], [torch.zeros(1, 4 * CLASSES)], [META], ConfigDict(TEST), rescale=True
    )
    expected = [(SIZE - 1) / S, 20 / S, (SIZE - 1) / S + 1, 27 / S + 1]
    assert found.bboxes[0].tolist() == pytest.approx(expected)
    head.bbox_coder.clip_border = False
    (found,) = head.predict_by_feat(
        [rois], [scores], [torch.zeros(1, 4 * CLASSES)], [META], ConfigDict(TEST), rescale=True
    )
    assert found.bboxes[0].tolist() == pytest.approx([70 / S, 20 / S, 77 / S + 1, 27 / S + 1])


def test_no_proposals_give_no_detections():
    features, results, samples = scene(proposals=(0, 3))
    for sample in samples:
        sample.set_metainfo({**META, "scale_factor": (S, S)})
    head = build("TSDRoIHead", "ReleasedTSDBBoxHead").eval()
    with torch.no_grad():
        found = head.predict(features, results, samples, rescale=True)
    assert [len(one) for one in found] == [0, 3 * CLASSES]


@pytest.mark.parametrize(("kind", "columns"), [("FCNMaskHead", 4), ("ReleasedFCNMaskHead", 5)])
def test_masks_are_pasted_into_the_converted_box(kind, columns):
    """A box from 8 to 24 is from 2 to 6 by mmdet's conversion, and from 2 to 6.75 by this one."""
    head = MODELS.build({"type": kind, "num_classes": CLASSES, "num_convs": 0})
    boxes = torch.tensor([[8.0, 8, 24, 24]])
    found = [InstanceData(bboxes=boxes, labels=torch.tensor([1]), scores=torch.tensor([0.9]))]
    head.predict_by_feat(
        [torch.full((1, CLASSES, 28, 28), 9.0)],
        found,
        [{**META, "scale_factor": (S, S)}],
        ConfigDict(mask_thr_binary=0.5),
        rescale=True,
    )
    mask = found[0].masks[0]
    assert mask.shape == META["ori_shape"]
    assert mask.any(dim=0).nonzero().flatten().tolist() == list(range(2, 2 + columns))
    expected = [2, 2, 6, 6] if columns == 4 else [2, 2, 6.75, 6.75]
    assert found[0].bboxes[0].tolist() == expected


def test_masks_and_boxes_of_a_whole_head():
    features, results, samples = scene()
    for sample in samples:
        sample.set_metainfo({**META, "scale_factor": (S, S)})
    head = build_mask_head(
        bbox_head=dict(head_config().bbox_head, type="ReleasedTSDBBoxHead"),
        mask_head=dict(MASKS["mask_head"], type="ReleasedFCNMaskHead"),
    )
    with torch.no_grad():
        found = head.eval().predict(features, results, samples, rescale=True)
    for one in found:
        assert len(one) == 5
        assert one.masks.shape == (5, SIZE // S, SIZE // S)
        assert one.bboxes.max() <= SIZE / S + 0.76

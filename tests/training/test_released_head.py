"""Converted weights give the numbers that the released code gives with the original ones."""

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from tests.training.reference_released_head import ReleasedHead, as_written, clip, softmax
from tests.training.released_models import build
from tests.training.released_state import SMALL, released_state
from tsd.training import released_layers
from tsd.training.released_checkpoint import convert

STRIDES, SIDE, FACTOR = [4, 8, 16, 32], 512, 1.6
META = {
    "img_shape": (SIDE, SIDE),
    "ori_shape": (320, 320),
    "scale": (SIDE, SIDE),
    "scale_factor": (FACTOR, FACTOR),
}
STAGES = [(0.1, 0.1, 0.2, 0.2), (0.05, 0.05, 0.1, 0.1), (0.033, 0.033, 0.067, 0.067)]


def scene():
    """A pyramid of two images, and RoIs in the released convention that read all of its levels."""
    generator = torch.Generator().manual_seed(5)
    features = [
        torch.randn(2, SMALL["pyramid"], SIDE // s, SIDE // s, generator=generator).double()
        for s in STRIDES
    ]
    side = torch.tensor([12, 30, 60, 100, 130, 240, 300, 470])[:, None].double()
    side = side * (0.8 + 0.4 * torch.rand(8, 2, generator=generator))
    corner = torch.rand(8, 2, generator=generator) * (SIDE - side).clamp(min=0)
    image = torch.arange(8)[:, None].double() // 4
    return features, torch.cat([image, corner, corner + side - 1], dim=1)


def detected(model, features, rois):
    """Scores [N, K + 1] and boxes [N, K, 4] as (x, y, width, height) in the original image."""
    boxes = rois[:, 1:] + torch.tensor([0, 0, 1, 1])
    proposals = [InstanceData(bboxes=boxes[rois[:, 0] == image]) for image in range(2)]
    with torch.no_grad():
        found = model.roi_head.predict_bbox(features, [META] * 2, proposals, None, rescale=True)
    corners = torch.cat([one.bboxes for one in found]).unflatten(1, (-1, 4))
    written = torch.cat([corners[..., :2], corners[..., 2:] - corners[..., :2]], dim=-1)
    return torch.cat([one.scores for one in found]).numpy(), written.numpy()


def distances(state, kind="released_tsd_faster"):
    """How far the converted model's scores and boxes are from those of the released code."""
    model = build(kind, SMALL).double()
    _, converted = convert(state, "file")
    model.load_state_dict(converted)
    features, rois = scene()
    scores, boxes = detected(model, features, rois)
    maps, given = [f.numpy() for f in features], rois.numpy()
    if kind.endswith("cascade"):
        logits = []
        for stage, stds in enumerate(STAGES):
            head = ReleasedHead(state, f"bbox_head.{stage}", STRIDES, stds)
            of_stage, found, _ = head(maps, given)
            logits.append(of_stage)
            if stage < 2:
                best = clip(found, SIDE, SIDE)[np.arange(len(given)), of_stage.argmax(axis=1)]
                given = np.concatenate([given[:, :1], best], axis=1)
        logits = np.mean(logits, axis=0)
    else:
        logits, found, _ = ReleasedHead(state, "bbox_head", STRIDES)(maps, given)
    expected = softmax(logits)
    expected_boxes = as_written(clip(found, SIDE, SIDE), FACTOR)[:, 1:]
    ordered = np.concatenate([expected[:, 1:], expected[:, :1]], axis=1)
    return np.abs(scores - ordered).max(), np.abs(boxes - expected_boxes).max()


def test_scores_and_boxes_are_those_of_the_released_code():
    of_scores, of_boxes = distances(released_state())
    assert of_scores < 1e-6
    assert of_boxes < 1e-4


def test_masks_change_nothing_about_boxes():
    of_scores, of_boxes = distances(released_state(masks=True), "released_tsd_mask")
    assert of_scores < 1e-6
    assert of_boxes < 1e-4


def test_a_cascade_is_that_of_the_released_code_background_included():
    state = released_state(stages=3)
    for stage in range(3):  # so that the background is the best label of some, and not of all
        state[f"bbox_head.{stage}.TSD_fc_cls.weight"] *= 5
    features, rois = scene()
    head = ReleasedHead(state, "bbox_head.0", STRIDES, STAGES[0])
    maps = [f.numpy() for f in features]
    best = set(head(maps, rois.numpy())[0].argmax(axis=1).tolist())
    assert 0 in best
    assert len(best) > 1
    of_scores, of_boxes = distances(state, "released_tsd_cascade")
    assert of_scores < 1e-6
    assert of_boxes < 1e-4


REORDERINGS = ["planes_to_pairs", "background_last", "without_background_box"]


@pytest.mark.parametrize("left_out", REORDERINGS)
def test_every_reordering_is_needed(left_out, monkeypatch):
    """Left out, with the same number of rows, the results are far from the released ones."""
    without = {"without_background_box": lambda rows: rows[:-4]}
    monkeypatch.setattr(released_layers, left_out, without.get(left_out, lambda rows: rows))
    of_scores, of_boxes = distances(released_state())
    assert max(of_scores, of_boxes / 10) > 0.01
    if left_out == "without_background_box":
        assert of_boxes > 1
    else:
        assert of_scores > 0.01


def test_the_background_has_its_box_in_a_cascade(monkeypatch):
    monkeypatch.setattr(released_layers, "background_box_last", lambda rows: rows)
    state = released_state(stages=3)
    assert distances(state, "released_tsd_cascade")[1] > 1


def test_a_mask_of_a_class_is_that_of_the_released_code():
    state = released_state(masks=True)
    model = build("released_tsd_mask", SMALL)
    _, converted = convert(state, "file")
    model.load_state_dict(converted)
    features, rois = scene()
    features, boxes = [f.float() for f in features], rois.float() + torch.tensor([0, 0, 0, 1, 1])
    with torch.no_grad():
        hidden = model.roi_head.mask_roi_extractor(features, boxes)
        for index in range(4):
            name = f"mask_head.convs.{index}.conv"
            hidden = torch.conv2d(
                hidden, state[f"{name}.weight"], state[f"{name}.bias"], padding=1
            ).relu()
        name = "mask_head.upsample"
        hidden = torch.conv_transpose2d(
            hidden, state[f"{name}.weight"], state[f"{name}.bias"], stride=2
        ).relu()
        name = "mask_head.conv_logits"
        expected = torch.conv2d(hidden, state[f"{name}.weight"], state[f"{name}.bias"])
        found = model.roi_head._mask_forward(features, boxes)["mask_preds"]
    assert found.shape == (8, SMALL["classes"], 28, 28)
    torch.testing.assert_close(found, expected[:, 1:])

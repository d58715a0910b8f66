import pytest
import torch
from mmdet.registry import MODELS, TASK_UTILS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes

from tests.training.released_models import config_of
from tests.training.released_state import SMALL
from tsd.models.released_box_coder import clip_as_released

BOXES = torch.tensor([[-9.0, -9, -2, -2], [50, 40, 60, 45], [2, 3, 8, 9]])
CLIPPED = torch.tensor([[0.0, 0, 1, 1], [29, 19, 30, 20], [2, 3, 8, 9]])
"""To 20 × 30 pixels."""


def test_boxes_off_the_image_keep_a_pixel_of_it():
    torch.testing.assert_close(clip_as_released(BOXES, (20, 30)), CLIPPED)


def test_the_coder_clips_so_and_is_the_usual_one_otherwise():
    coder, usual = (
        TASK_UTILS.build({"type": name}) for name in ("ReleasedBoxCoder", "DeltaXYWHBBoxCoder")
    )
    deltas = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)) / 9
    torch.testing.assert_close(coder.decode(BOXES, deltas), usual.decode(BOXES, deltas))
    found = coder.decode(BOXES, deltas * 0, max_shape=(20, 30))
    torch.testing.assert_close(found, CLIPPED)
    torch.testing.assert_close(coder.encode(BOXES, BOXES + 1), usual.encode(BOXES, BOXES + 1))


@pytest.mark.parametrize("clips", [True, False])
def test_the_settings_of_the_usual_coder_hold(clips):
    coder = TASK_UTILS.build(dict(type="ReleasedBoxCoder", clip_border=clips, use_box_type=True))
    found = coder.decode(BOXES, torch.zeros(3, 4), max_shape=(20, 30))
    assert isinstance(found, HorizontalBoxes)
    torch.testing.assert_close(found.tensor, CLIPPED if clips else BOXES)


def test_every_proposal_of_the_rpn_has_a_pixel_of_the_image():
    """Without it, and with boxes of no width kept, some proposals would have no width."""
    config = config_of(sizes=SMALL).model
    config.rpn_head.bbox_coder.target_stds = [9.0, 9.0, 1.0, 1.0]  # far from the anchors
    config.test_cfg.rpn.nms.iou_threshold = 1.0
    torch.manual_seed(0)
    model = MODELS.build(config).eval()
    torch.nn.init.normal_(model.rpn_head.rpn_reg.weight)
    sample = DetDataSample(metainfo={"img_shape": (64, 96)})
    features = [torch.randn(1, SMALL["pyramid"], 64 // s, 96 // s) for s in (4, 8, 16, 32, 64)]
    with torch.no_grad():
        (found,) = model.rpn_head.predict(features, [sample], rescale=False)
    sides = found.bboxes[:, 2:] - found.bboxes[:, :2]
    assert len(found) > 100
    assert sides.min() > 0.99
    assert (sides == 1).any()

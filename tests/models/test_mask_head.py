import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config

from tests.models.small_head import CHANNELS, CLASSES, SIZE, STRIDES, build_head, scene
from tests.models.test_cascade_roi_head import STAGES, build_cascade, stage_training

MASKS = dict(
    mask_roi_extractor=dict(
        type="DeformableRoIPooling",
        out_channels=CHANNELS,
        featmap_strides=STRIDES,
        output_size=4,
    ),
    mask_head=dict(
        type="FCNMaskHead",
        num_convs=1,
        roi_feat_size=4,
        in_channels=CHANNELS,
        conv_out_channels=CHANNELS,
        num_classes=CLASSES,
    ),
)


def build_mask_head(**changes):
    settings = ConfigDict(
        **MASKS,
        train_cfg=dict(
            assigner=dict(type="MaxIoUAssigner", pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5),
            sampler=dict(type="RandomSampler", num=8, pos_fraction=0.5, add_gt_as_proposals=True),
            mask_size=8,
            pos_weight=-1,
        ),
        test_cfg=dict(
            score_thr=0.0,
            nms=dict(type="nms", iou_threshold=0.5),
            max_per_img=5,
            mask_thr_binary=0.5,
        ),
    )
    settings.update(changes)
    return build_head(**settings)


def scene_with_masks(**options):
    """The scene of ``small_head``, each object filling its box."""
    features, results, samples = scene(**options)
    for sample in samples:
        boxes = sample.gt_instances.bboxes.round().int().tolist()
        masks = np.zeros((len(boxes), SIZE, SIZE), dtype=np.uint8)
        for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
            mask[y1:y2, x1:x2] = 1
        sample.gt_instances.masks = BitmapMasks(masks, SIZE, SIZE)
        sample.set_metainfo({"ori_shape": (SIZE, SIZE)})
    return features, results, samples


def losses_of(head, **options):
    features, results, samples = scene_with_masks(**options)
    torch.manual_seed(0)
    return head.loss(features, results, samples), features


@pytest.mark.parametrize("proposals", [(6, 6), (0, 0)])
@pytest.mark.parametrize("objects", [(2, 1), (0, 2), (0, 0)])
def test_a_step_with_and_without_objects(proposals, objects):
    head = build_mask_head()
    losses, _ = losses_of(head, proposals=proposals, objects=objects)
    total = sum(value for name, value in losses.items() if "loss" in name)
    assert "loss_mask" in losses
    assert total.isfinite()
    total.backward()
    assert not [name for name, p in head.named_parameters() if p.grad is None]


def test_the_detection_branch_is_that_of_tsd_without_masks():
    with_masks, without = build_mask_head(), build_head()
    without.load_state_dict(
        {k: v for k, v in with_masks.state_dict().items() if not k.startswith("mask_head.")}
    )
    losses, _ = losses_of(with_masks)
    mask_loss = losses.pop("loss_mask")
    assert mask_loss > 0
    expected, _ = losses_of(without)
    assert losses.keys() == expected.keys()
    for name, value in losses.items():
        torch.testing.assert_close(value, expected[name])


def test_masks_send_gradient_to_the_features_and_to_no_detection_branch():
    head = build_mask_head()
    losses, features = losses_of(head)
    losses["loss_mask"].backward()
    assert any(f.grad.any() for f in features)
    reached = {name.split(".")[0] for name, p in head.named_parameters() if p.grad is not None}
    assert reached == {"mask_head"}


@pytest.mark.parametrize("proposals", [(6, 6), (6, 0), (0, 0)])
def test_detected_boxes_have_masks(proposals):
    head = build_mask_head().eval()
    head.mask_head.conv_logits.bias.data.fill_(100.0)  # a mask that fills its box
    features, results, samples = scene_with_masks(proposals=proposals)
    with torch.inference_mode():
        found = head.predict(features, results, samples, rescale=True)
    for image, count in zip(found, proposals, strict=True):
        assert image.masks.shape == (len(image.bboxes), SIZE, SIZE)
        assert bool(len(image.bboxes)) == bool(count)
        area = (image.bboxes[:, 2] - image.bboxes[:, 0]) * (image.bboxes[:, 3] - image.bboxes[:, 1])
        torch.testing.assert_close(image.masks.sum((1, 2)).float(), area, rtol=0.2, atol=20.0)


def test_the_mask_branch_reads_the_detected_boxes():
    head = build_mask_head().eval()
    seen = []
    head.mask_roi_extractor.register_forward_hook(lambda _, given, out: seen.append(given[1]))
    features, results, samples = scene_with_masks()
    found = head.predict(features, results, samples)
    torch.testing.assert_close(seen[0][:, 1:], torch.cat([image.bboxes for image in found]))


def test_the_masks_of_a_cascade_without_an_extractor_of_their_own_share_that_of_the_boxes():
    test = dict(score_thr=0.0, nms=dict(type="nms", iou_threshold=0.5), max_per_img=5)
    settings = dict(
        mask_head=dict(MASKS["mask_head"], roi_feat_size=3),
        train_cfg=[dict(stage_training(iou), mask_size=6) for iou, _ in STAGES],
        test_cfg=dict(test, mask_thr_binary=0.5),
    )
    shared = build_cascade(**settings)
    own = build_cascade(
        **settings, mask_roi_extractor=dict(MASKS["mask_roi_extractor"], output_size=3)
    )
    own.load_state_dict(shared.state_dict())
    losses, _ = losses_of(shared)
    expected, _ = losses_of(own)
    assert {f"s{stage}.loss_mask" for stage in range(3)} <= losses.keys()
    for name, value in losses.items():
        torch.testing.assert_close(value, expected[name])
    features, results, samples = scene_with_masks()
    with torch.inference_mode():
        found = shared.eval().predict(features, results, samples)
    assert all(len(image.masks) == len(image.bboxes) > 0 for image in found)


@pytest.mark.parametrize("config", ["mask-rcnn_r50_fpn", "tsd_mask-rcnn_r50_fpn"])
def test_the_mask_branch_of_the_configs_is_mmdets(config):
    ours = Config.fromfile(f"tsd/configs/{config}.py", import_custom_modules=False)
    theirs = get_config("mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py")
    assert ours.model.type == theirs.model.type
    assert ours.model.data_preprocessor == theirs.model.data_preprocessor
    assert ours.model.roi_head.mask_head == theirs.model.roi_head.mask_head
    assert ours.model.test_cfg == theirs.model.test_cfg
    assert ours.model.train_cfg.rcnn.mask_size == theirs.model.train_cfg.rcnn.mask_size
    extractor = theirs.model.roi_head.mask_roi_extractor
    assert ours.model.roi_head.mask_roi_extractor.output_size == extractor.roi_layer.output_size
    assert ours.train_dataloader.dataset.pipeline == theirs.train_dataloader.dataset.pipeline

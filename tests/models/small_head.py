"""A TSD RoI head small enough for unit tests, and a scene for it."""

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

import tsd.models  # noqa: F401 registers the method

CLASSES, CHANNELS, SIZE, STRIDES = 3, 4, 64, [4, 8]


def head_config(agnostic=False, coder="DeltaXYWHBBoxCoder", **changes):
    config = ConfigDict(
        type="TSDRoIHead",
        bbox_roi_extractor=dict(
            type="DeformableRoIPooling",
            out_channels=CHANNELS,
            featmap_strides=STRIDES,
            output_size=3,
        ),
        bbox_head=dict(
            type="TSDBBoxHead",
            in_channels=CHANNELS,
            fc_out_channels=8,
            roi_feat_size=3,
            num_classes=CLASSES,
            reg_class_agnostic=agnostic,
            bbox_coder=dict(type=coder, target_stds=[0.1, 0.1, 0.2, 0.2]),
            loss_bbox=dict(type="L1Loss"),
        ),
        derived_proposals=dict(hidden_channels=8),
        sibling_head=dict(),
        progressive_constraint=dict(m_c=0.2, m_r=0.2),
        train_cfg=dict(
            assigner=dict(type="MaxIoUAssigner", pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5),
            sampler=dict(type="RandomSampler", num=8, pos_fraction=0.5, add_gt_as_proposals=True),
            pos_weight=-1,
        ),
        test_cfg=dict(score_thr=0.0, nms=dict(type="nms", iou_threshold=0.5), max_per_img=100),
    )
    config.update(changes)
    return config


def build_head(agnostic=False, **changes):
    """Build the head of :func:`head_config`, whose arguments it takes."""
    torch.manual_seed(0)
    head = MODELS.build(head_config(agnostic, **changes))
    head.init_weights()
    return head


def let_proposals_move(head, seed=1):
    """Give the last layers of the manners, zero at the start, random weights."""
    generator = torch.Generator().manual_seed(seed)
    for manner in (head.derived_proposals.cls_manner, head.derived_proposals.reg_manner):
        if manner.learns:
            weight = manner.last_layer.weight
            with torch.no_grad():
                weight.copy_(torch.randn(weight.shape, generator=generator))
    return head


def scene(proposals=(6, 6), objects=(2, 1)):
    """Features, RPN results and ground truth of two images.

    Args:
        proposals: Number in each image.
        objects: Number in each image.
    """
    generator = torch.Generator().manual_seed(0)
    features = [
        torch.randn(2, CHANNELS, SIZE // s, SIZE // s, generator=generator).requires_grad_()
        for s in STRIDES
    ]
    results, samples = [], []
    for count, objects_here in zip(proposals, objects, strict=True):
        gt_boxes = boxes(generator, objects_here)
        near = gt_boxes.repeat(count, 1)[: count // 2] + 1.0
        results.append(InstanceData(bboxes=torch.cat([near, boxes(generator, count - len(near))])))
        sample = DetDataSample(
            metainfo=dict(img_shape=(SIZE, SIZE), scale_factor=(1.0, 1.0)),
            gt_instances=InstanceData(
                bboxes=gt_boxes,
                labels=torch.randint(0, CLASSES, (objects_here,), generator=generator),
            ),
        )
        sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4))
        samples.append(sample)
    return features, results, samples


def boxes(generator: torch.Generator, count: int) -> Tensor:
    corner = torch.rand(count, 2, generator=generator) * SIZE / 2
    return torch.cat([corner, corner + 8 + torch.rand(count, 2, generator=generator) * 20], dim=1)

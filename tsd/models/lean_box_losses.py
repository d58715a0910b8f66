"""The targets and losses of mmdet's box heads, for all images at once and without waiting.

The letters are those of ``tsd/models/roi_head.py``.

See :mod:`tsd.models.lean_assigner` for what the lean parts are.

mmdet's ``BBoxHead`` asks the GPU which RoIs are positive. But the sampler has told before how many
of them each image has, and in every image they come first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmdet.models.losses import CrossEntropyLoss, L1Loss, SmoothL1Loss, accuracy
from mmdet.models.roi_heads.bbox_heads import BBoxHead, Shared2FCBBoxHead
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.registry import MODELS
from mmdet.structures.bbox import get_box_tensor
from torch import Tensor


@dataclass(frozen=True)
class RoITargets:
    """What a box head is to predict for the sampled RoIs of all images.

    Attributes:
        labels: y, LongTensor[N]; K for the background.
        positive: Places of the positive RoIs among all, LongTensor[N⁺].
        priors: Boxes of the positive RoIs, Tensor[N⁺, 4] (x1, y1, x2, y2).
        gt_boxes: B of the positive RoIs, likewise.
    """

    labels: Tensor
    positive: Tensor
    priors: Tensor
    gt_boxes: Tensor


def roi_targets(sampled: Sequence[SamplingResult], num_classes: int) -> RoITargets:
    """The targets of the RoIs that were sampled, of each image first the positive ones.

    Args:
        sampled: Of each image.
        num_classes: K.
    """
    labels, places, start = [], [], 0
    for result in sampled:
        positive, negative = len(result.pos_inds), len(result.neg_inds)
        labels += [
            result.pos_gt_labels,
            result.pos_gt_labels.new_full((negative,), num_classes),
        ]
        places.append(torch.arange(start, start + positive))
        start += positive + negative
    together = torch.cat(labels)
    return RoITargets(
        labels=together,
        positive=torch.cat(places).to(together.device, non_blocking=True),
        priors=torch.cat([get_box_tensor(result.pos_priors) for result in sampled]),
        gt_boxes=torch.cat([get_box_tensor(result.pos_gt_bboxes) for result in sampled]),
    )


def is_usual(head: BBoxHead, train_cfg: Any) -> bool:
    """Whether a head has the targets and losses of mmdet's ``BBoxHead`` in its usual settings."""
    methods = ("loss", "get_targets", "_get_targets_single")
    return (
        all(getattr(type(head), name) is getattr(BBoxHead, name) for name in methods)
        and head.with_cls
        and head.with_reg
        and type(head.loss_cls) is CrossEntropyLoss
        and not head.loss_cls.use_sigmoid
        and type(head.loss_bbox) in (L1Loss, SmoothL1Loss)
        and not head.custom_activation
        and not head.reg_decoded_bbox
        and train_cfg.pos_weight <= 0
    )


def box_losses(
    head: BBoxHead, cls_score: Tensor, bbox_pred: Tensor, targets: RoITargets
) -> dict[str, Tensor]:
    """The losses that ``BBoxHead.loss`` computes, for a head that :func:`is_usual`.

    Args:
        head: The head.
        cls_score: Logits, Tensor[N, K + 1] with N > 0.
        bbox_pred: Deltas, Tensor[N, 4 · K], or Tensor[N, 4] where regression is class-agnostic.
        targets: Of the N RoIs.

    Returns:
        ``loss_cls``, ``loss_bbox`` and ``acc``, the share of right labels in percent.
    """
    count = len(targets.labels)
    deltas = deltas_of_class(head, bbox_pred, targets)
    if len(deltas):
        wanted = head.bbox_coder.encode(targets.priors, targets.gt_boxes)
        loss_bbox = head.loss_bbox(deltas, wanted, avg_factor=count)
    else:
        loss_bbox = deltas.sum()
    return {
        "loss_cls": head.loss_cls(cls_score, targets.labels, avg_factor=float(count)),
        "acc": accuracy(cls_score, targets.labels),
        "loss_bbox": loss_bbox,
    }


def deltas_of_class(head: BBoxHead, bbox_pred: Tensor, targets: RoITargets) -> Tensor:
    """The deltas of the positive RoIs for their true class, Tensor[N⁺, 4]."""
    rows = targets.positive
    if not head.reg_class_agnostic:
        rows = rows * (bbox_pred.shape[1] // 4) + targets.labels[rows]
    return bbox_pred.reshape(-1, 4).index_select(0, rows)


@MODELS.register_module()
class LeanShared2FCBBoxHead(Shared2FCBBoxHead):
    """Gives what ``Shared2FCBBoxHead`` gives, the box head of Faster R-CNN with FPN."""

    def loss_and_target(
        self,
        cls_score: Tensor,
        bbox_pred: Tensor,
        rois: Tensor,
        sampling_results: list[SamplingResult],
        rcnn_train_cfg: Any,
        concat: bool = True,
        reduction_override: str | None = None,
    ) -> dict[str, Any]:
        """The losses and, for a cascade, the labels as the first of its targets; see the base."""
        usual = is_usual(self, rcnn_train_cfg) and len(rois) and reduction_override is None
        if not usual or not concat:
            losses: dict[str, Any] = super().loss_and_target(
                cls_score,
                bbox_pred,
                rois,
                sampling_results,
                rcnn_train_cfg,
                concat,
                reduction_override,
            )
            return losses
        targets = roi_targets(sampling_results, self.num_classes)
        found = box_losses(self, cls_score, bbox_pred, targets)
        return {"loss_bbox": found, "bbox_targets": (targets.labels,)}

"""Cascade R-CNN with TSD as in the authors' released code, whose background refines boxes too.

Between its stages a cascade replaces each box by the one that the stage regresses for the box's
most probable class. mmdet 3 leaves the background out when it looks for that class. The released
code does not, and has a box for the background as well: its heads give four deltas for each of
K + 1 labels. The four of the background are never trained, and most proposals are background. So
those who run the released weights need the background's deltas.

.. code-block:: none

    P ─▶ scores of K classes and background ─▶ best label ─┐
      └▶ deltas of K classes and background ───────────────┴─▶ refined P

The letters are those of ``tsd/models/roi_head.py``.
"""

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor, nn

from tsd.models.cascade_roi_head import TSDCascadeRoIHead
from tsd.models.head_requirements import require_settings
from tsd.models.released_box_coder import clip_if_asked
from tsd.models.released_rescaling import ReleasedTSDBBoxHead


@MODELS.register_module()
class ReleasedCascadeBBoxHead(ReleasedTSDBBoxHead):
    """A stage's box head, with deltas for the background after those of the classes.

    Losses and detections are those of the classes alone.

    Args:
        kwargs: Those of ``TSDBBoxHead``.

    Raises:
        ValueError: If regression is class-agnostic, so that the background has no box of its own;
            if the layer that regresses is to be another one than a linear layer; if the loss has
            an activation of its own, so that the best label is not that of the highest logit.
    """

    def __init__(self, **kwargs: Any) -> None:
        why = "boxes are regressed by a linear layer, as in the released code"
        require_settings(
            type(self).__name__, kwargs, {"reg_predictor_cfg": {"type": "Linear"}}, why
        )
        super().__init__(**kwargs)
        if self.reg_class_agnostic:
            raise ValueError("ReleasedCascadeBBoxHead needs reg_class_agnostic=False")
        if self.custom_activation:
            raise ValueError(
                "ReleasedCascadeBBoxHead needs a loss_cls whose scores are a softmax, such as "
                f"CrossEntropyLoss, not {type(self.loss_cls).__name__}"
            )
        self.fc_reg: nn.Linear = nn.Linear(self.reg_last_dim, 4 * (self.num_classes + 1))

    def loss(self, cls_score: Tensor, bbox_pred: Tensor, *args: Any, **kwargs: Any) -> dict:
        """Compute the losses from the deltas of the classes; see the base class."""
        losses: dict = super().loss(cls_score, self._of_classes(bbox_pred), *args, **kwargs)
        return losses

    def _predict_by_feat_single(
        self, roi: Tensor, cls_score: Tensor, bbox_pred: Tensor, *args: Any, **kwargs: Any
    ) -> InstanceData:
        """Detections of an image, by the deltas of the classes; see the base class."""
        return super()._predict_by_feat_single(
            roi, cls_score, self._of_classes(bbox_pred), *args, **kwargs
        )

    def _of_classes(self, bbox_pred: Tensor) -> Tensor:
        return bbox_pred[:, : 4 * self.num_classes].contiguous()

    def refine(
        self, boxes: Tensor, labels: Tensor, bbox_pred: Tensor, img_meta: dict[str, Any]
    ) -> Tensor:
        """The boxes of an image for the next stage, Tensor[N, 4].

        Args:
            boxes: P without the batch index, Tensor[N, 4].
            labels: The label of each box, LongTensor[N]; K is the background.
            bbox_pred: Deltas, Tensor[N, 4 · (K + 1)].
            img_meta: ``img_shape`` of the image, in which the boxes stay.
        """
        refined = self.regress_by_class(boxes, labels, bbox_pred, img_meta)
        return clip_if_asked(self.bbox_coder, refined, img_meta["img_shape"])

    def refine_bboxes(
        self,
        sampling_results: list[SamplingResult],
        bbox_results: dict[str, Any],
        batch_img_metas: list[dict[str, Any]],
    ) -> list[InstanceData] | None:
        """The boxes for the next stage in training, without the ground truth among them.

        A box that is matched with an object is refined for its class, any other for its best
        label.

        Returns:
            Of each image a set of ``bboxes``; None if there are no boxes at all.
        """
        rois, labels = bbox_results["rois"], bbox_results["bbox_targets"][0]
        if len(rois) == 0:
            return None
        best = bbox_results["cls_score"].argmax(dim=1)
        labels = torch.where(labels == self.num_classes, best, labels)
        refined = []
        for image, (sampled, meta) in enumerate(
            zip(sampling_results, batch_img_metas, strict=True)
        ):
            here = rois[:, 0] == image
            boxes = self.refine(rois[here, 1:], labels[here], bbox_results["bbox_pred"][here], meta)
            is_truth = torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
            is_truth[: len(sampled.pos_is_gt)] = sampled.pos_is_gt.bool()
            refined.append(InstanceData(bboxes=boxes[~is_truth]))
        return refined


@MODELS.register_module()
class ReleasedTSDCascadeRoIHead(TSDCascadeRoIHead):
    """Cascade R-CNN with TSD whose stages have a ``ReleasedCascadeBBoxHead`` each."""

    def _refine_roi(
        self,
        x: Sequence[Tensor],
        rois: Tensor,
        batch_img_metas: list[dict[str, Any]],
        num_proposals_per_img: Sequence[int],
        **kwargs: Any,
    ) -> tuple[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]]:
        """Run all stages at inference, each on the boxes that the one before it refined.

        Args:
            x: Feature pyramid.
            rois: P of the first stage, Tensor[N, 5].
            batch_img_metas: ``img_shape`` of each image.
            num_proposals_per_img: How many of the RoIs are each image's.
            kwargs: None are used.

        Returns:
            The RoIs of the last stage, the mean of all stages' logits and the deltas of the last
            stage, of each image by itself.
        """
        logits: list[Tensor] = []
        for stage, head in enumerate(self.bbox_head):
            found = self._bbox_forward(stage, x, rois)
            logits.append(found["cls_score"])
            if stage < self.num_stages - 1:
                labels = found["cls_score"].argmax(dim=1)
                parts = (
                    values.split(num_proposals_per_img)
                    for values in (rois[:, 1:], labels, found["bbox_pred"])
                )
                refined = map(head.refine, *parts, batch_img_metas)
                rois = torch.cat([rois[:, :1], torch.cat(list(refined))], dim=1)
        mean = torch.stack(logits).mean(dim=0)
        return tuple(
            values.split(num_proposals_per_img) for values in (rois, mean, found["bbox_pred"])
        )

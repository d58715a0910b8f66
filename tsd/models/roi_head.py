"""Task-aware spatial disentanglement as an mmdet RoI head (Figure 2, Eq. 2 and 9).

A detection head usually scores a class and regresses a box from one feature F of one proposal P.
The paper finds that the two tasks want to look at different places. So TSD derives a proposal of
its own for each task from P, and each task has the feature of its proposal and a trunk to itself.
The usual head, called the sibling head, is trained beside TSD on F, and the progressive constraint
asks TSD to be better than the sibling head by a margin.

.. code-block:: none

                   ┌─▶ sibling head (H_1, H_2), training only ─▶ loss_cls, loss_bbox
                   │                                                │
    P ─ pool ─▶ F ─┤                                                ├─▶ loss_pc_cls, loss_pc_loc
                   │                                                │
                   └─▶ DerivedProposals                   loss_tsd_cls, loss_tsd_bbox
                         │                                          ▲
                         ├─ ΔC ─▶ P̂_c ─ pool ─▶ F̂_c ─┐              │
                         └─ ΔR ─▶ P̂_r ─ pool ─▶ F̂_r ─┴──▶ TSDBBoxHead (H_1^D, H_2^D)

Letters
    N           number of RoIs, of all images of a batch together
    N⁺          number of positive RoIs among them, those that are matched with an object
    K           number of classes; label K is the background
    C           channels of a feature map
    k           bins along each side of a pooled RoI, 7 in the paper
    P           the shared proposals, which the RPN made: Tensor[N, 5] as RoIs
    F           the feature pooled from P, Tensor[N, C, k, k]
    P̂_c, P̂_r    the proposals derived from P for classification and for regression
    ΔC, ΔR      by how much P̂_c and P̂_r differ from P, (x, y) in pixels
    F̂_c, F̂_r    the features pooled from P̂_c and P̂_r, each Tensor[N, C, k, k]
    H_1, H_2    the sibling head's scores and boxes; H_1^D, H_2^D are those of TSD
    y, B        the label and the box of the object that a RoI is matched with

RoIs are (batch index, x1, y1, x2, y2) and boxes (x1, y1, x2, y2), in pixels of the network's input.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.models.task_modules.coders import BaseBBoxCoder, DeltaXYWHBBoxCoder
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.registry import MODELS
from mmdet.structures.bbox import bbox2roi, get_box_tensor
from torch import Tensor

from tsd.models.class_scores import class_scores, require_class_scores
from tsd.models.head_requirements import (
    NO_SHARED_HEAD,
    require_box_head,
    require_extractor,
    require_same_classes,
    require_settings,
    require_usual_training,
)
from tsd.models.lean_box_coder import LeanDeltaXYWHBBoxCoder
from tsd.models.lean_box_losses import (
    RoITargets,
    box_losses,
    deltas_of_class,
    is_usual,
    roi_targets,
)
from tsd.models.progressive_constraint import (
    ProgressiveConstraint,
    classification_constraint,
    localization_constraint,
)

RegressionReference = Literal["derived", "derived-detached", "shared"]


@MODELS.register_module()
class TSDRoIHead(StandardRoIHead):
    """RoI head with derived proposals, optional joint sibling head and progressive constraint.

    The paper regresses boxes from P̂_r, while everything in mmdet that follows a head (losses,
    decoding, NMS) takes box deltas to be against P. So this head converts its deltas before it
    returns them, and mmdet stays as it is. The conversion is exact where P̂_r is P translated by
    ΔR: P̂_r is then as large as P, and a delta (dx, dy) against P̂_r is the delta
    (dx, dy) + ΔR / (w, h) / σ against P, with (w, h) the size of P and σ the standard deviations of
    the box coder. The decoded boxes and the loss are the same numbers as with targets encoded
    against P̂_r, and ΔR receives the gradient that it would receive through such targets.

    Args:
        derived_proposals: Config of ``DerivedProposals``. Channels and k are taken from
            ``bbox_head``.
        sibling_head: Config of the sibling head, which is trained jointly (Section 3.2, Table 2),
            or None for TSD alone. Settings that it leaves out are taken from ``bbox_head``.
        progressive_constraint: Arguments of ``ProgressiveConstraint``, or None for no constraint.
        regression_reference: The box that regression starts from where P̂_r is P translated:
            ``derived`` is P̂_r itself, as in the paper's L_loc(H_2(F_l, P̂_r), B);
            ``derived-detached`` is P̂_r too, but no gradient reaches ΔR through the target;
            ``shared`` is P.
        kwargs: Those of ``StandardRoIHead``. ``bbox_roi_extractor`` has to take offsets and to
            ``prepare`` a pyramid, as ``DeformableRoIPooling`` does. ``shared_head`` is not offered.

    Raises:
        ValueError: If the progressive constraint is set without the sibling head it refers to, or
            its M_cls meets a loss without class scores that could be compared
            (:func:`~tsd.models.class_scores.require_class_scores`); if a translated P̂_r meets a
            box coder other than ``DeltaXYWHBBoxCoder``, or one that clamps centres; if
            ``regression_reference`` is unknown; or if a part does not fit the others
            (:mod:`tsd.models.head_requirements`).
    """

    training_only = ("sibling_head",)
    """Names of the modules that are not used at inference."""

    def __init__(
        self,
        *,
        bbox_head: dict,
        derived_proposals: dict,
        sibling_head: dict | None = None,
        progressive_constraint: dict | None = None,
        regression_reference: RegressionReference = "derived",
        **kwargs,
    ) -> None:
        owner = type(self).__name__
        require_settings(owner, kwargs, {"shared_head": None}, NO_SHARED_HEAD)
        require_usual_training(owner, kwargs.get("train_cfg"))
        super().__init__(bbox_head=bbox_head, **kwargs)
        require_box_head(self.bbox_head, "bbox_head", features=2, example="TSDBBoxHead")
        require_extractor(self.bbox_roi_extractor, self.bbox_head)
        self.derived_proposals = MODELS.build(
            {
                "type": "DerivedProposals",
                "in_channels": self.bbox_head.in_channels,
                "roi_feat_size": self.bbox_head.roi_feat_size[0],
                **derived_proposals,
            }
        )
        if regression_reference not in get_args(RegressionReference):
            raise ValueError(
                f"regression_reference is {regression_reference!r}; "
                f"expected one of {get_args(RegressionReference)}"
            )
        self.regression_reference = regression_reference
        if self.derived_proposals.reg_manner.translates_box:
            _require_deltas_that_shift(self.bbox_head.bbox_coder)
        self.sibling_head: BBoxHead | None = None
        if sibling_head is not None:
            self.sibling_head = MODELS.build(
                {**bbox_head, "type": "Shared2FCBBoxHead", **sibling_head}
            )
            require_box_head(
                self.sibling_head, "sibling_head", features=1, example="Shared2FCBBoxHead"
            )
            require_same_classes(self.sibling_head, self.bbox_head)
        self.progressive_constraint: ProgressiveConstraint | None = None
        if progressive_constraint is not None:
            if self.sibling_head is None:
                raise ValueError(
                    "progressive_constraint compares TSD with the sibling head (Eq. 7 and 8): "
                    "set sibling_head=dict(), or progressive_constraint=None"
                )
            constraint = ProgressiveConstraint(**progressive_constraint)
            if constraint.m_c is not None:
                require_class_scores(self.bbox_head, "bbox_head", constraint.over_negatives)
                require_class_scores(self.sibling_head, "sibling_head", constraint.over_negatives)
            self.progressive_constraint = constraint

    def _bbox_forward(self, x: Sequence[Tensor], rois: Tensor) -> dict[str, Tensor]:
        """Run the TSD branch, in training as well as at inference.

        Args:
            x: Feature pyramid.
            rois: P, Tensor[N, 5].

        Returns:
            ``cls_score`` Tensor[N, K + 1], ``bbox_pred`` Tensor[N, 4 · K] or Tensor[N, 4] against
            P, and ``bbox_feats``, F of P, Tensor[N, C, k, k].
        """
        x = self.bbox_roi_extractor.prepare(x)
        roi_feats = self.bbox_roi_extractor(x, rois)
        derived = self.derived_proposals
        offsets_c, offsets_r = derived(roi_feats)
        cls_score, bbox_pred = self.bbox_head(
            derived.cls_manner.pool(self.bbox_roi_extractor, x, rois, offsets_c, roi_feats),
            derived.reg_manner.pool(self.bbox_roi_extractor, x, rois, offsets_r, roi_feats),
        )
        if derived.reg_manner.translates_box:
            translation = derived.reg_manner.translation(offsets_r)
            bbox_pred = self._express_against_shared(bbox_pred, translation)
        return {"cls_score": cls_score, "bbox_pred": bbox_pred, "bbox_feats": roi_feats}

    def _express_against_shared(self, bbox_pred: Tensor, translation: Tensor) -> Tensor:
        """Convert deltas against P̂_r to deltas against P, as the class explains.

        Args:
            bbox_pred: Deltas against P̂_r, Tensor[N, 4 · K] or Tensor[N, 4].
            translation: ΔR in proportion to the (width, height) of P, Tensor[N, 2].

        Returns:
            Deltas against P, in the shape of ``bbox_pred``.
        """
        if self.regression_reference == "shared":
            return bbox_pred
        if self.regression_reference == "derived-detached":
            translation = translation.detach()
        shift = translation / translation.new_tensor(self.bbox_head.bbox_coder.stds[:2])
        shift = torch.cat([shift, torch.zeros_like(shift)], dim=1)
        return (bbox_pred.unflatten(1, (-1, 4)) + shift[:, None]).flatten(1)

    def bbox_loss(self, x: Sequence[Tensor], sampling_results: list[SamplingResult]) -> dict:
        """Compute the losses of TSD, of the sibling head and of the progressive constraint.

        Args:
            x: Feature pyramid.
            sampling_results: Sampled proposals of each image with their ground truth.

        Returns:
            What :meth:`_bbox_forward` returns; the losses of Eq. 9 under ``loss_bbox``; ``rois``
            and ``bbox_targets``, of which a cascade needs the first, the labels, to refine boxes.
        """
        rois = bbox2roi([result.priors for result in sampling_results])
        tsd = self._bbox_forward(x, rois)
        targets = roi_targets(sampling_results, self.bbox_head.num_classes)
        own = self._head_losses(self.bbox_head, tsd, rois, sampling_results, targets)
        losses = {
            name.replace("loss_", "loss_tsd_").replace("acc", "tsd_acc"): value
            for name, value in own.items()
        }
        if self.sibling_head is not None:
            cls_score, bbox_pred = self.sibling_head(tsd["bbox_feats"])
            sibling = {"cls_score": cls_score, "bbox_pred": bbox_pred}
            losses.update(
                self._head_losses(self.sibling_head, sibling, rois, sampling_results, targets)
            )
            if self.progressive_constraint is not None:
                losses.update(
                    self._constraint_losses(self.progressive_constraint, sibling, tsd, targets)
                )
        return {**tsd, "rois": rois, "bbox_targets": (targets.labels,), "loss_bbox": losses}

    def _head_losses(
        self,
        head: BBoxHead,
        outputs: dict[str, Tensor],
        rois: Tensor,
        sampling_results: list[SamplingResult],
        targets: RoITargets,
    ) -> dict[str, Tensor]:
        """The losses that mmdet computes for one head.

        Where there are no RoIs the losses are zeros that depend on the outputs, so that every
        parameter still receives a gradient; training by several processes waits for each of them.
        """
        cls_score, bbox_pred = outputs["cls_score"], outputs["bbox_pred"]
        if rois.shape[0] == 0:
            return {"loss_cls": cls_score.sum() * 0, "loss_bbox": bbox_pred.sum() * 0}
        if is_usual(head, self.train_cfg):
            return box_losses(head, cls_score, bbox_pred, targets)
        own = head.get_targets(sampling_results, self.train_cfg)
        return head.loss(cls_score, bbox_pred, rois, *own)

    def _constraint_losses(
        self,
        constraint: ProgressiveConstraint,
        sibling: dict[str, Tensor],
        tsd: dict[str, Tensor],
        targets: RoITargets,
    ) -> dict[str, Tensor]:
        """The terms of the progressive constraint that are switched on (Eq. 7 and 8).

        Args:
            constraint: The terms and their margins.
            sibling: ``cls_score`` and ``bbox_pred`` of the sibling head on P.
            tsd: The same of the TSD branch.
            targets: y, which RoIs are positive, and their B.

        Returns:
            ``loss_pc_cls`` (M_cls) and ``loss_pc_loc`` (M_loc), scalars.
        """
        losses = {}
        if constraint.m_c is not None:
            logits, logits_d, labels = sibling["cls_score"], tsd["cls_score"], targets.labels
            if not constraint.over_negatives:
                rows = targets.positive
                logits, logits_d, labels = logits[rows], logits_d[rows], labels[rows]
            losses["loss_pc_cls"] = classification_constraint(
                class_scores(self.sibling_head, logits.float()),
                class_scores(self.bbox_head, logits_d.float()),
                labels,
                constraint.m_c,
                **constraint.choices,
            )
        if constraint.m_r is not None:
            losses["loss_pc_loc"] = localization_constraint(
                _boxes_of_class(self.sibling_head, sibling, targets),
                _boxes_of_class(self.bbox_head, tsd, targets),
                targets.gt_boxes,
                constraint.m_r,
                **constraint.choices,
            )
        return losses


def _boxes_of_class(head: BBoxHead, outputs: dict[str, Tensor], targets: RoITargets) -> Tensor:
    """Decoded boxes of the positive RoIs for their true class, Tensor[N⁺, 4] (x1, y1, x2, y2)."""
    deltas = deltas_of_class(head, outputs["bbox_pred"], targets).float()
    return get_box_tensor(head.bbox_coder.decode(targets.priors, deltas))


def _require_deltas_that_shift(coder: BaseBBoxCoder) -> None:
    """Make sure that a shift of deltas is a translation of boxes, as ``TSDRoIHead`` explains.

    Raises:
        ValueError: If the coder is of another kind than ``DeltaXYWHBBoxCoder``, or clamps how far
            a box's centre may lie from that of P.
    """
    if type(coder) not in (DeltaXYWHBBoxCoder, LeanDeltaXYWHBBoxCoder):
        raise ValueError(
            "a reg_manner that translates the box needs bbox_coder=DeltaXYWHBBoxCoder, not "
            f"{type(coder).__name__}"
        )
    if coder.add_ctr_clamp:
        raise ValueError(
            "a reg_manner that translates the box needs bbox_coder.add_ctr_clamp=False, because "
            "centres would be clamped around P rather than around the derived proposal"
        )

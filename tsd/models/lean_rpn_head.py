"""mmdet's RPN head, which treats all levels and images of a batch together.

See :mod:`tsd.models.lean_assigner` for what the lean parts are.

Letters
    B      number of images in a batch
    L      number of pyramid levels
    n      number of anchors of all levels of an image, in mmdet's order
    M      number of anchors of an image that are looked at as proposals
    N⁺     number of anchors that were sampled as objects, of all images together
    H, W   rows and columns of a feature map

Boxes are (x1, y1, x2, y2) in pixels of the network's input.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from mmcv.ops import nms
from mmdet.models.dense_heads import RPNHead
from mmdet.models.losses import CrossEntropyLoss, L1Loss, SmoothL1Loss
from mmdet.registry import MODELS
from mmdet.structures.bbox import get_box_tensor
from mmengine.structures import InstanceData
from torch import Tensor, nn

from tsd.models.lean_assigner import LeanMaxIoUAssigner, LeanOverlaps, pairwise_iou
from tsd.models.lean_sampler import Drawn, LeanRandomSampler

SPLIT_NMS = 10000
"""From so many boxes on, mmcv's ``batched_nms`` treats each level by itself."""

MOST_OVERLAPS = 2**24
"""So many pairs of objects and anchors are compared at once; each takes a few dozen bytes."""

Size = tuple[int, int]
"""Rows and columns of a feature map."""


@MODELS.register_module()
class LeanRPNHead(RPNHead):
    """Gives what ``RPNHead`` gives: the same proposals, and losses with the same gradients.

    Losses are sums over all levels at once, which are rounded otherwise than mmdet's sums of sums.
    No gradient depends on these sums. Only anchors that were sampled take part in a loss, since
    mmdet gives all others a weight of zero. Anchors are not made anew in every step, but cut out of
    those of the largest map that was seen.

    Settings that are not the usual ones of Faster R-CNN are left to mmdet.

    Args:
        kwargs: Those of ``RPNHead``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._grids: list[Tensor] = []  # of each level, Tensor[rows, columns, anchors of a cell, 4]

    def loss_by_feat(
        self,
        cls_scores: list[Tensor],
        bbox_preds: list[Tensor],
        batch_gt_instances: list[InstanceData],
        batch_img_metas: list[dict[str, Any]],
        batch_gt_instances_ignore: list[InstanceData] | None = None,
    ) -> dict[str, Any]:
        """Compute ``loss_rpn_cls`` and ``loss_rpn_bbox``; see the base class.

        Raises:
            ValueError: If an image has no anchor that may be used.
        """
        if not self._trains_as_usual:
            losses: dict[str, Any] = super().loss_by_feat(
                cls_scores,
                bbox_preds,
                batch_gt_instances,
                batch_img_metas,
                batch_gt_instances_ignore,
            )
            return losses
        sizes = _sizes(cls_scores)
        anchors = torch.cat(self._anchors(sizes, cls_scores[0].device))
        logits = torch.cat(_by_anchor(cls_scores, 1), dim=1).flatten()
        deltas = torch.cat(_by_anchor(bbox_preds, 4), dim=1).flatten(0, 1)
        assigned = self._assigned(anchors, sizes, batch_gt_instances, batch_img_metas)
        drawn = self.sampler.draw(assigned)
        if not all(drawn.candidates):
            raise ValueError(
                "no anchor of an image can be an object or background: it is too small for the "
                "anchors, or train_cfg.rpn.allowed_border leaves none of them"
            )
        pairs = zip(drawn.positive, drawn.negative, strict=True)
        average = sum(max(positive, 1) + max(negative, 1) for positive, negative in pairs)
        sampled = logits.index_select(0, drawn.places)
        is_object = torch.zeros_like(drawn.places)
        is_object[: sum(drawn.positive)] = 1
        found = deltas.index_select(0, drawn.positive_places)
        wanted = self._wanted(anchors, assigned, drawn, batch_gt_instances)
        return {
            "loss_rpn_cls": self.loss_cls(sampled, is_object, avg_factor=average),
            "loss_rpn_bbox": self.loss_bbox(found, wanted, avg_factor=average),
        }

    @property
    def _trains_as_usual(self) -> bool:
        return (
            type(self.assigner) is LeanMaxIoUAssigner
            and type(self.assigner.iou_calculator) is LeanOverlaps
            and self.assigner.ignore_iof_thr <= 0
            and self.assigner.gpu_assign_thr <= 0
            and self.assigner.perm_repeat_gt_cfg is None
            and self.assigner.gt_max_assign_all
            and self.assigner.min_pos_iou >= 0
            and type(self.sampler) is LeanRandomSampler
            and not self.sampler.add_gt_as_proposals
            and type(self.loss_cls) is CrossEntropyLoss
            and self.loss_cls.use_sigmoid
            and type(self.loss_bbox) in (L1Loss, SmoothL1Loss)
            and not self.reg_decoded_bbox
            and self.train_cfg["pos_weight"] <= 0
            and not self.prior_generator.use_box_type
        )

    def _assigned(
        self,
        anchors: Tensor,
        sizes: Sequence[Size],
        truths: Sequence[InstanceData],
        metas: Sequence[dict[str, Any]],
    ) -> Tensor:
        """What each anchor of each image is, as ``match`` says, LongTensor[B, n].

        As many images are matched at once as memory is meant for.
        """
        most = max(len(truth) for truth in truths)
        together = max(1, MOST_OVERLAPS // max(1, most * len(anchors)))
        shut = self._unusable(anchors, sizes, metas)
        parts = []
        for first in range(0, len(truths), together):
            some = slice(first, first + together)
            parts.append(
                self._match_images(anchors, truths[some], None if shut is None else shut[some])
            )
        return torch.cat(parts)

    def _match_images(
        self, anchors: Tensor, truths: Sequence[InstanceData], shut: Tensor | None
    ) -> Tensor:
        """What each anchor of some images is, LongTensor[images, n].

        Images are given as many boxes as the one with the most objects. Those boxes that are too
        many overlap with nothing.
        """
        counts = [len(truth) for truth in truths]
        most = max(counts)
        if not most:
            shape = len(truths), len(anchors)
            assigned = torch.zeros(shape, dtype=torch.long, device=anchors.device)
        else:
            boxes = nn.utils.rnn.pad_sequence([get_box_tensor(t.bboxes) for t in truths], True)
            overlaps = pairwise_iou(boxes, anchors)
            if min(counts) < most:
                missing = torch.arange(most) >= torch.tensor(counts)[:, None]
                missing = missing.to(anchors.device, non_blocking=True)
                overlaps = overlaps.masked_fill(missing[:, :, None], -1)
            if shut is not None:
                overlaps = overlaps.masked_fill(shut[:, None], -1)
            assigned, _ = self.assigner.match(overlaps)
            for of_image, count in zip(assigned, counts, strict=True):
                if not count:
                    of_image.zero_()  # where there is no object, all is background
        return assigned if shut is None else assigned.masked_fill(shut, -1)

    def _unusable(
        self, anchors: Tensor, sizes: Sequence[Size], metas: Sequence[dict[str, Any]]
    ) -> Tensor | None:
        """Which anchors lie in cells off their image or cross its border; None if none do.

        Args:
            anchors: Tensor[n, 4].
            sizes: Of the feature maps, which are those of the largest image.
            metas: Of each image.

        Returns:
            Tensor[B, n] of bool.
        """
        border = self.train_cfg["allowed_border"]
        filled = [self._filled(sizes, meta) for meta in metas]
        if border < 0 and all(cells == list(sizes) for cells in filled):
            return None
        shape = len(metas), len(anchors)
        shut = torch.ones(shape, dtype=torch.bool, device=anchors.device)
        for of_image, cells, meta in zip(shut, filled, metas, strict=True):
            start = 0
            for (rows, columns), (some_rows, some_columns), each in zip(
                sizes, cells, self.prior_generator.num_base_priors, strict=True
            ):
                end = start + rows * columns * each
                of_level = of_image[start:end].view(rows, columns, each)
                of_level[:some_rows, :some_columns] = False
                start = end
            if border >= 0:
                height, width = meta["img_shape"][:2]
                x1, y1, x2, y2 = anchors.unbind(dim=1)
                of_image |= (x1 < -border) | (y1 < -border)
                of_image |= (x2 >= width + border) | (y2 >= height + border)
        return shut

    def _filled(self, sizes: Sequence[Size], meta: dict[str, Any]) -> list[Size]:
        """How many rows and columns of each map an image fills."""
        height, width = meta["pad_shape"][:2]
        return [
            (min(math.ceil(height / down), rows), min(math.ceil(width / across), columns))
            for (rows, columns), (across, down) in zip(
                sizes, self.prior_generator.strides, strict=True
            )
        ]

    def _wanted(
        self, anchors: Tensor, assigned: Tensor, drawn: Drawn, truths: list[InstanceData]
    ) -> Tensor:
        """The deltas from the positive anchors that were drawn to their objects, Tensor[N⁺, 4]."""
        places = drawn.positive_places
        starts, start = [], 0
        for count, truth in zip(drawn.positive, truths, strict=True):
            starts.append(torch.full((count,), start - 1))
            start += len(truth)
        first = torch.cat(starts).to(places.device, non_blocking=True)
        boxes = torch.cat([get_box_tensor(truth.bboxes) for truth in truths])
        rows = assigned.flatten().index_select(0, places) + first
        wanted: Tensor = self.bbox_coder.encode(
            anchors.index_select(0, places % len(anchors)), boxes.index_select(0, rows)
        )
        return wanted

    def predict_by_feat(
        self,
        cls_scores: list[Tensor],
        bbox_preds: list[Tensor],
        score_factors: list[Tensor] | None = None,
        batch_img_metas: list[dict[str, Any]] | None = None,
        cfg: Any = None,
        rescale: bool = False,
        with_nms: bool = True,
    ) -> list[InstanceData]:
        """The proposals of each image, its best ones first; see the base class."""
        cfg = self.test_cfg if cfg is None else cfg
        metas = batch_img_metas or []
        if not self._proposes_as_usual(cfg) or rescale or not with_nms or not metas:
            found: list[InstanceData] = super().predict_by_feat(
                cls_scores, bbox_preds, score_factors, metas, cfg, rescale, with_nms
            )
            return found
        with torch.no_grad():
            scores, deltas, anchors, levels = self._best_of_levels(cls_scores, bbox_preds, cfg)
            boxes = self._decoded(anchors, deltas, metas)
            large = self._large_enough(boxes, cfg)
            proposals = []
            for image, (rows, meta) in enumerate(zip(large, metas, strict=True)):
                some = InstanceData(bboxes=boxes[image], scores=scores[image], level_ids=levels)
                some = some if rows is None else some[rows]
                if 0 < len(some) < SPLIT_NMS:
                    proposals.append(_without_duplicates(some, cfg))
                else:
                    proposals.append(self._bbox_post_process(some, cfg, img_meta=meta))
            return proposals

    def _proposes_as_usual(self, cfg: Any) -> bool:
        return (
            self.use_sigmoid_cls
            and not self.prior_generator.use_box_type
            and not self.bbox_coder.use_box_type
            and set(cfg.nms) == {"type", "iou_threshold"}
            and cfg.nms["type"] == "nms"
        )

    def _best_of_levels(
        self, cls_scores: list[Tensor], bbox_preds: list[Tensor], cfg: Any
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The best anchors of each level.

        Returns:
            Scores Tensor[B, M], deltas Tensor[B, M, 4], anchors Tensor[B, M, 4] and the level of
            each, LongTensor[M].
        """
        most = cfg.get("nms_pre", -1)
        anchors = self._anchors(_sizes(cls_scores), cls_scores[0].device)
        logits, deltas = _by_anchor(cls_scores, 1), _by_anchor(bbox_preds, 4)
        best: tuple[list[Tensor], list[Tensor], list[Tensor]] = ([], [], [])
        for logit, delta, anchor in zip(logits, deltas, anchors, strict=True):
            score, rows = logit.detach().float().squeeze(2).sigmoid(), None
            if 0 < most < score.shape[1]:
                score, rows = score.sort(dim=1, descending=True)
                score, rows = score[:, :most], rows[:, :most]
                delta = delta.gather(1, rows[:, :, None].expand(-1, -1, 4))
                anchor = anchor[rows]
            best[0].append(score)
            best[1].append(delta.detach().float())
            best[2].append(anchor.expand(len(score), -1, 4))
        counts = torch.tensor([score.shape[1] for score in best[0]])
        levels = torch.repeat_interleave(torch.arange(len(counts)), counts)
        levels = levels.to(cls_scores[0].device, non_blocking=True)
        scores, moved, placed = (torch.cat(parts, dim=1) for parts in best)
        return scores, moved, placed, levels

    def _decoded(self, anchors: Tensor, deltas: Tensor, metas: list[dict[str, Any]]) -> Tensor:
        """Boxes within their images, Tensor[B, M, 4]."""
        shapes = [tuple(meta["img_shape"][:2]) for meta in metas]
        decode = self.bbox_coder.decode
        if len(set(shapes)) == 1:
            boxes = decode(anchors.flatten(0, 1), deltas.flatten(0, 1), max_shape=shapes[0])
            return boxes.view_as(deltas)
        return torch.stack(
            [decode(a, d, max_shape=s) for a, d, s in zip(anchors, deltas, shapes, strict=True)]
        )

    def _large_enough(self, boxes: Tensor, cfg: Any) -> list[Tensor | None]:
        """Of each image the places of the boxes that are large enough; None if all are.

        Args:
            boxes: Tensor[B, M, 4].
            cfg: How proposals are made.
        """
        smallest = cfg.get("min_bbox_size", -1)
        if smallest < 0 or not boxes.shape[1]:
            return [None] * len(boxes)
        counted = (boxes[..., 2:] - boxes[..., :2] > smallest).all(dim=2).cumsum(dim=1)
        counts = counted[:, -1].tolist()
        return [
            None
            if count == boxes.shape[1]
            else torch.searchsorted(of_image, torch.arange(1, count + 1, device=boxes.device))
            for of_image, count in zip(counted, counts, strict=True)
        ]

    def _anchors(self, sizes: Sequence[Size], device: torch.device) -> list[Tensor]:
        """The anchors of each level, Tensor[rows · columns · anchors of a cell, 4].

        They are those of mmdet's generator. Those of a small map are a part of those of a larger
        one, so that only the largest maps' need be kept.
        """
        known = [tuple(grid.shape[:2]) for grid in self._grids] or [(0, 0)] * len(sizes)
        grown = [
            (max(rows, known_rows), max(columns, known_columns))
            for (rows, columns), (known_rows, known_columns) in zip(sizes, known, strict=True)
        ]
        if not self._grids or grown != known or self._grids[0].device != device:
            with torch.inference_mode(False):  # training may follow inference
                made = self.prior_generator.grid_priors(grown, device=device)
                self._grids = [
                    anchors.view(*size, -1, 4) for anchors, size in zip(made, grown, strict=True)
                ]
        return [
            grid[:rows, :columns].reshape(-1, 4)
            for grid, (rows, columns) in zip(self._grids, sizes, strict=True)
        ]


def _without_duplicates(found: InstanceData, cfg: Any) -> InstanceData:
    """The proposals that remain of an image's boxes, as mmcv's ``batched_nms`` finds them.

    Boxes of different levels do not compete. They are moved so far apart that none of them overlap.

    Args:
        found: ``bboxes``, ``scores`` and ``level_ids``.
        cfg: How proposals are made.
    """
    apart = found.level_ids.to(found.bboxes.dtype) * (found.bboxes.max() + 1)
    moved = found.bboxes + apart[:, None]
    _, kept = nms(moved, found.scores, iou_threshold=cfg.nms["iou_threshold"])
    kept = kept[: cfg.max_per_img]
    return InstanceData(
        bboxes=found.bboxes[kept], scores=found.scores[kept], labels=torch.zeros_like(kept)
    )


def _sizes(maps: Sequence[Tensor]) -> list[Size]:
    """Rows and columns of each map."""
    return [(m.shape[-2], m.shape[-1]) for m in maps]


def _by_anchor(maps: Sequence[Tensor], width: int) -> list[Tensor]:
    """What maps Tensor[B, anchors of a cell · width, H, W] say of each anchor.

    Returns:
        Of each level Tensor[B, H · W · anchors of a cell, width].
    """
    return [m.permute(0, 2, 3, 1).reshape(len(m), -1, width) for m in maps]

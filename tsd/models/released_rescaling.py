"""How the authors' released code brings detections back to the original image.

mmdet 3 divides a box by the factors by which the image's width and height grew, and these differ a
little, since sizes are whole numbers of pixels. The released code has one factor s for both sides,
and divides the coordinates of the first and of the last pixel of a box by it. A box of width w in
the resized image then is (w - 1) / s + 1 wide in the original one, which is up to half a pixel more
than w / s. Its network was trained with boxes that were made narrower likewise.

The classes here are mmdet's heads with that conversion, which also comes before the NMS. They need
to know what an image was resized to: ``scale`` has to be among the ``meta_keys`` of the test
pipeline's ``PackDetInputs``.

Boxes are (x1, y1, x2, y2) in pixels and end where their last pixel ends. The letters are those of
``tsd/models/roi_head.py``.
"""

from typing import Any

import torch
from mmdet.models.layers import multiclass_nms
from mmdet.models.roi_heads.bbox_heads import Shared2FCBBoxHead
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmdet.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor

from tsd.models.bbox_head import TSDBBoxHead
from tsd.models.released_box_coder import clip_if_asked


def resize_factor(img_meta: dict[str, Any]) -> float:
    """The one factor s by which an image was resized, before its size was rounded.

    Args:
        img_meta: ``scale``, the longest and the shortest side that were allowed, ``ori_shape`` and
            ``img_shape``, each (height, width).

    Raises:
        ValueError: If ``scale`` is not given, or the sides were resized by factors of their own.
    """
    if "scale" not in img_meta:
        raise ValueError(
            "the heads of the released code need to know what images are resized to: add 'scale' "
            "to the meta_keys of PackDetInputs in the test pipeline"
        )
    sides = img_meta["ori_shape"][:2]
    factor = min(
        max(img_meta["scale"]) / max(sides),
        min(img_meta["scale"]) / min(sides),
    )
    resized = tuple(int(side * factor + 0.5) for side in sides)
    if resized != tuple(img_meta["img_shape"][:2]):
        raise ValueError(
            f"an image of {sides} is {img_meta['img_shape'][:2]} after resizing to "
            f"{img_meta['scale']}, not {resized}: the heads of the released code need keep_ratio"
        )
    return factor


def to_original_image(boxes: Tensor, factor: float) -> Tensor:
    """Bring boxes from the resized image to the original one.

    Args:
        boxes: Boxes in a last axis of 4.
        factor: s.
    """
    return torch.cat([boxes[..., :2] / factor, (boxes[..., 2:] - 1) / factor + 1], dim=-1)


def to_resized_image(boxes: Tensor, factor: float) -> Tensor:
    """The inverse of :func:`to_original_image`."""
    return torch.cat([boxes[..., :2] * factor, (boxes[..., 2:] - 1) * factor + 1], dim=-1)


class _RescalesAsReleased:
    """What the box heads below have in common; the other base class is an mmdet ``BBoxHead``."""

    def _predict_by_feat_single(
        self,
        roi: Tensor,
        cls_score: Tensor,
        bbox_pred: Tensor,
        img_meta: dict[str, Any],
        rescale: bool = False,
        rcnn_test_cfg: Any = None,
    ) -> InstanceData:
        """Detections of an image, as ``BBoxHead`` gives them but for the conversion.

        The NMS compares the boxes in the original image also where those in the resized one are
        asked for (``rescale`` is False), which a mask head does.
        """
        decode = super()._predict_by_feat_single  # type: ignore[misc]
        if len(roi) == 0:
            nothing: InstanceData = decode(
                roi, cls_score, bbox_pred, img_meta, rescale, rcnn_test_cfg
            )
            return nothing
        found: InstanceData = decode(roi, cls_score, bbox_pred, img_meta, False, None)
        factor = resize_factor(img_meta)
        coder = self.bbox_coder  # type: ignore[attr-defined]
        boxes = clip_if_asked(coder, found.bboxes.unflatten(1, (-1, 4)), img_meta["img_shape"])
        boxes = to_original_image(boxes, factor)
        if rcnn_test_cfg is not None:
            boxes, labels = multiclass_nms(
                boxes.flatten(1),
                found.scores,
                rcnn_test_cfg.score_thr,
                rcnn_test_cfg.nms,
                rcnn_test_cfg.max_per_img,
            )
            found = InstanceData(scores=boxes[:, 4], labels=labels)
            boxes = boxes[:, :4]
        found.bboxes = (boxes if rescale else to_resized_image(boxes, factor)).flatten(1)
        return found


@MODELS.register_module()
class ReleasedTSDBBoxHead(_RescalesAsReleased, TSDBBoxHead):
    """TSD's box head, whose detections come back to the original image as in the released code."""


@MODELS.register_module()
class ReleasedShared2FCBBoxHead(_RescalesAsReleased, Shared2FCBBoxHead):
    """The usual box head, whose detections come back as in the released code."""


@MODELS.register_module()
class ReleasedFCNMaskHead(FCNMaskHead):
    """The usual mask head, which pastes masks into boxes that come back as in the released code."""

    def _predict_by_feat_single(
        self,
        mask_preds: Tensor,
        bboxes: Tensor,
        labels: Tensor,
        img_meta: dict[str, Any],
        rcnn_test_cfg: Any,
        rescale: bool = False,
        activate_map: bool = False,
    ) -> Tensor:
        """Masks of an image, as ``FCNMaskHead`` gives them; ``bboxes`` are converted in place."""
        if rescale:
            bboxes.copy_(to_original_image(bboxes, resize_factor(img_meta)))
            img_meta = {**img_meta, "scale_factor": (1.0, 1.0)}  # nothing is left to divide by
        return super()._predict_by_feat_single(
            mask_preds, bboxes, labels, img_meta, rcnn_test_cfg, rescale, activate_map
        )

"""What a trained head looks at and what it detects: the data of Figure 5.

Objects are chosen by their annotations alone (:func:`tsd.evaluation.sensitivity.pick_examples`),
so that two runs show the same ones. P is the RPN's proposal with the best IoU with the object;
P̂_c and P̂_r are what TSD derives from it, which a sibling head does not.

Boxes are (x1, y1, x2, y2), points (x, y), both in pixels of the original image.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.structures.bbox import bbox2roi, bbox_overlaps
from mmengine.dataset import BaseDataset
from mmengine.structures import InstanceData
from torch import Tensor

from tsd.evaluation.sensitivity import (
    Example,
    describe,
    look_at,
    pick_examples,
    scale_of,
    trained,
)
from tsd.experiments.grid import Job
from tsd.models.derived_proposals import scale_to_proposals
from tsd.models.roi_head import TSDRoIHead
from tsd.run_folder import write_json


def extract_proposals(job: Job, out: Path, count: int = 4) -> None:
    """Write proposals, derived proposals and detections of a trained job on a few images.

    Args:
        job: Its RoI head is a ``StandardRoIHead`` or one derived from it, as ``TSDRoIHead`` is.
        out: JSON file: ``key`` of the job and ``images``, each with its ``image``, the ``class``
            and ``box`` of its object, all its ``ground_truth`` (``class``, ``box``), the
            ``proposal`` P (``box``, ``iou``), what is ``derived`` from it
            (:func:`derived_proposals`), and the ``detections`` (``class``, ``score``, ``box``).
            ``proposal`` is null where the RPN proposes nothing, ``derived`` also where the head
            derives nothing.
        count: Number of images at most.

    Raises:
        DeclarationError: The job's RoI head is of another kind.
        FileNotFoundError: The job has no weights.
    """
    detector, dataset = trained(job)
    images = [
        {
            **describe(example),
            "ground_truth": ground_truth(dataset, example.index),
            **proposals(detector, dataset, example),
        }
        for example in pick_examples(dataset, count)
    ]
    write_json(out, {"key": job.key, "images": images})


def ground_truth(dataset: BaseDataset, index: int) -> list[dict[str, Any]]:
    """Classes and boxes of an image's objects, those that evaluation ignores left out."""
    return [
        {
            "class": dataset.metainfo["classes"][one["bbox_label"]],
            "box": [float(value) for value in one["bbox"]],
        }
        for one in dataset.get_data_info(index)["instances"]
        if not one.get("ignore_flag")
    ]


@torch.inference_mode()
def proposals(detector: BaseDetector, dataset: BaseDataset, example: Example) -> dict[str, Any]:
    """``proposal``, ``derived`` and ``detections`` of one image, as :func:`extract_proposals`."""
    features, sample = look_at(detector, dataset, example.index)
    proposed = detector.rpn_head.predict(features, [sample], rescale=False)
    head = detector.roi_head
    (found,) = head.predict_bbox(features, [sample.metainfo], proposed, head.test_cfg, rescale=True)
    written: dict[str, Any] = {
        "proposal": None,
        "derived": None,
        "detections": _detections(found, dataset.metainfo["classes"]),
    }
    boxes = proposed[0].bboxes
    if len(boxes):
        scale = scale_of(sample, boxes)
        overlaps = bbox_overlaps(boxes, (boxes.new_tensor(example.box) * scale)[None])[:, 0]
        best = int(overlaps.argmax())
        written["proposal"] = {
            "box": (boxes[best] / scale).tolist(),
            "iou": float(overlaps[best]),
        }
        if isinstance(head, TSDRoIHead):
            derived = derived_proposals(head, features, bbox2roi([boxes[best, None]]))
            written["derived"] = {
                name: (value / scale[: value.shape[-1]]).tolist() if value is not None else None
                for name, value in derived.items()
            }
    return written


def derived_proposals(
    head: TSDRoIHead, features: Sequence[Tensor], roi: Tensor
) -> dict[str, Tensor | None]:
    """P̂_c and P̂_r of one proposal, in pixels of the network's input.

    Args:
        head: TSD's RoI head.
        features: Pyramid of one image.
        roi: P, Tensor[1, 5].

    Returns:
        ``cls_points``, the centres of P̂_c's k × k bins, Tensor[k · k, 2], row by row;
        ``reg_box``, P̂_r, Tensor[4], None where it is point-wise and therefore no box;
        ``reg_points``, the centres of its bins, None where it is a box.
    """
    delta_c, delta_r = head.derived_proposals(head.bbox_roi_extractor(features, roi))
    centres = bin_centres(roi, head.derived_proposals.roi_feat_size)
    pointwise = head.derived_proposals.reg_manner == "point-wise"
    translation = _pixels(delta_r, roi)
    return {
        "cls_points": (centres + _pixels(delta_c, roi)).reshape(-1, 2),
        "reg_box": None if pointwise else roi[0, 1:] + translation.reshape(2).repeat(2),
        "reg_points": (centres + translation).reshape(-1, 2) if pointwise else None,
    }


def bin_centres(rois: Tensor, bins: int) -> Tensor:
    """Centres of the bins of each RoI.

    Args:
        rois: Tensor[N, 5].
        bins: k.

    Returns:
        Tensor[N, k, k, 2], last axis (x, y).
    """
    steps = (torch.arange(bins, device=rois.device) + 0.5) / bins
    across = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1)
    return rois[:, None, None, 1:3] + (rois[:, 3:5] - rois[:, 1:3])[:, None, None] * across


def _pixels(relative: Tensor | None, roi: Tensor) -> Tensor:
    """ΔC or ΔR in pixels; zero where the manner is shared."""
    if relative is None:
        return roi.new_zeros(1, 1, 1, 2)
    return scale_to_proposals(relative, roi)


def _detections(found: InstanceData, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {"class": classes[label], "score": score, "box": box}
        for label, score, box in zip(
            found.labels.tolist(), found.scores.tolist(), found.bboxes.tolist(), strict=True
        )
    ]

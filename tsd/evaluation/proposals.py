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
        ``reg_box``, P̂_r, Tensor[4], None where its manner gives it no box; ``reg_points``, the
        centres of its bins, None where it has a box.
    """
    derived = head.derived_proposals
    offsets_c, offsets_r = derived(head.bbox_roi_extractor(features, roi))
    box = derived.reg_manner.box(roi, offsets_r)
    points = derived.reg_manner.points(roi, offsets_r)
    return {
        "cls_points": derived.cls_manner.points(roi, offsets_c).reshape(-1, 2),
        "reg_box": None if box is None else box[0],
        "reg_points": points.reshape(-1, 2) if box is None else None,
    }


def _detections(found: InstanceData, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {"class": classes[label], "score": score, "box": box}
        for label, score, box in zip(
            found.labels.tolist(), found.scores.tolist(), found.bboxes.tolist(), strict=True
        )
    ]

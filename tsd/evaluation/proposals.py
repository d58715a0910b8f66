"""What a trained head looks at and what it detects: the data of Figure 5.

Objects are chosen by their annotations alone (:func:`tsd.evaluation.examples.pick_examples`), so
that two runs show the same ones. P is the proposal of the RPN that has the best IoU with the
object. P̂_c and P̂_r are what TSD derives from P; a sibling head derives nothing.

Boxes are (x1, y1, x2, y2) and points (x, y), both in pixels of the original image unless said
otherwise.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.structures.bbox import bbox2roi, bbox_overlaps
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor

from tsd.evaluation.examples import (
    Example,
    as_box,
    look_at,
    pick_examples,
    scale_of,
    trained,
)
from tsd.experiments.job import Job
from tsd.models.roi_head import TSDRoIHead
from tsd.results.extracts import (
    DerivedProposals,
    Detection,
    ImageProposals,
    LabelledBox,
    Point,
    Proposal,
    ProposalsExtract,
)


def extract_proposals(job: Job, out: Path, count: int = 4) -> None:
    """Write proposals, derived proposals and detections of a trained job on a few images.

    Args:
        job: A training whose RoI head is a ``StandardRoIHead`` or derived from it, as
            ``TSDRoIHead`` is.
        out: JSON file to write, a :class:`tsd.results.extracts.ProposalsExtract`.
        count: Number of images at most.

    Raises:
        DeclarationError: The job's RoI head is of another kind.
        FileNotFoundError: The job has no weights.
    """
    detector, dataset = trained(job)
    images = [proposals(detector, dataset, example) for example in pick_examples(dataset, count)]
    rest = resting_offset(detector.roi_head)
    ProposalsExtract(key=job.key, images=images, resting_offset=rest).write(out)


def ground_truth(dataset: BaseDataset, index: int) -> list[LabelledBox]:
    """List the objects of an image; those that evaluation ignores are left out."""
    return [
        LabelledBox(
            class_name=dataset.metainfo["classes"][one["bbox_label"]], box=as_box(one["bbox"])
        )
        for one in dataset.get_data_info(index)["instances"]
        if not one.get("ignore_flag")
    ]


@torch.inference_mode()
def proposals(detector: BaseDetector, dataset: BaseDataset, example: Example) -> ImageProposals:
    """Run the detector on the image of an example, and keep what Figure 5 shows of it."""
    features, sample = look_at(detector, dataset, example.index)
    proposed = detector.rpn_head.predict(features, [sample], rescale=False)
    head = detector.roi_head
    (found,) = head.predict_bbox(features, [sample.metainfo], proposed, head.test_cfg, rescale=True)
    proposal, derived = None, None
    boxes = proposed[0].bboxes
    if len(boxes):
        scale = scale_of(sample, boxes)
        overlaps = bbox_overlaps(boxes, (boxes.new_tensor(example.box) * scale)[None])[:, 0]
        best = int(overlaps.argmax())
        box = as_box((boxes[best] / scale).tolist())
        proposal = Proposal(box=box, iou=float(overlaps[best]))
        if isinstance(head, TSDRoIHead):
            derived = _in_the_image(
                derived_proposals(head, features, bbox2roi([boxes[best, None]])), scale
            )
    return ImageProposals(
        image=example.image,
        image_id=example.image_id,
        width=example.width,
        height=example.height,
        class_name=example.class_name,
        box=example.box,
        ground_truth=ground_truth(dataset, example.index),
        proposal=proposal,
        derived=derived,
        detections=_detections(found, dataset.metainfo["classes"]),
    )


def derived_proposals(
    head: TSDRoIHead, features: Sequence[Tensor], roi: Tensor
) -> dict[str, Tensor | None]:
    """P̂_c and P̂_r of one proposal, where the network reads them, in pixels of its input.

    The pooling of the authors' release reads a bin beside the place where the bin is, by an offset
    that the network learns to make good (:func:`resting_offset`). It is subtracted here. The box
    that the detections are regressed from is P̂_r without that subtraction.

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
    offsets_c, offsets_r = (
        offsets - offsets.new_tensor(resting_offset(head)) if manner.learns else offsets
        for manner, offsets in zip(
            (derived.cls_manner, derived.reg_manner),
            derived(head.bbox_roi_extractor(features, roi)),
            strict=True,
        )
    )
    box = derived.reg_manner.box(roi, offsets_r)
    points = derived.reg_manner.points(roi, offsets_r)
    return {
        "cls_points": derived.cls_manner.points(roi, offsets_c).reshape(-1, 2),
        "reg_box": None if box is None else box[0],
        "reg_points": points.reshape(-1, 2) if box is None else None,
    }


def resting_offset(head: BaseModule) -> Point:
    """The offsets (x, y), in proportion to P, at which a RoI head reads bins around their centres.

    They are zero for extractors that have no such attribute.
    """
    x, y = getattr(head.bbox_roi_extractor, "resting_offset", (0.0, 0.0))
    return x, y


def _in_the_image(derived: dict[str, Tensor | None], scale: Tensor) -> DerivedProposals:
    """Bring what :func:`derived_proposals` returns into pixels of the original image."""
    return DerivedProposals.model_validate(
        {
            name: None if value is None else (value / scale[: value.shape[-1]]).tolist()
            for name, value in derived.items()
        }
    )


def _detections(found: InstanceData, classes: tuple[str, ...]) -> list[Detection]:
    return [
        Detection(class_name=classes[label], score=score, box=as_box(box))
        for label, score, box in zip(
            found.labels.tolist(), found.scores.tolist(), found.bboxes.tolist(), strict=True
        )
    ]

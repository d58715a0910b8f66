"""How TSD and its sibling head compare on the same proposals, which is what the constraint asks.

The progressive constraint (Eq. 7 and 8) asks TSD to be better than the sibling head by a margin, in
the score of the true class y and in the IoU of the box. Here both heads are given the proposals P
that the RPN makes of images of the val split. Both numbers are read of each head at every P that
overlaps an annotated object B by an IoU of at least 0.5, as in training. This is done with the
weights at each milestone of a training and at its end, so that one sees when TSD is ahead, by how
much, and on which proposals. Margins are those of the training. It works for a joint training
without the constraint too, which is what a training with it is to be compared with; a term that it
lacks has the paper's margin.

Boxes are (x1, y1, x2, y2) in pixels of the network's input.
"""

import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.structures.bbox import bbox2roi, bbox_overlaps, get_box_tensor
from mmengine.dataset import BaseDataset
from scipy.stats import spearmanr
from torch import Tensor

from tsd.evaluation.examples import look_at, scale_of, trained
from tsd.experiments.job import Job
from tsd.experiments.reading import DeclarationError
from tsd.models.class_scores import class_scores
from tsd.models.progressive_constraint import ProgressiveConstraint, aligned_iou, margin_loss
from tsd.models.roi_head import TSDRoIHead
from tsd.results.extracts import LossCurve, SiblingBin, SiblingsExtract, SiblingStage
from tsd.results.records import TrainRecord
from tsd.training.checkpoints import load_as_data

PAPERS_MARGIN = 0.2
"""m_c and m_r of the paper's ablations, at which trainings are looked at that lack a term."""

EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Proposals are told apart by their IoU with the object, between these values."""

LOSSES = ("loss_pc_cls", "loss_pc_loc", "loss_tsd_cls", "loss_tsd_bbox", "loss_cls", "loss_bbox")
"""Terms of Eq. 9 whose course is shown."""


@dataclass(frozen=True)
class Margins:
    """With what the terms of the constraint are computed.

    Args:
        m_c: Margin of M_cls.
        m_r: Margin of M_loc.
        clamp: See :func:`tsd.models.progressive_constraint.margin_loss`.
    """

    m_c: float = PAPERS_MARGIN
    m_r: float = PAPERS_MARGIN
    clamp: bool = True

    @classmethod
    def of(cls, constraint: ProgressiveConstraint | None) -> "Margins":
        """Those of a training's constraint, and the paper's for what the training lacks of it."""
        if constraint is None:
            return cls()
        return cls(
            m_c=cls.m_c if constraint.m_c is None else constraint.m_c,
            m_r=cls.m_r if constraint.m_r is None else constraint.m_r,
            clamp=constraint.clamp,
        )


@dataclass(frozen=True)
class Pairs:
    """Both heads at positive proposals, each Tensor[M].

    Args:
        proposal_iou: IoU of P with B.
        sibling_score: Score of y that the sibling head gives.
        tsd_score: The same of TSD.
        sibling_iou: IoU with B of the box that the sibling head regresses for y.
        tsd_iou: The same of TSD.
    """

    proposal_iou: Tensor
    sibling_score: Tensor
    tsd_score: Tensor
    sibling_iou: Tensor
    tsd_iou: Tensor

    def where(self, chosen: Tensor) -> "Pairs":
        """Keep the proposals that a BoolTensor[M] chooses."""
        return Pairs(**{name: value[chosen] for name, value in vars(self).items()})


def extract_siblings(job: Job, out: Path, count: int = 200) -> None:
    """Write how both heads of a trained job compare, over its training.

    Args:
        job: A training with TSD and a sibling head.
        out: JSON file to write, a :class:`tsd.results.extracts.SiblingsExtract`.
        count: Number of images at most, evenly spread over the val split.

    Raises:
        DeclarationError: The job has no sibling head beside TSD.
        FileNotFoundError: The job has no weights.
    """
    detector, dataset = trained(job)
    head = detector.roi_head
    if not isinstance(head, TSDRoIHead) or head.sibling_head is None:
        raise DeclarationError(
            f"{job.run.origin}: run {job.run.id} has no sibling head beside TSD, so that there is "
            "nothing to compare; leave it out of figures of the kind 'siblings'"
        )
    count = min(count, len(dataset))
    images = [place * len(dataset) // count for place in range(count)]
    record = TrainRecord.read(job.folder.trained)
    events = _events(job.folder.events)
    last = record.iterations if record else (events[-1]["step"] if events else 0)
    final = {name: value.clone() for name, value in detector.state_dict().items()}
    asked = head.progressive_constraint
    margins = Margins.of(asked)
    stages = []
    for iteration, weights in _milestones(job):
        detector.load_state_dict(load_as_data(str(weights), "cpu")["state_dict"])
        stages.append(_stage(iteration, compare(detector, dataset, images), margins))
    detector.load_state_dict(final)
    stages.append(_stage(last, compare(detector, dataset, images), margins))
    SiblingsExtract(
        key=job.key,
        m_c=margins.m_c,
        m_r=margins.m_r,
        asks_for_score=asked is not None and asked.m_c is not None,
        asks_for_iou=asked is not None and asked.m_r is not None,
        images=count,
        stages=stages,
        losses=_curves(events),
    ).write(out)


def _milestones(job: Job) -> list[tuple[int, Path]]:
    """List the iterations at which a training kept its weights, with their files."""
    found = job.folder.weights_at(0).parent.glob("weights_*.pth")
    numbered = ((re.fullmatch(r"weights_(\d+)\.pth", path.name), path) for path in found)
    return sorted((int(match[1]), path) for match, path in numbered if match)


@torch.inference_mode()
def compare(detector: BaseDetector, dataset: BaseDataset, images: Sequence[int]) -> Pairs:
    """Ask both heads about every positive proposal of some images.

    Args:
        detector: A detector whose RoI head is a ``TSDRoIHead`` with a sibling head.
        dataset: A split with its annotations.
        images: Positions of the images in it.
    """
    parts: list[list[Tensor]] = [[], [], [], [], []]
    for index in images:
        features, sample = look_at(detector, dataset, index)
        objects = [
            one for one in dataset.get_data_info(index)["instances"] if not one.get("ignore_flag")
        ]
        if not objects:
            continue
        truth = features[0].new_tensor([one["bbox"] for one in objects])
        truth = truth * scale_of(sample, truth)
        labels = torch.tensor([one["bbox_label"] for one in objects], device=truth.device)
        (found,) = detector.rpn_head.predict(features, [sample], rescale=False)
        iou, matched = bbox_overlaps(found.bboxes, truth).max(dim=1)
        positive = iou >= EDGES[0]
        rois = bbox2roi([found.bboxes[positive]])
        y, box = labels[matched[positive]], truth[matched[positive]]
        values = (iou[positive], *_of_both(detector.roi_head, features, rois, y, box))
        for part, value in zip(parts, values, strict=True):
            part.append(value)
    return Pairs(*(torch.cat(part) if part else torch.zeros(0) for part in parts))


def _of_both(
    head: TSDRoIHead, features: Sequence[Tensor], rois: Tensor, labels: Tensor, truth: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return scores of y and IoUs with B: the sibling's and TSD's scores, then their IoUs."""
    tsd = head._bbox_forward(features, rois)
    sibling: BBoxHead = head.sibling_head
    cls_score, bbox_pred = sibling(tsd["bbox_feats"])
    outputs = (
        (sibling, cls_score, bbox_pred),
        (head.bbox_head, tsd["cls_score"], tsd["bbox_pred"]),
    )
    scores, overlaps = [], []
    rows = torch.arange(len(rois), device=rois.device)
    for one, score, deltas in outputs:
        scores.append(class_scores(one, score)[rows, labels])
        columns = torch.zeros_like(labels) if one.reg_class_agnostic else labels
        boxes = one.bbox_coder.decode(rois[:, 1:], deltas.unflatten(1, (-1, 4))[rows, columns])
        overlaps.append(aligned_iou(get_box_tensor(boxes), truth))
    return scores[0], scores[1], overlaps[0], overlaps[1]


def _stage(iteration: int, pairs: Pairs, margins: Margins) -> SiblingStage:
    """Summarise both heads after some iterations, with both terms of the constraint."""
    bins = []
    for low, high in itertools.pairwise(EDGES):
        above = pairs.proposal_iou >= low
        below = pairs.proposal_iou < (high if high < EDGES[-1] else torch.inf)
        bins.append(_bin(low, high, pairs.where(above & below), margins))
    together = _bin(EDGES[0], EDGES[-1], pairs, margins)
    return SiblingStage(iteration=iteration, all=together, by_proposal_iou=bins)


def _bin(low: float, high: float, pairs: Pairs, margins: Margins) -> SiblingBin:
    """Summarise both heads on some proposals; None stands for the mean of nothing."""
    count = len(pairs.tsd_iou)

    def mean(values: Tensor) -> float | None:
        return float(values.double().mean()) if count else None

    def term(sibling: Tensor, tsd: Tensor, margin: float) -> float | None:
        return mean(margin_loss(sibling, tsd, margin, clamp=margins.clamp))

    def order(scores: Tensor, overlaps: Tensor) -> float | None:
        """Rank correlation of scores and IoUs; None where it is not defined."""
        if count < 3 or scores.unique().numel() < 2 or overlaps.unique().numel() < 2:
            return None
        return float(spearmanr(scores.cpu().numpy(), overlaps.cpu().numpy()).statistic)

    return SiblingBin(
        low=low,
        high=high,
        proposals=count,
        sibling_score=mean(pairs.sibling_score),
        tsd_score=mean(pairs.tsd_score),
        sibling_iou=mean(pairs.sibling_iou),
        tsd_iou=mean(pairs.tsd_iou),
        ahead_in_score=mean((pairs.tsd_score > pairs.sibling_score).float()),
        ahead_in_iou=mean((pairs.tsd_iou > pairs.sibling_iou).float()),
        m_cls=term(pairs.sibling_score, pairs.tsd_score, margins.m_c),
        m_loc=term(pairs.sibling_iou, pairs.tsd_iou, margins.m_r),
        sibling_order=order(pairs.sibling_score, pairs.sibling_iou),
        tsd_order=order(pairs.tsd_score, pairs.tsd_iou),
    )


def _events(path: Path) -> list[dict]:
    """Read the events of a training, in their order; a line that was cut is passed over."""
    events = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            events.append(json.loads(line))
        except ValueError:
            continue
    return events


def _curves(events: Sequence[dict]) -> list[LossCurve]:
    """Gather the terms of the loss over the training, as far as it has them."""
    curves = []
    for name in LOSSES:
        points = [(one["step"], one["metrics"][name]) for one in events if name in one["metrics"]]
        if points:
            steps, values = zip(*points, strict=True)
            curves.append(LossCurve(name=name, steps=list(steps), values=list(values)))
    return curves

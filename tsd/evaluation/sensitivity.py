"""Where around an object its class is told and its box is found: the data of Figure 1.

The paper draws "the spatial sensitive heatmap" of a trained sibling head without saying how it was
measured. Here an object's own box B, as large as it is annotated, is moved over the object and
given to the head as a proposal P. At each position stand

    classification   the score of the true class y
    localisation     the IoU of the box regressed from P for y, clipped to the image as at
                     inference, with B

A position is where P's centre lies. Positions form a raster over B and ``MARGIN`` of its size on
each side, clipped to the image. P keeps its size, so that it is pooled at all positions from the
pyramid level that B itself is pooled from. The raster has a fixed number of positions, which need
not be the cells of that level: pooling interpolates between cells, and with a fixed number the maps
of small and of large objects are equally fine.

A head that has learnt nothing returns P itself as its box. Its map of localisation is the overlap
of P with B, a cone that is 1 in the middle. What a trained head adds is what exceeds this cone.

Boxes are (x1, y1, x2, y2) in pixels of the original image unless said otherwise.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.structures.bbox import bbox2roi, bbox_overlaps, get_box_tensor
from mmengine.dataset import BaseDataset
from torch import Tensor

from tsd.evaluation.examples import (
    MARGIN,
    Example,
    as_box,
    look_at,
    pick_examples,
    scale_of,
    trained,
    widened,
)
from tsd.experiments.job import Job
from tsd.models.class_scores import class_scores
from tsd.models.pooling import assign_levels
from tsd.results.extracts import SensitivityExtract, SensitivityMaps

POSITIONS = 33
"""Number of positions along the longer side of the raster."""

ROIS_AT_ONCE = 256
"""Number of RoIs that go through the head together, so that memory suffices."""


def extract_sensitivity(job: Job, out: Path, count: int = 4) -> None:
    """Write the sensitivity maps of a trained job.

    Args:
        job: A training whose RoI head is a ``StandardRoIHead`` or derived from it, as
            ``TSDRoIHead`` is.
        out: JSON file to write, a :class:`tsd.results.extracts.SensitivityExtract`.
        count: Number of objects at most.

    Raises:
        DeclarationError: The job's RoI head is of another kind.
        FileNotFoundError: The job has no weights.
    """
    detector, dataset = trained(job)
    instances = [
        sensitivity(detector, dataset, example) for example in pick_examples(dataset, count)
    ]
    SensitivityExtract(key=job.key, margin=MARGIN, instances=instances).write(out)


@torch.inference_mode()
def sensitivity(detector: BaseDetector, dataset: BaseDataset, example: Example) -> SensitivityMaps:
    """Compute both maps of one object, as the head of this module describes them."""
    features, sample = look_at(detector, dataset, example.index)
    truth = features[0].new_tensor(example.box)
    height, width = sample.ori_shape
    x, y = raster(truth, (width, height))
    centres = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).reshape(-1, 2)
    half = (truth[2:] - truth[:2]) / 2
    scale = scale_of(sample, truth)
    rois = bbox2roi([torch.cat([centres - half, centres + half], dim=1) * scale])
    scores, boxes = [], []
    for some in rois.split(ROIS_AT_ONCE):
        score, box = _of_class(detector.roi_head, features, some, example.label, sample.img_shape)
        scores.append(score)
        boxes.append(box)
    overlaps = bbox_overlaps(torch.cat(boxes), (truth * scale)[None])[:, 0]
    extractor = detector.roi_head.bbox_roi_extractor
    strides = extractor.featmap_strides
    level = assign_levels(rois[:1], len(strides), extractor.finest_scale)
    return SensitivityMaps(
        image=example.image,
        image_id=example.image_id,
        width=example.width,
        height=example.height,
        class_name=example.class_name,
        box=example.box,
        stride=strides[int(level)],
        x=x.tolist(),
        y=y.tolist(),
        classification=torch.cat(scores).reshape(len(y), len(x)).tolist(),
        localization=overlaps.reshape(len(y), len(x)).tolist(),
    )


def raster(box: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Lay positions over a box and its margin, at equal distances in both directions.

    Args:
        box: B, Tensor[4].
        size: Width and height of the image.

    Returns:
        x Tensor[W] and y Tensor[H]. The longer of both has ``POSITIONS`` positions. Both are
        symmetric about the box's centre unless the image ends before the margin does.
    """
    x1, y1, x2, y2 = widened(as_box(box.tolist()), size)
    step = max(x2 - x1, y2 - y1) / (POSITIONS - 1)
    return _spread(x1, x2, step).to(box), _spread(y1, y2, step).to(box)


def _spread(start: float, end: float, step: float) -> Tensor:
    """Lay as many points a step apart as fit between start and end, in the middle of both."""
    steps = int((end - start) / step + 1e-6)
    rest = (end - start) - steps * step
    return start + rest / 2 + step * torch.arange(steps + 1, dtype=torch.float64)


def _of_class(
    head: StandardRoIHead,
    features: Sequence[Tensor],
    rois: Tensor,
    label: int,
    image_shape: tuple[int, int],
) -> tuple[Tensor, Tensor]:
    """Ask the head's inference branch for the score and the box of one class at each RoI.

    Args:
        head: The RoI head.
        features: Feature pyramid of one image.
        rois: Tensor[N, 5], in pixels of the network's input.
        label: Position of the class among the data set's classes.
        image_shape: Height and width that boxes are clipped to, in pixels of the network's input.

    Returns:
        Scores Tensor[N], and boxes Tensor[N, 4] in pixels of the network's input.
    """
    outputs = head._bbox_forward(features, rois)
    bbox_head = head.bbox_head
    scores = class_scores(bbox_head, outputs["cls_score"])
    deltas = outputs["bbox_pred"].unflatten(1, (-1, 4))
    deltas = deltas[:, 0 if bbox_head.reg_class_agnostic else label]
    boxes = bbox_head.bbox_coder.decode(rois[:, 1:], deltas, max_shape=image_shape)
    return scores[:, label], get_box_tensor(boxes)

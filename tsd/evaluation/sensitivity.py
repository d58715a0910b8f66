"""Where around an object its class is told and its box is found: the data of Figure 1.

The paper draws "the spatial sensitive heatmap" of a trained sibling head without saying how it was
measured. Here an object's own box B, as large as it is annotated, is moved over the object and
given to the head as a proposal P. At each position stand

    classification   the score of the true class y
    localisation     the IoU of the box regressed from P for y, clipped to the image as at
                     inference, with B

A position is where P's centre lies. Positions form a raster over B and ``MARGIN`` of its size on
each side, clipped to the image. P keeps its size, so all positions read the pyramid level that B
itself reads. The raster is of a fixed number of positions, not of the level's cells: pooling
interpolates between cells, and maps of small and large objects become alike fine.

What a head adds to localisation is what exceeds the overlap of P itself with B, a cone that is 1 in
the middle: the map of a head that has learnt nothing.

Boxes are (x1, y1, x2, y2) in pixels of the original image unless said otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.registry import DATASETS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox2roi, bbox_overlaps
from mmengine.dataset import BaseDataset
from torch import Tensor

from tsd.experiments.grid import Job
from tsd.experiments.load import DeclarationError
from tsd.models.pooling import assign_levels
from tsd.run_folder import write_json
from tsd.training.build import runtime_config, trained_model

MARGIN = 0.25
"""Room around an object's box, over its width and height, on each side."""

POSITIONS = 33
"""Along the longer side of the raster."""

ROIS_AT_ONCE = 256


@dataclass(frozen=True)
class Example:
    """An annotated object that a figure shows.

    Args:
        index: Of its image in the data set.
        image: Path of the image.
        image_id: As annotated.
        label: Position of its class among the data set's.
        name: Of its class.
        box: B.
    """

    index: int
    image: str
    image_id: int
    label: int
    name: str
    box: list[float]


def extract_sensitivity(job: Job, out: Path, count: int = 4) -> None:
    """Write the sensitivity maps of a trained job.

    Args:
        job: Its RoI head is a ``StandardRoIHead`` or one derived from it, as ``TSDRoIHead`` is.
        out: JSON file: ``key`` of the job, ``margin``, and ``instances``, each with its ``image``,
            ``class`` and ``box``, the ``stride`` of the level it reads, the positions' ``x`` (W
            values) and ``y`` (H values), and ``classification`` and ``localization`` (H lists
            of W values from 0 to 1).
        count: Number of objects at most.

    Raises:
        DeclarationError: The job's RoI head is of another kind.
        FileNotFoundError: The job has no weights.
    """
    detector, dataset = trained(job)
    instances = [
        {**describe(example), **sensitivity(detector, dataset, example)}
        for example in pick_examples(dataset, count)
    ]
    write_json(out, {"key": job.key, "margin": MARGIN, "instances": instances})


def trained(job: Job) -> tuple[BaseDetector, BaseDataset]:
    """The job's trained detector, ready for inference, and its val split.

    Raises:
        DeclarationError: Its RoI head is no ``StandardRoIHead``.
        FileNotFoundError: It has no weights.
    """
    detector = trained_model(job)
    head = getattr(detector, "roi_head", None)
    if not isinstance(head, StandardRoIHead):
        raise DeclarationError(
            f"{job.run.origin}: has no box head to look into; expected a detector with a "
            f"StandardRoIHead or TSDRoIHead, found {type(detector).__name__}"
            + (f" with {type(head).__name__}" if head is not None else "")
        )
    return detector, DATASETS.build(runtime_config(job).test_dataloader.dataset)


def pick_examples(dataset: BaseDataset, count: int) -> list[Example]:
    """Choose objects by their annotations alone: the largest one of images evenly spread.

    Of the images whose largest object has ``MARGIN`` of its size free on each side, those at equal
    distances in the data set's order; of all images with objects where there are none such.
    Crowds and other objects that evaluation ignores do not count.

    Args:
        dataset: A split with its annotations.
        count: Number of objects at most.
    """
    roomy, others = [], []
    for index in range(len(dataset)):
        entry = dataset.get_data_info(index)
        objects = [one for one in entry["instances"] if not one.get("ignore_flag")]
        if not objects:
            continue
        largest = max(objects, key=lambda one: _area(one["bbox"]))
        example = Example(
            index=index,
            image=str(entry["img_path"]),
            image_id=entry["img_id"],
            label=int(largest["bbox_label"]),
            name=dataset.metainfo["classes"][largest["bbox_label"]],
            box=[float(value) for value in largest["bbox"]],
        )
        others.append(example)
        if _widened(example.box, (entry["width"], entry["height"])) == _widened(example.box):
            roomy.append(example)
    candidates = roomy or others
    count = min(count, len(candidates))
    return [candidates[place * len(candidates) // count] for place in range(count)]


def describe(example: Example) -> dict[str, Any]:
    """What is written of an example in all figures."""
    return {
        "image": example.image,
        "image_id": example.image_id,
        "class": example.name,
        "box": example.box,
    }


def look_at(
    detector: BaseDetector, dataset: BaseDataset, index: int
) -> tuple[Sequence[Tensor], DetDataSample]:
    """The feature pyramid of one image, and the sample with the size the network saw it at."""
    item = dataset[index]
    batch = detector.data_preprocessor(
        {"inputs": [item["inputs"]], "data_samples": [item["data_samples"]]}, training=False
    )
    return detector.extract_feat(batch["inputs"]), batch["data_samples"][0]


def scale_of(sample: DetDataSample, like: Tensor) -> Tensor:
    """Pixels of the network's input over those of the original image, for x1, y1, x2, y2."""
    return like.new_tensor(sample.scale_factor).repeat(2)


@torch.inference_mode()
def sensitivity(detector: BaseDetector, dataset: BaseDataset, example: Example) -> dict[str, Any]:
    """Both maps of one object (see the module); keys as in :func:`extract_sensitivity`."""
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
    return {
        "stride": strides[int(level)],
        "x": x.tolist(),
        "y": y.tolist(),
        "classification": torch.cat(scores).reshape(len(y), len(x)).tolist(),
        "localization": overlaps.reshape(len(y), len(x)).tolist(),
    }


def raster(box: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Positions over a box and its margin, at equal distances in both directions.

    Args:
        box: B, Tensor[4].
        size: Width and height of the image.

    Returns:
        x Tensor[W] and y Tensor[H], the longer of ``POSITIONS`` positions, both symmetric about
        the box's centre unless the image ends before its margin does.
    """
    x1, y1, x2, y2 = _widened(box.tolist(), size)
    step = max(x2 - x1, y2 - y1) / (POSITIONS - 1)
    return _spread(x1, x2, step).to(box), _spread(y1, y2, step).to(box)


def _spread(start: float, end: float, step: float) -> Tensor:
    """Points a step apart, in the middle between start and end."""
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
    """What the head says of RoIs for one class, in pixels of the network's input.

    Args:
        head: The RoI head, its inference branch.
        features: Pyramid of one image.
        rois: Tensor[N, 5].
        label: The class.
        image_shape: Height and width that boxes are clipped to.

    Returns:
        Scores Tensor[N], and boxes Tensor[N, 4].
    """
    outputs = head._bbox_forward(features, rois)
    bbox_head = head.bbox_head
    if bbox_head.custom_cls_channels:
        scores = bbox_head.loss_cls.get_activation(outputs["cls_score"])
    else:
        scores = outputs["cls_score"].softmax(dim=1)
    deltas = outputs["bbox_pred"].unflatten(1, (-1, 4))
    deltas = deltas[:, 0 if bbox_head.reg_class_agnostic else label]
    boxes = bbox_head.bbox_coder.decode(rois[:, 1:], deltas, max_shape=image_shape)
    return scores[:, label], boxes


def _area(box: Sequence[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _widened(box: Sequence[float], size: tuple[int, int] | None = None) -> list[float]:
    """The box with its margin, clipped to the image where its width and height are given."""
    x1, y1, x2, y2 = box
    dx, dy = MARGIN * (x2 - x1), MARGIN * (y2 - y1)
    wide = [x1 - dx, y1 - dy, x2 + dx, y2 + dy]
    if size is None:
        return wide
    width, height = size
    return [max(wide[0], 0), max(wide[1], 0), min(wide[2], width), min(wide[3], height)]

"""What the extractions for figures share: which objects they show, and how a network sees them.

Objects are chosen by their annotations alone, so that figures of several runs show the same ones.

Boxes are (x1, y1, x2, y2) in pixels of the original image unless said otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mmdet.models.detectors import BaseDetector
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.registry import DATASETS
from mmdet.structures import DetDataSample
from mmengine.dataset import BaseDataset
from torch import Tensor

from tsd.experiments.job import Job
from tsd.experiments.reading import DeclarationError
from tsd.results.extracts import Box
from tsd.training.build import runtime_config, trained_model

MARGIN = 0.25
"""Room that a figure shows around an object's box, on each side, over the box's width or height."""


@dataclass(frozen=True)
class Example:
    """An annotated object that a figure shows.

    Args:
        index: Position of its image in the data set.
        image: Path of the image file.
        image_id: Id of the image in the annotation file.
        width: Width of the image in pixels, as the annotation file gives it.
        height: Height, likewise.
        label: Position of its class among the data set's classes.
        class_name: Name of its class.
        box: The annotated box B.
    """

    index: int
    image: str
    image_id: int | str
    width: float
    height: float
    label: int
    class_name: str
    box: Box


def trained(job: Job) -> tuple[BaseDetector, BaseDataset]:
    """Load a job's trained detector, ready for inference, and its val split.

    Raises:
        DeclarationError: The detector's RoI head is no ``StandardRoIHead``, so that nobody knows
            how to look into it.
        FileNotFoundError: The job has no weights.
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
    """Choose the largest objects of images that are evenly spread over a data set.

    An image can be chosen if its largest object has ``MARGIN`` of its size free on each side. Where
    no image is like that, every image with an object can be chosen. Crowds and other objects that
    evaluation ignores do not count.

    Args:
        dataset: A split with its annotations.
        count: Number of objects at most.

    Returns:
        The objects, in the order of the data set.
    """
    roomy, all_largest = [], []
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
            width=entry["width"],
            height=entry["height"],
            label=int(largest["bbox_label"]),
            class_name=dataset.metainfo["classes"][largest["bbox_label"]],
            box=as_box(largest["bbox"]),
        )
        all_largest.append(example)
        if widened(example.box, (entry["width"], entry["height"])) == widened(example.box):
            roomy.append(example)
    candidates = roomy or all_largest
    count = min(count, len(candidates))
    return [candidates[place * len(candidates) // count] for place in range(count)]


def look_at(
    detector: BaseDetector, dataset: BaseDataset, index: int
) -> tuple[Sequence[Tensor], DetDataSample]:
    """Compute the feature pyramid of one image, as at inference.

    Args:
        detector: A trained detector.
        dataset: A split whose pipeline gives what the detector takes.
        index: Position of the image in the data set.

    Returns:
        The levels of the pyramid, each Tensor[1, C, H, W], and the sample, which knows the size at
        which the network saw the image.
    """
    item = dataset[index]
    batch = detector.data_preprocessor(
        {"inputs": [item["inputs"]], "data_samples": [item["data_samples"]]}, training=False
    )
    return detector.extract_feat(batch["inputs"]), batch["data_samples"][0]


def scale_of(sample: DetDataSample, like: Tensor) -> Tensor:
    """Return how many pixels of the network's input stand for one of the original image.

    Args:
        sample: What :func:`look_at` returned.
        like: A tensor whose type and device the result has.

    Returns:
        Tensor[4] by which a box (x1, y1, x2, y2) is multiplied.
    """
    return like.new_tensor(sample.scale_factor).repeat(2)


def as_box(values: Sequence[float]) -> Box:
    """Make a box from its four values, of whatever kind of number or sequence."""
    x1, y1, x2, y2 = (float(value) for value in values)
    return x1, y1, x2, y2


def _area(box: Sequence[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def widened(box: Box, size: tuple[int, int] | None = None) -> Box:
    """Add the margin to a box, and clip it to the image where its width and height are given."""
    x1, y1, x2, y2 = box
    dx, dy = MARGIN * (x2 - x1), MARGIN * (y2 - y1)
    wide = (x1 - dx, y1 - dy, x2 + dx, y2 + dy)
    if size is None:
        return wide
    width, height = size
    return max(wide[0], 0), max(wide[1], 0), min(wide[2], width), min(wide[3], height)

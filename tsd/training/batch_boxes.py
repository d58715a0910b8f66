"""Whether the boxes that a training has just seen can be learned from.

A loss that is no number has two common causes: a learning rate that is too high, and boxes that
are none, such as those of an image that is read turned against its annotations: cut to the image,
they keep no area. The two are told apart by the boxes of the last batches.

Boxes are (x1, y1, x2, y2) in pixels of the image as the network sees it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

EXAMPLES = 5
"""At most so many images are named."""

PIXELS_BEYOND = 1.0
"""So far a box may reach beyond its image: the rounding of sizes moves edges."""


@dataclass(frozen=True)
class ImageBoxes:
    """The objects of one image of a batch.

    Attributes:
        path: The image file.
        size: Height and width in pixels; None if the batch does not say.
        boxes: Tensor[N, 4].
    """

    path: str
    size: tuple[int, int] | None
    boxes: Tensor

    @property
    def faults(self) -> str:
        """How many boxes are none, and why; empty if all are sound."""
        x1, y1, x2, y2 = self.boxes.float().unbind(dim=1)
        finite = self.boxes.isfinite().all(dim=1)
        flat = finite & ((x2 <= x1) | (y2 <= y1))
        beyond = torch.zeros_like(finite)
        if self.size is not None:
            height, width = self.size
            low, high = torch.minimum(x1, y1), torch.maximum(x2 - width, y2 - height)
            beyond = finite & ~flat & ((low < -PIXELS_BEYOND) | (high > PIXELS_BEYOND))
        counts = {
            "that are not finite": int((~finite).sum()),
            "without area": int(flat.sum()),
            "beyond the edge": int(beyond.sum()),
        }
        told = ", ".join(f"{count} {words}" for words, count in counts.items() if count)
        return f"{told} of {len(self.boxes)}" if told else ""


@dataclass
class Examination:
    """What was found in batches.

    Attributes:
        images: Number of images.
        boxes: Number of their boxes.
        faulty: Image file → how many of its boxes are none.
    """

    images: int = 0
    boxes: int = 0
    faulty: dict[str, str] = field(default_factory=dict)

    def add(self, other: "Examination") -> None:
        """Count in what another process has found."""
        self.images += other.images
        self.boxes += other.boxes
        self.faulty |= other.faulty

    def __str__(self) -> str:
        if not self.faulty:
            return (
                f"the {self.boxes} boxes of the {self.images} images before it are sound: finite, "
                "with area, within their images"
            )
        shown = list(self.faulty.items())[:EXAMPLES]
        more = len(self.faulty) - len(shown)
        named = "; ".join(f"{path} ({faults})" for path, faults in shown)
        return (
            f"of the {self.images} images before it, {len(self.faulty)} have boxes that nothing "
            f"can be learned from: {named}{f' and {more} more images' if more else ''}"
        )


def boxes_of(data_batch: Any) -> list[ImageBoxes]:
    """The objects of a batch, as a training's loop has it; images without boxes are left out."""
    found = []
    for sample in _samples(data_batch):
        instances = sample.get("gt_instances")
        boxes = None if instances is None else instances.get("bboxes")
        boxes = getattr(boxes, "tensor", boxes)  # mmdet wraps them to transform them
        if isinstance(boxes, Tensor) and boxes.ndim == 2 and boxes.shape[1] == 4:
            size = sample.metainfo.get("img_shape")
            path = sample.metainfo.get("img_path") or f"image {sample.metainfo.get('img_id')}"
            # A copy: each tensor of a loader's worker keeps a file open for as long as it is kept.
            copy = boxes.detach().cpu().clone()
            found.append(ImageBoxes(str(path), None if size is None else tuple(size[:2]), copy))
    return found


def examine(images: Iterable[ImageBoxes]) -> Examination:
    """Look at the boxes of images, one image after another."""
    examination = Examination()
    for image in images:
        examination.images += 1
        examination.boxes += len(image.boxes)
        if faults := image.faults:
            examination.faulty[image.path] = faults
    return examination


def _samples(batch: Any) -> Iterator[BaseDataElement]:
    """The data samples of a batch, however it holds them."""
    if isinstance(batch, BaseDataElement):
        yield batch
    elif isinstance(batch, Mapping):
        for value in batch.values():
            yield from _samples(value)
    elif isinstance(batch, list | tuple):
        for value in batch:
            yield from _samples(value)

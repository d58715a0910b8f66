"""The images of a split as its annotation file describes them, in each format of data sets."""

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tsd.data.coco_format import read_annotations
from tsd.data.openimages_format import read_boxes

Box = Sequence[float]
"""x, y, width, height in pixels."""


@dataclass(frozen=True)
class AnnotatedImage:
    """An image as an annotation file describes it.

    Attributes:
        file_name: Name of the file, relative to the image folder.
        width: Width in pixels.
        height: Height in pixels.
        boxes: All boxes that are annotated in pixels.
    """

    file_name: str
    width: float
    height: float
    boxes: Sequence[Box] = ()


def images_of_coco(annotation_file: Path) -> Iterator[AnnotatedImage]:
    """Yield the images of a file in COCO's format.

    Raises:
        DatasetError: The file is missing or is not of the format.
    """
    content = read_annotations(annotation_file)
    boxes = defaultdict(list)
    for entry in content["annotations"]:
        boxes[entry["image_id"]].append(entry["bbox"])
    for image in content["images"]:
        found = boxes[image["id"]]
        yield AnnotatedImage(image["file_name"], image["width"], image["height"], found)


def images_of_openimages(annotation_file: Path) -> Iterator[AnnotatedImage]:
    """Yield the images of a prepared split of Open Images.

    Its boxes are left out, for they are parts of width and height, whichever those are.

    Raises:
        DatasetError: The file is missing or is not of the format.
    """
    for name, size, _ in read_boxes(annotation_file, classes=sys.maxsize):
        yield AnnotatedImage(name, *size)

"""Whether boxes are what they are taken for: left, top, width and height in pixels.

Many tools write other boxes: the corners of the box, its centre and size, or fractions of the
image's size. Nothing fails then. A network simply learns other boxes than the objects have. But
such boxes do not fit their images and masks. One box that does not is an annotation with a fault,
which is counted and told; if most do not, all of them are something else, which is refused.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tsd.data.coco_format import DatasetError, Entry, counted, some_of
from tsd.data.masks import usable_polygons

SLACK, SLACK_PIXELS = 0.02, 2.0
"""A box may reach out of its image by so much of the image's side, or by so many pixels if that is
more, before it counts: annotations are not exact."""

SAME_OBJECT = 0.5
"""IoU of a box with the smallest box around its mask from which on both are of the same object."""


class BoxError(DatasetError):
    """Most boxes are not what they are taken for, or their images are not those annotated."""


def check_boxes(file: Path, objects: Sequence[Entry], images: Mapping[int, Entry]) -> list[str]:
    """Check that boxes are xywh in pixels.

    Args:
        file: The annotation file, for errors.
        objects: The annotations of the declared classes that are no crowd regions, also those that
            training leaves out for their boxes.
        images: The images by id.

    Returns:
        Sentences about boxes that a person should know of.

    Raises:
        BoxError: Most boxes are fractions, or reach out of their images.
    """
    fractions = [o["id"] for o in objects if _is_fraction(o, images[o["image_id"]])]
    if _most(fractions, objects):
        raise BoxError(
            f"{file}: 'bbox' has to be [x, y, width, height] in pixels, but {len(fractions)} of "
            f"{counted(len(objects), 'box', 'boxes')} lie within the first pixel of their images, "
            f"as fractions of the image's size would: annotation ids {some_of(fractions)}; "
            "multiply x and width by the image's width, and y and height by its height"
        )
    out = [o["id"] for o in objects if _reaches_out(o, images[o["image_id"]])]
    if _most(out, objects):
        corners = all(_may_be_corners(o, images[o["image_id"]]) for o in objects)
        looks_like = "these look like the corners [x1, y1, x2, y2], and" if corners else ""
        raise BoxError(
            f"{file}: 'bbox' has to be [x, y, width, height] in pixels, but {looks_like} "
            f"{len(out)} of {counted(len(objects), 'box', 'boxes')} reach out of their images: "
            f"annotation ids {some_of(out)}; write the boxes anew, or correct 'width' and "
            "'height' of the images"
        )
    return [*_about_reach(file, out), *_about_areas(file, objects), *_about_masks(file, objects)]


def _about_reach(file: Path, out: Sequence[int]) -> Iterable[str]:
    if out:
        yield (
            f"{file}: {counted(len(out), 'box reaches', 'boxes reach')} out of the image by more "
            f"than {SLACK:.0%} of its side: annotation {_ids(out)}. Training clips such a box to "
            "the image, evaluation compares with the whole box."
        )


def _about_areas(file: Path, objects: Sequence[Entry]) -> Iterable[str]:
    above = [o["id"] for o in objects if o["area"] > 1.01 * o["bbox"][2] * o["bbox"][3] + 1]
    if above:
        yield (
            f"{file}: {counted(len(above), 'annotation has', 'annotations have')} an 'area' that "
            f"is larger than the box: annotation {_ids(above)}. AP of small, medium and large "
            "objects goes by 'area'."
        )


def _about_masks(file: Path, objects: Sequence[Entry]) -> Iterable[str]:
    other = [o["id"] for o in objects if not _encloses_its_mask(o)]
    if other:
        yield (
            f"{file}: {counted(len(other), 'box is', 'boxes are')} not around the object's own "
            f"mask ('segmentation'), or only by less than half: annotation {_ids(other)}. Either "
            "the box or the mask is wrong."
        )


def _ids(ids: Sequence[int]) -> str:
    return ("id " if len(ids) == 1 else "ids ") + some_of(ids)


def _most(some: Sequence[int], objects: Sequence[Entry]) -> bool:
    return 2 * len(some) > len(objects)


def _is_fraction(annotation: Entry, image: Entry) -> bool:
    x, y, width, height = annotation["bbox"]
    ends = max(x + width, y + height)
    return bool(min(x, y) >= 0 and ends <= 1 < min(image["width"], image["height"]))


def _reaches_out(annotation: Entry, image: Entry) -> bool:
    box = annotation["bbox"]
    return any(
        start < -slack or start + length > side + slack
        for start, length, side in zip(box[:2], box[2:], _size(image), strict=True)
        for slack in [max(SLACK_PIXELS, SLACK * side)]
    )


def _may_be_corners(annotation: Entry, image: Entry) -> bool:
    box = annotation["bbox"]
    return all(
        0 <= start <= end <= side
        for start, end, side in zip(box[:2], box[2:], _size(image), strict=True)
    )


def _size(image: Entry) -> tuple[float, float]:
    return image["width"], image["height"]


def _encloses_its_mask(annotation: Entry) -> bool:
    """Whether the box is about that of the polygons; True where there are none."""
    segmentation = annotation.get("segmentation")
    polygons = usable_polygons(segmentation) if isinstance(segmentation, list) else []
    if not polygons:
        return True
    left = min(min(polygon[::2]) for polygon in polygons)
    top = min(min(polygon[1::2]) for polygon in polygons)
    right = max(max(polygon[::2]) for polygon in polygons)
    bottom = max(max(polygon[1::2]) for polygon in polygons)
    x, y, width, height = annotation["bbox"]
    shared_width = min(right, x + width) - max(left, x)
    shared_height = min(bottom, y + height) - max(top, y)
    if shared_width < 0 or shared_height < 0:
        return False
    shared = shared_width * shared_height
    union = width * height + (right - left) * (bottom - top) - shared
    # A mask of one row of pixels has polygons without area, and says nothing here.
    return union <= 0 or (right - left) * (bottom - top) == 0 or shared >= SAME_OBJECT * union

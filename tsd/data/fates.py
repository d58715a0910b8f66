"""What becomes of one annotation of COCO's format, in training and in evaluation.

Training reads annotations with mmdet's ``CocoDataset``, and evaluation follows COCO's protocol.
They do not leave out the same ones:

* **Crowd regions** (``iscrowd`` 1) are objects to neither.
* **Flagged objects** (``ignore`` 1) are dropped by mmdet. COCO's protocol does not know the flag,
  so that evaluation asks for these objects like for any other.
* **Empty boxes** are dropped by mmdet if their width or height is below one pixel, or their
  ``area`` is 0. Evaluation counts them as objects. A box without width or height overlaps nothing,
  so that no detection can match it. It is a miss at every threshold and lowers recall and AP.
* **Boxes outside of their image** are dropped by mmdet, and can never be found, for detections are
  clipped to the image.
* **Small images** are dropped by mmdet with all of their objects, where the settings say so.

Boxes are COCO xywh in pixels: left, top, width, height.
"""

from collections.abc import Collection

from tsd.data.coco_format import Entry
from tsd.data.split_report import Fate


def fate_in_training(
    annotation: Entry, image: Entry, categories: Collection[int], smallest_side: float
) -> Fate:
    """What mmdet's ``CocoDataset`` makes of an annotation.

    Args:
        annotation: An entry that has passed :func:`tsd.data.coco_format.read_annotations`.
        image: The entry of its image.
        categories: Ids of the categories of the declared classes.
        smallest_side: Images with a side below so many pixels are left out (``min_size`` of
            mmdet's ``filter_cfg``).
    """
    width, height = annotation["bbox"][2:]
    if annotation["category_id"] not in categories:
        return Fate.OTHER_CLASS
    if annotation["iscrowd"]:
        return Fate.CROWD
    if annotation.get("ignore"):
        return Fate.FLAGGED
    if width < 1 or height < 1 or annotation["area"] <= 0:
        return Fate.EMPTY
    if _is_outside(annotation, image):
        return Fate.OUTSIDE
    if min(image["width"], image["height"]) < smallest_side:
        return Fate.SMALL_IMAGE
    return Fate.TRAINED


def fate_in_evaluation(annotation: Entry, image: Entry, categories: Collection[int]) -> Fate:
    """What COCO's evaluation makes of an annotation; arguments as for training."""
    if annotation["category_id"] not in categories:
        return Fate.OTHER_CLASS
    if annotation["iscrowd"]:
        return Fate.CROWD
    if min(annotation["bbox"][2:]) <= 0 or _is_outside(annotation, image):
        return Fate.NEVER_FOUND
    return Fate.EVALUATED_THOUGH_FLAGGED if annotation.get("ignore") else Fate.EVALUATED


def _is_outside(annotation: Entry, image: Entry) -> bool:
    """Whether a box has nothing of its image."""
    x, y, width, height = annotation["bbox"]
    return bool(
        min(x + width, image["width"]) <= max(x, 0) or min(y + height, image["height"]) <= max(y, 0)
    )

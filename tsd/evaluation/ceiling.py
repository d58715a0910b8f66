"""How far a perfect detector would come on a data set, since some of its objects are out of reach.

A detector reports a limited number of boxes for an image, and it clips them to the image. Objects
beyond that number are missed by every detector, and so are objects without width or height and
objects outside of their image. All of them lower AP, whatever is trained.

The ceiling is the AP that COCO's evaluation gives to a detector which reports the annotated boxes
themselves, clipped to their images. Where there are more than it may report, it reports those of
the rarest classes first, for each of them counts most in the mean over the classes. AP averages
over 101 recall steps, so that another choice may come to more than this one, but by less than a
point.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from tsd.data.coco_format import read_json_file
from tsd.data.labels import label_categories
from tsd.evaluation.coco import average_precision, evaluate_boxes
from tsd.results.data_check import Ceiling


def box_ceiling(annotation_file: Path, classes: Sequence[str], max_detections: int) -> Ceiling:
    """Compute the ceiling of a COCO-format file.

    Args:
        annotation_file: A file that has passed :func:`tsd.data.coco_check.check_split`.
        classes: Names of the declared classes.
        max_detections: How many detections of an image count.
    """
    content = read_json_file(annotation_file)
    wanted = set(label_categories(annotation_file, content, classes).category_ids)
    sizes = {image["id"]: (image["width"], image["height"]) for image in content["images"]}
    count: Counter[int] = Counter()
    within_reach = defaultdict(list)
    for entry in content["annotations"]:
        if entry["category_id"] in wanted and not entry["iscrowd"]:
            count[entry["category_id"]] += 1
            box = _clipped(entry["bbox"], *sizes[entry["image_id"]])
            if min(box[2:]) > 0:
                about = {key: entry[key] for key in ("image_id", "category_id")}
                within_reach[entry["image_id"]].append({**about, "bbox": box, "score": 1.0})
    beyond = [max(0, len(found) - max_detections) for found in within_reach.values()]
    reported = [
        detection
        for found in within_reach.values()
        for detection in sorted(found, key=lambda one: count[one["category_id"]])[:max_detections]
    ]
    evaluation = evaluate_boxes(annotation_file, reported, classes, max_detections)
    return Ceiling(
        max_detections=max_detections,
        objects_beyond=sum(beyond),
        images_beyond=sum(number > 0 for number in beyond),
        ap=average_precision(evaluation),
    )


def _clipped(box: Sequence[float], width: float, height: float) -> list[float]:
    """A box xywh within its image; without width or height where it lies outside."""
    x, y, w, h = box
    left, right = (min(max(value, 0), width) for value in (x, x + w))
    top, bottom = (min(max(value, 0), height) for value in (y, y + h))
    return [left, top, right - left, bottom - top]

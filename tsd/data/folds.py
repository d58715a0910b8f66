"""Folds: a small data set without a validation split is divided so that each image is tested once.

How the images are divided follows from their content alone, whatever the order of the annotation
file and the names in it. Images with the same content are in the same fold, since a network that
was trained on an image is not to be measured by it. The objects of each class are spread over the
folds as evenly as whole images allow, the rarest class first: by chance alone all objects of a rare
class could come into one fold, and that fold's network would learn nothing of it.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tsd.data.coco_format import DatasetError, read_annotations
from tsd.run_folder import write_json


def divide(content: Mapping[str, Any], sums: Mapping[str, str], folds: int) -> list[list[int]]:
    """Divide images into folds.

    Args:
        content: Of an annotation file in COCO's format.
        sums: File name of an image → sum of its content.
        folds: How many there are.

    Returns:
        The ids of the images of each fold, in the order of the file.

    Raises:
        DatasetError: There are fewer different images than folds.
    """
    objects: dict[int, Counter[int]] = {image["id"]: Counter() for image in content["images"]}
    for entry in content["annotations"]:
        if entry["image_id"] in objects:
            objects[entry["image_id"]][entry["category_id"]] += 1
    groups: dict[str, list[int]] = {}
    for image in content["images"]:
        told_by = sums.get(image["file_name"]) or f"unreadable {image['file_name']}"
        groups.setdefault(hashlib.sha256(told_by.encode()).hexdigest(), []).append(image["id"])
    if len(groups) < folds:
        raise DatasetError(
            f"{len(groups)} different images cannot be divided into {folds} folds; declare fewer"
        )
    of_group = {
        name: sum((objects[i] for i in ids), Counter[int]()) for name, ids in groups.items()
    }
    totals = sum(of_group.values(), Counter[int]())
    rarest_first = sorted(totals, key=lambda category: (totals[category], category))
    spread: list[Counter[int]] = [Counter() for _ in range(folds)]
    sizes, place = [0] * folds, {}
    for category in [*rarest_first, None]:
        having = [
            name
            for name in groups
            if name not in place and (category is None or of_group[name][category])
        ]
        having.sort(key=lambda name: (0 if category is None else -of_group[name][category], name))
        for name in having:
            least = min(
                range(folds),
                key=lambda fold: (0 if category is None else spread[fold][category], sizes[fold]),
            )
            place[name] = least
            spread[least] += of_group[name]
            sizes[least] += len(groups[name])
    fold_of = {image: place[name] for name, ids in groups.items() for image in ids}
    return [
        [image["id"] for image in content["images"] if fold_of[image["id"]] == fold]
        for fold in range(folds)
    ]


def write_folds(
    annotations: Path, sums: Mapping[str, str], files: list[tuple[Path, Path]]
) -> list[list[int]]:
    """Write the annotation files of all folds; everything but images and annotations is kept.

    Args:
        annotations: The file of the whole data set.
        sums: File name of an image → sum of its content.
        files: For each fold, where the annotations go of the images to train on and to test on.

    Returns:
        The ids of the images of each fold.

    Raises:
        DatasetError: The file is malformed, or there are fewer different images than folds.
    """
    content = read_annotations(annotations)
    try:
        divided = divide(content, sums, len(files))
    except DatasetError as error:
        raise DatasetError(f"{annotations}: {error}") from None
    for tested, (train, test) in zip(divided, files, strict=True):
        chosen = set(tested)
        for path, is_tested in ((train, False), (test, True)):
            part = {
                "images": [i for i in content["images"] if (i["id"] in chosen) == is_tested],
                "annotations": [
                    a for a in content["annotations"] if (a["image_id"] in chosen) == is_tested
                ],
            }
            write_json(path, {**content, **part})
    return divided

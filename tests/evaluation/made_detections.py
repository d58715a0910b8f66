"""Small data sets in COCO's format with every kind of detection, and no two equal scores."""

import json

import numpy as np

CLASSES = {10: "cat", 20: "dog", 30: "bird"}


def entry(image, category, box, crowd=0):
    """An annotation; the box is xywh."""
    return {
        "image_id": image,
        "category_id": category,
        "bbox": [float(value) for value in box],
        "area": float(box[2] * box[3]),
        "iscrowd": crowd,
    }


def detection(image, category, box, score):
    return {
        "image_id": image,
        "category_id": category,
        "bbox": [float(value) for value in box],
        "score": float(score),
    }


def write(folder, annotations, images):
    """Write an annotation file."""
    content = {
        "images": [{"id": image} for image in images],
        "categories": [{"id": number, "name": name} for number, name in CLASSES.items()],
        "annotations": [{**one, "id": i} for i, one in enumerate(annotations, start=1)],
    }
    path = folder / "annotations.json"
    path.write_text(json.dumps(content))
    return path


def made(seed, images=6):
    """Annotations and detections at random.

    There are crowd regions, objects of two sizes that nobody looked for, an image without objects,
    and detections with the wrong class, a poor box, both, several for one object, and of nothing.
    """
    random = np.random.default_rng(seed)
    annotations, found = [], []
    for image in range(1, images + 1):
        for _ in range(int(random.integers(0, 5)) if image > 1 else 0):
            category = int(random.choice(list(CLASSES)[:2]))
            box = random.uniform([0, 0, 15, 15], [300, 300, 150, 150])
            annotations.append(entry(image, category, box, int(random.random() < 0.1)))
            for _ in range(int(random.integers(0, 4))):
                near = box + random.normal(0, random.choice([0.03, 0.25]) * box[2:].min(), 4)
                near[2:] = np.maximum(near[2:], 2)
                switched = int(random.choice(list(CLASSES)))
                chosen = category if random.random() < 0.7 else switched
                found.append((image, chosen, near))
        for _ in range(int(random.integers(0, 3))):
            box = random.uniform([0, 0, 8, 8], [400, 400, 90, 90])
            found.append((image, int(random.choice(list(CLASSES))), box))
    scores = (random.permutation(len(found)) + 1) / (len(found) + 1)
    detections = [detection(*one, score) for one, score in zip(found, scores, strict=True)]
    return annotations, detections

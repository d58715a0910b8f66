"""Inference: the detections of a trained job."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.runner import Runner
from pycocotools.mask import encode

from tsd.experiments.job import Job
from tsd.results.records import DetectRecord
from tsd.run_folder import write_json
from tsd.training.build import augment_test, runtime_config, trained_model

ANNOUNCE_EVERY = 30.0
"""Seconds between two lines that tell a waiting person how far it is."""


def detect(job: Job, announce: Callable[[str], None]) -> None:
    """Detect objects in the val split, and write the detections and ``detect.json``.

    Args:
        job: A trained job.
        announce: Called with lines that tell a waiting person how far it is.
    """
    config = runtime_config(job)
    detections, about = find_objects(job, config, config.get("test_time_augmentation"), announce)
    write_json(job.folder.detections, detections)
    DetectRecord(key=job.key, classes=job.dataset.classes, **about).write(job.folder.detect)


def find_objects(
    job: Job,
    config: Config,
    augmentation: Config | None,
    announce: Callable[[str], None],
    weights: Path | None = None,
) -> tuple[list[dict], dict[str, Any]]:
    """Detect objects in the test data of a config.

    Args:
        job: A trained job.
        config: Its runtime config.
        augmentation: As in :func:`tsd.training.build.augment_test`.
        announce: Called with lines that tell a waiting person how far it is.
        weights: As in :func:`tsd.training.build.trained_model`.

    Returns:
        The detections, in the format of :func:`as_coco`, and facts about the inference for
        ``detect.json``.
    """
    model = trained_model(job, weights)
    device = next(model.parameters()).device.type
    model = augment_test(model, config, augmentation)
    loader = Runner.build_dataloader(config.test_dataloader)
    categories = loader.dataset.cat_ids

    detections: list[dict] = []
    seconds, announced, done = 0.0, time.time(), 0
    with torch.inference_mode():
        for batch in loader:
            started = time.perf_counter()
            samples = model.test_step(batch)
            seconds += time.perf_counter() - started
            done += len(samples)
            for sample in samples:
                detections.extend(as_coco(sample, categories))
            if time.time() - announced >= ANNOUNCE_EVERY:
                announced = time.time()
                announce(f"{done} of {len(loader.dataset)} images")
    return detections, {
        "images": done,
        "detections": len(detections),
        "seconds_per_image": seconds / max(done, 1),
        "device": device,
    }


def as_coco(sample: DetDataSample, categories: list[int]) -> list[dict]:
    """Convert the detections of an image to COCO's results format.

    Args:
        sample: A prediction, with boxes (x1, y1, x2, y2) in pixels of the original image.
        categories: Category id of each label, as in the annotation file.

    Returns:
        One entry for each detection, with its box as [x, y, width, height] in the same pixels. If
        the detector predicts masks, they are added as COCO's run lengths.
    """
    found = sample.pred_instances.cpu()
    corners = found.bboxes.double()
    boxes = torch.cat([corners[:, :2], corners[:, 2:] - corners[:, :2]], dim=1)
    entries = [
        {"image_id": sample.img_id, "category_id": categories[label], "bbox": box, "score": score}
        for box, score, label in zip(
            boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True
        )
    ]
    if "masks" in found:
        for entry, mask in zip(entries, found.masks.numpy(), strict=True):
            runs = encode(np.asfortranarray(mask.astype(np.uint8)))
            entry["segmentation"] = {"size": runs["size"], "counts": runs["counts"].decode()}
    return entries

"""Inference of a trained job on the val split."""

import time
from collections.abc import Callable

import numpy as np
import torch
from mmengine.runner import Runner
from pycocotools.mask import encode

from tsd.experiments.grid import Job
from tsd.run_folder import write_json
from tsd.training.build import augment_test, runtime_config, trained_model


def detect(job: Job, announce: Callable[[str], None], announce_every: float = 30) -> None:
    """Write the detections of the val split, and ``detect.json`` about them.

    Boxes are COCO's [x, y, width, height] in pixels of the original image, category ids those of
    the annotation file; a detector of masks adds them as run lengths.

    Args:
        job: A trained job.
        announce: Takes a line for the person who waits.
        announce_every: Seconds between two lines.
    """
    config = runtime_config(job)
    model = trained_model(job)
    device = next(model.parameters()).device.type
    model = augment_test(model, config)
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
                detections.extend(_as_coco(sample, categories))
            if time.time() - announced >= announce_every:
                announced = time.time()
                announce(f"{done} of {len(loader.dataset)} images")
    write_json(job.folder.detections, detections)
    write_json(
        job.folder.detect,
        {
            "key": job.key,
            "images": done,
            "detections": len(detections),
            "seconds_per_image": seconds / max(done, 1),
            "device": device,
        },
    )


def _as_coco(sample, categories: list[int]) -> list[dict]:
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

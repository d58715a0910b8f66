"""Measuring the detections of a job, by the protocol of its data set's format.

:mod:`tsd.experiments.data_formats` names the function of each format. All of them take a job that
has detected. They return what the function that does the work returns, for ``metrics.json``:
``metrics`` (name → value), ``grid`` (AP by thresholds and sizes, or None) and ``per_class`` (class
→ AP).
"""

from typing import Any

from tsd.evaluation.coco import evaluate_detections, evaluate_masks
from tsd.experiments.data_formats import format_of
from tsd.experiments.grid import Job
from tsd.run_folder import read_json


def measure_coco(job: Job) -> dict[str, Any]:
    """Measure boxes by COCO's protocol, and the masks of a detector that has a head for them."""
    annotations = format_of(job.dataset).files["val"]
    detections = read_json(job.folder.detections)
    result = evaluate_detections(annotations, detections, job.dataset.classes)
    if "mask_head" in job.config.model.get("roi_head", {}):
        result["metrics"] |= evaluate_masks(annotations, detections, job.dataset.classes)
    return result


def measure_openimages(job: Job) -> dict[str, Any]:
    """Measure boxes by the Open Images Challenge's protocol."""
    # Imported here, because it takes seconds to load torch, which COCO's metrics do without.
    from tsd.evaluation import openimages

    files = format_of(job.dataset).files
    names = ("val", "labels", "hierarchy", "verified")
    split = openimages.open_split(*(files[name] for name in names))
    return openimages.evaluate_detections(split, job.folder.detections)

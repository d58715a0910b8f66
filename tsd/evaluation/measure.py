"""Measuring the detections of a job, by the protocol of its data set's format.

:mod:`tsd.experiments.data_formats` names the function of each format. All of them take a job that
has detected, and return the record that becomes its ``metrics.json``.
"""

from pkgutil import resolve_name

from tsd.evaluation.coco import (
    CocoEvaluation,
    evaluate_boxes,
    evaluate_masks,
    precision_per_class,
)
from tsd.experiments.data_formats import format_of
from tsd.experiments.job import Job
from tsd.experiments.metrics import EVALUATION_VERSION, evaluated
from tsd.results.records import EvaluationRecord, Metrics


def measure_coco(job: Job) -> EvaluationRecord:
    """Measure boxes by COCO's protocol, and the masks of a detector that has a head for them."""
    annotations = format_of(job.dataset).files["val"]
    detections, classes = job.folder.detections, job.dataset.classes
    boxes = evaluate_boxes(annotations, detections, classes)
    masks = None
    if "mask_head" in job.config.model.get("roi_head", {}):
        masks = evaluate_masks(annotations, detections, classes)
    return EvaluationRecord(
        key=job.key,
        version=EVALUATION_VERSION,
        metrics=declared_metrics(boxes, masks),
        per_class=precision_per_class(boxes),
    )


def declared_metrics(boxes: CocoEvaluation, masks: CocoEvaluation | None) -> Metrics:
    """Compute every declared metric of the evaluation; those of masks only where there are some."""
    measured: Metrics = {}
    for name, metric in evaluated().items():
        evaluation = masks if metric.of_masks else boxes
        if evaluation is not None and metric.function is not None:
            measured[name] = resolve_name(metric.function)(evaluation, **metric.arguments)
    return measured


def measure_openimages(job: Job) -> EvaluationRecord:
    """Measure boxes by the Open Images Challenge's protocol, which has AP50 alone."""
    # Imported here, because it takes seconds to load torch, which COCO's metrics do without.
    from tsd.evaluation import openimages

    files = format_of(job.dataset).files
    names = ("val", "labels", "hierarchy", "verified")
    split = openimages.open_split(*(files[name] for name in names))
    measured = openimages.evaluate_detections(split, job.folder.detections)
    return EvaluationRecord(key=job.key, version=EVALUATION_VERSION, **measured)

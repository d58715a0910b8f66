"""What the step ``evaluate`` computes of a job's detections, for each format of a data set."""

from pkgutil import resolve_name

from tsd.evaluation.coco import (
    CocoEvaluation,
    evaluate_boxes,
    evaluate_masks,
    precision_per_class,
)
from tsd.experiments.data_formats import format_of
from tsd.experiments.grid import Job
from tsd.experiments.metrics import EVALUATION_VERSION, evaluated
from tsd.results.records import EvaluationRecord, Metrics


def measure_coco(job: Job) -> EvaluationRecord:
    """Measure detections on a data set in COCO's format, masks too where the network has them."""
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
    """Measure detections by the Open Images Challenge's protocol, which has AP50 alone."""
    # Imported here, because it takes seconds to load torch, which COCO's metrics do without.
    from tsd.evaluation.openimages import evaluate_detections, open_split

    files = format_of(job.dataset).files
    split = open_split(*(files[name] for name in ("val", "labels", "hierarchy", "verified")))
    measured = evaluate_detections(split, job.folder.detections)
    return EvaluationRecord(key=job.key, version=EVALUATION_VERSION, **measured)

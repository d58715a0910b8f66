"""Measuring the detections of a job, by the protocol of its data set's format.

:mod:`tsd.experiments.data_formats` names the function of each format. All of them take a job that
has detected, and return the record that becomes its ``metrics.json``.
"""

from pkgutil import resolve_name

from tsd.evaluation.bootstrap import resample
from tsd.evaluation.coco import (
    CocoEvaluation,
    evaluate_boxes,
    evaluate_masks,
    precision_per_class,
)
from tsd.experiments.data_formats import format_of
from tsd.experiments.job import Job
from tsd.experiments.label_order import require_label_order
from tsd.experiments.metrics import EVALUATION_VERSION, evaluated
from tsd.results.own_records import require_all_detections
from tsd.results.possible_values import Metrics
from tsd.results.records import DetectRecord, EvaluationRecord


def measure_coco(job: Job, detections: list[dict] | None = None) -> EvaluationRecord:
    """Measure boxes by COCO's protocol, and the masks of a detector that has a head for them.

    Of the detections that the job has written down it also measures how much hangs on the choice of
    images, which goes into a file beside the record (:mod:`tsd.evaluation.bootstrap`).

    Args:
        job: The job.
        detections: Made just now; by default those that the job has written down.

    Raises:
        LabelOrderError: An earlier version of this project made the detections, whose categories
            are wrong because files list them in another order than the declaration.
        RecordError: The file of detections does not have as many as were written to it.
    """
    if detections is None:
        require_all_detections(job.folder)
        _require_label_order(job)
    dataset = job.data
    of_val = (
        format_of(dataset).files["val"],
        job.folder.detections if detections is None else detections,
        dataset.classes,
        dataset.max_detections,
    )
    boxes = evaluate_boxes(*of_val)
    masks = evaluate_masks(*of_val) if job.predicts_masks else None
    if detections is None:
        resample(boxes, masks).write(job.folder.resamples)
    return EvaluationRecord(
        key=job.key,
        version=EVALUATION_VERSION,
        metrics=declared_metrics(boxes, masks),
        per_class=precision_per_class(boxes),
    )


def _require_label_order(job: Job) -> None:
    record = DetectRecord.read(job.folder.detect)
    require_label_order(
        job.dataset,
        None if record is None else record.classes,
        splits=["train", "val"],
        what=str(job.folder.detections),
        remedy=f"delete {job.folder.path} to have it trained and tested again, or, if the error "
        f"is about the val split, {job.folder.detect} alone to have it tested again",
    )


def declared_metrics(boxes: CocoEvaluation, masks: CocoEvaluation | None) -> Metrics:
    """Compute every declared metric of the evaluation; those of masks only where there are some."""
    measured: Metrics = {}
    for name, metric in evaluated().items():
        evaluation = masks if metric.of_masks else boxes
        if evaluation is not None and metric.function is not None:
            measured[name] = resolve_name(metric.function)(evaluation, **metric.arguments)
    return measured


def measure_openimages(job: Job, detections: list[dict] | None = None) -> EvaluationRecord:
    """Measure boxes by the Open Images Challenge's protocol, which has AP50 alone.

    Args:
        job: The job.
        detections: As in :func:`measure_coco`.

    Raises:
        RecordError: As there.
    """
    # Imported here, because it takes seconds to load torch, which COCO's metrics do without.
    from tsd.evaluation import openimages

    if detections is None:
        require_all_detections(job.folder)
    files = format_of(job.dataset).files
    names = ("val", "labels", "hierarchy", "verified")
    split = openimages.open_split(*(files[name] for name in names))
    measured = openimages.evaluate_detections(
        split, job.folder.detections if detections is None else detections
    )
    return EvaluationRecord(key=job.key, version=EVALUATION_VERSION, **measured)

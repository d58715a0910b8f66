"""Metrics of a job, by the format of its data set."""

import json
from dataclasses import replace

import pytest

from tests.data.openimages_example import declared, write_raw
from tsd.data.openimages_prepare import prepare
from tsd.evaluation.measure import measure_coco, measure_openimages
from tsd.evaluation.openimages import open_split
from tsd.experiments.data_formats import format_of
from tsd.experiments.metrics import evaluated
from tsd.run_folder import write_json


def truth(job):
    """The objects of a COCO-format job's val split as detections that are all sure and right."""
    content = json.loads(format_of(job.dataset).files["val"].read_text())
    return [
        {key: entry[key] for key in ("image_id", "category_id", "bbox", "segmentation")}
        | {"score": 1.0}
        for entry in content["annotations"]
    ]


def test_boxes_of_a_coco_data_set_are_measured(smoke_grid):
    job = smoke_grid.job("r50", 0)
    write_json(job.folder.detections, truth(job))
    result = measure_coco(job)
    assert result.metrics["AP"] == pytest.approx(100)
    assert result.metrics.keys() == {m.id for m in evaluated().values() if not m.of_masks}
    assert set(result.per_class) == set(job.dataset.classes)
    assert result.is_current


def test_masks_are_measured_too_of_a_detector_that_has_them(smoke_grid):
    job = smoke_grid.job("mask_r50", 0)
    write_json(job.folder.detections, truth(job))
    metrics = measure_coco(job).metrics
    assert metrics.keys() == evaluated().keys()
    assert metrics["AP"] == pytest.approx(100)
    assert metrics["mask_AP"] == pytest.approx(100)


def test_boxes_of_an_open_images_data_set_are_measured(smoke_grid, tmp_path):
    prepare(write_raw(tmp_path), tmp_path / "annotations")
    job = replace(smoke_grid.job("r50", 0), dataset=declared(tmp_path))
    files = format_of(job.dataset).files
    split = open_split(*(files[name] for name in ("val", "labels", "hierarchy")))
    right = [
        {
            "image_id": image["img_id"],
            "category_id": instance["bbox_label"] + 1,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "score": 1.0,
        }
        for image in split.data_list
        for instance in image["instances"]
        for x1, y1, x2, y2 in [instance["bbox"]]
    ]
    write_json(job.folder.detections, right)
    result = measure_openimages(job)
    assert result.metrics == {"AP50": pytest.approx(100)}
    # Nobody has looked for a Bench of the second kind, so that a wrong one costs nothing.
    wrong = {"image_id": "b2", "category_id": 4, "bbox": [0, 0, 40, 80], "score": 1.0}
    write_json(job.folder.detections, [*right, wrong])
    assert measure_openimages(job) == result

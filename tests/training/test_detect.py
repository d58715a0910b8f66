"""Inference of what is more than a plain box detector: masks, and several scales at test."""

from pathlib import Path

import pytest
from pycocotools.mask import area

from tsd.evaluation.coco import average_precision, evaluate_masks
from tsd.evaluation.latency import CALLS, measure_latency
from tsd.run_folder import read_json
from tsd.training.build import augment_test, runtime_config, trained_model
from tsd.training.detect import detect
from tsd.training.train import train


def silent(_line):
    pass


@pytest.fixture(scope="module")
def trained(smoke_grid_for_module):
    """A job that has trained at the smoke scale, by its run."""

    def of(run):
        job = smoke_grid_for_module.job(run, 0)
        if not job.folder.weights.exists():
            train(job, [], silent)
        return job

    return of


def test_masks_are_dumped_with_their_boxes_and_measured(trained):
    job = trained("mask_r50_tsd")
    detect(job, silent)
    detections = read_json(job.folder.detections)
    assert detections
    for entry in detections:
        assert entry["segmentation"]["size"] == [160, 160]
        assert area(entry["segmentation"]) <= 160 * 160
    annotations = Path(job.dataset.root) / job.dataset.val.annotations
    masks = evaluate_masks(annotations, detections, job.dataset.classes)
    assert 0 <= average_precision(masks) <= 100


def test_several_scales_at_test_are_seen_and_their_boxes_merged(trained):
    job = trained("bells_r101_dcn_tsd")
    config = runtime_config(job)
    scales = config.test_time_augmentation.scales
    model = trained_model(job)
    tested = augment_test(model, config, config.get("test_time_augmentation"))
    assert tested.module is model
    detect(job, silent)
    assert read_json(job.folder.detect)["images"] == 4
    assert all(len(entry["bbox"]) == 4 for entry in read_json(job.folder.detections))
    transforms = config.test_dataloader.dataset.pipeline[1]["transforms"]
    assert [resize["scale"] for resize in transforms[0]] == scales
    assert len(scales) > 1


def test_a_run_without_augmentation_is_tested_as_it_is(trained):
    job = trained("r50")
    config, model = runtime_config(job), trained_model(job)
    before = config.test_dataloader.to_dict()
    assert augment_test(model, config, config.get("test_time_augmentation")) is model
    assert config.test_dataloader.to_dict() == before


def test_latency_says_what_was_timed_and_on_what(trained):
    job = trained("r50")
    measure_latency(job)
    latency = read_json(job.folder.latency)
    assert 0 < latency["p10_ms"] <= latency["median_ms"] <= latency["p90_ms"]
    assert latency["calls"] == CALLS
    assert latency["images"] == 4
    assert latency["device"]
    assert latency["key"] == job.key

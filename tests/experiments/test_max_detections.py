"""How many objects of an image are reported, where the data set says so."""

from dataclasses import replace

import pytest

from tests.coco_example import declared
from tsd.experiments.compile import compile_run
from tsd.experiments.reading import DeclarationError
from tsd.experiments.settings import open_grid


@pytest.fixture
def job_of(tmp_path):
    def of(run, **keys):
        grid = replace(open_grid({"scale": "smoke"}), dataset=declared(tmp_path, **keys))
        return grid.job(run, 0)

    return of


def test_cocos_number_changes_nothing(job_of):
    said, silent = job_of("r50", max_detections=100), job_of("r50")
    assert said.digest == silent.digest
    assert said.config.model.test_cfg.rcnn.max_per_img == 100
    assert said.dataset.model_dump() == silent.dataset.model_dump()
    assert "max_detections" not in silent.dataset.model_dump_json()


def test_detectors_of_two_stages_report_more_and_propose_as_many(job_of):
    job = job_of("r50", max_detections=600)
    test = job.config.model.test_cfg
    assert (test.rcnn.max_per_img, test.rpn.max_per_img, test.rpn.nms_pre) == (600, 600, 600)
    assert job.config.dataset.max_detections == 600
    assert job.digest != job_of("r50").digest
    assert job.config.model.train_cfg == job_of("r50").config.model.train_cfg
    assert '"max_detections":600' in job.dataset.model_dump_json()


def test_fewer_detections_leave_the_proposals_alone(job_of):
    test = job_of("r50", max_detections=7).config.model.test_cfg
    assert (test.rcnn.max_per_img, test.rpn.max_per_img, test.rpn.nms_pre) == (7, 200, 500)


def test_detectors_of_one_stage_report_more(job_of):
    assert job_of("peer_retinanet", max_detections=300).config.model.test_cfg.max_per_img == 300


def test_every_declared_run_can_report_more(job_of, tmp_path):
    grid = replace(open_grid({"scale": "smoke"}), dataset=declared(tmp_path, max_detections=300))
    for job in grid.jobs:
        test = job.config.model.test_cfg
        assert test.get("rcnn", test).max_per_img == 300, job.run.id


def test_a_run_has_the_last_word(job_of):
    job = job_of("r50", max_detections=300)
    run = job.run.model_copy(update={"set": {"model.test_cfg.rcnn.max_per_img": 50}})
    assert replace(job, run=run).config.model.test_cfg.rcnn.max_per_img == 50


@pytest.mark.parametrize("settings", [{"score_thr": 0.05}, None])
def test_a_detector_that_nobody_can_tell_is_refused(job_of, settings):
    job = job_of("r50", max_detections=300)
    scale = job.scale.model_copy(update={"bases": [], "set": {"model.test_cfg.rcnn": settings}})
    with pytest.raises(DeclarationError, match=r"key max_detections: a FasterRCNN has no test_cfg"):
        compile_run(job.run, None, None, scale, job.dataset, job.results)


@pytest.mark.parametrize("most", [0, -1, 2.5, "many"])
def test_it_is_a_number_of_objects(tmp_path, most):
    with pytest.raises(ValueError, match="max_detections"):
        declared(tmp_path, max_detections=most)

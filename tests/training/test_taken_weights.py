"""A run that takes its weights from a file of the authors' release is not trained."""

import hashlib
from dataclasses import replace

import pytest
import torch

from tests.training.released_scale import write_scale, write_weights
from tsd.experiments.card import Place
from tsd.experiments.settings import open_grid
from tsd.results.records import TrainRecord
from tsd.run_folder import read_json
from tsd.training.build import trained_model
from tsd.training.checkpoints import WeightsError
from tsd.training.detect import detect
from tsd.training.released_checkpoint import convert_checkpoint
from tsd.training.taken_weights import take_weights


@pytest.fixture
def job_with(tiny_data, tmp_path):
    scale = write_scale(tmp_path)
    dataset = open_grid({"scale": str(scale)}).dataset

    def make(names=None, **kind):
        file = write_weights(tmp_path / "authors.pth", dataset, names, **kind)
        settings = {"scale": str(scale), "checkpoint": f"released_r50={file}"}
        grid = open_grid(settings, tmp_path / "results")
        moved = dataset.model_copy(update={"root": str(tiny_data)})
        return replace(grid, dataset=moved).job("released_r50", 0)

    return make


def take(job):
    said = []
    row = Place("released", "Released", "ResNet-50", {}, None, is_papers=False)
    take_weights(job, [row], said.append)
    return said


def test_the_record_says_where_the_weights_are_from(job_with):
    job = job_with()
    (line,) = take(job)
    record = TrainRecord.read(job.folder.train)
    assert record == TrainRecord.read(job.folder.trained)
    sum_of_file = hashlib.sha256(job.checkpoint.read_bytes()).hexdigest()
    assert record.taken_from.file == "authors.pth"
    assert record.taken_from.sha256 == sum_of_file
    assert record.taken_from.says == {"epoch": "14", "mmdet_version": "1.1.0"}
    assert record.iterations == 0
    assert "train_seconds" not in record.metrics
    expected = f"authors.pth (SHA-256 {sum_of_file[:10]}…, epoch 14, mmdet_version 1.1.0)"
    assert line == f"is not trained: its weights are those of {expected}"
    assert read_json(job.folder.status)["state"] == "done"
    assert read_json(job.folder.card)["tags"]["tables"] == "released"


def test_the_network_has_the_converted_weights_and_detects(job_with):
    job = job_with()
    take(job)
    model = trained_model(job)
    released = torch.load(job.checkpoint, weights_only=True)["state_dict"]
    found = model.roi_head.bbox_head.cls_fcs[0].weight.cpu()
    assert torch.equal(found, released["bbox_head.TSD_pc_fcs.0.weight"])
    detect(job, print)
    detections = read_json(job.folder.detections)
    assert detections
    assert all(len(one["bbox"]) == 4 for one in detections)


def test_a_file_that_was_converted_before_gives_the_same(job_with, tmp_path):
    job = job_with()
    take(job)
    weights = torch.load(job.folder.weights, weights_only=True)["state_dict"]
    converted = tmp_path / "ours.pth"
    convert_checkpoint(job.checkpoint, converted)
    again = replace(job, checkpoint=converted, shared=None)
    assert again.digest != job.digest
    take(again)
    found = torch.load(again.folder.weights, weights_only=True)["state_dict"]
    assert all(torch.equal(found[name], weights[name]) for name in weights)
    assert TrainRecord.read(again.folder.train).taken_from == (
        TrainRecord.read(job.folder.train).taken_from.model_copy(update={"file": "ours.pth"})
    )


def test_weights_that_are_there_are_left_and_lost_records_are_made_again(job_with):
    job = job_with()
    take(job)
    written = job.folder.weights.stat().st_mtime_ns
    job.folder.train.unlink()
    assert take(job) == ["has its weights from authors.pth already"]
    assert job.folder.weights.stat().st_mtime_ns == written
    assert job.folder.train.is_file()
    job.folder.weights.write_bytes(b"damaged")
    assert "is not trained" in take(job)[-1]
    assert trained_model(job)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ({"masks": True}, r"holds a Mask R-CNN with TSD.*, and the run released_r50 is another"),
        ({"tsd": False}, "holds a Faster R-CNN without TSD"),
        ({"stages": 3}, "holds a Cascade R-CNN with TSD"),
        ({"depth": 101}, "holds a Faster R-CNN with TSD, ResNet-101"),
    ],
)
def test_another_kind_of_detector_is_refused(job_with, kind, message):
    job = job_with(**kind)
    with pytest.raises(WeightsError, match=message):
        take(job)
    assert not job.folder.weights.exists()
    assert not job.folder.train.exists()


def test_classes_in_another_order_are_refused(job_with):
    names = [str(number) for number in range(len(job_with().dataset.classes))]
    with pytest.raises(WeightsError, match="has other classes than the data set embedded-tiny"):
        take(job_with(names[::-1]))


def test_a_run_that_is_trained_takes_no_weights(smoke_grid):
    with pytest.raises(ValueError, match="run r50 is trained"):
        take(smoke_grid.job("r50", 0))

"""AP on the way of a training: measured as at its end, from weights of that training alone."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from tests.reporting.conftest import train_record
from tsd.cli.steps import milestones as milestones_step
from tsd.evaluation.measure import measure_coco
from tsd.evaluation.milestones import learning_rates, measure_milestones, what_is_missing
from tsd.experiments.label_order import LabelOrderError
from tsd.experiments.metrics import evaluated
from tsd.reporting.collect import collect_job
from tsd.results.records import MilestonesRecord, TrainRecord, read_records
from tsd.run_folder import write_json
from tsd.training.detect import detect
from tsd.training.train import begin, train


def silent(_line):
    pass


@pytest.fixture(scope="module")
def trained(smoke_grid_for_module):
    """A job that has trained at the smoke scale, which declares a milestone at one half."""
    job = smoke_grid_for_module.job("r50", 0)
    train(job, [], silent)
    return job


@pytest.fixture
def job(trained, tmp_path):
    """The same, in a folder that a test may change."""
    shutil.copytree(trained.folder.path, tmp_path / trained.key)
    return replace(trained, results=tmp_path)


def test_weights_on_the_way_are_measured_as_those_of_the_end_are(job):
    assert set(job.folder.weights_on_the_way()) == {2}
    shutil.copy(job.folder.weights, job.folder.weights_at(2))
    detect(job, silent)
    at_the_end = measure_coco(job).metrics
    record = measure_milestones(job, silent)
    assert (record.key, record.iterations, record.missing) == (job.key, 4, None)
    (milestone,) = record.milestones
    assert milestone.iteration == 2
    assert milestone.metrics == at_the_end
    assert set(milestone.metrics) == {m for m in evaluated() if not m.startswith("mask_")}


def test_a_network_on_the_way_is_another_than_at_the_end(job):
    kept = torch.load(job.folder.weights_at(2), weights_only=True)["state_dict"]
    end = torch.load(job.folder.weights, weights_only=True)["state_dict"]
    assert kept.keys() == end.keys()
    assert any(not torch.equal(kept[name], end[name]) for name in kept)


def test_the_record_is_collected_and_belongs_to_one_training(job):
    measure_milestones(job, silent).write(job.folder.milestones)
    assert collect_job(job).milestones == MilestonesRecord.read(job.folder.milestones)
    begin(job, [], attempts=2)
    assert collect_job(job).milestones is None


def test_values_of_an_earlier_meaning_count_as_not_measured(job):
    record = measure_milestones(job, silent)
    record.model_copy(update={"version": record.version - 1}).write(job.folder.milestones)
    assert read_records(job.folder).milestones is None


def test_a_training_that_kept_nothing_is_passed_over_with_the_reason(job):
    shutil.rmtree(job.folder.weights_at(2).parent)
    said = []
    record = measure_milestones(job, said.append)
    assert record.milestones == []
    assert record.missing.startswith("no weights were kept after 2 of 4 iterations, because the")
    assert said == [f"not measured on the way: {record.missing}"]


def test_only_the_milestones_without_weights_are_missing(job):
    scale = job.scale.model_copy(update={"milestones": [0.25, 0.5, 0.75]})
    (missing,) = what_is_missing(replace(job, scale=scale), 4, {2: job.folder.weights_at(2)})
    assert missing.startswith("no weights were kept after 1, 3 of 4 iterations")
    none = job.scale.model_copy(update={"milestones": []})
    assert what_is_missing(replace(job, scale=none), 4, {}) == [
        "scale smoke declares no milestones at which trainings keep their weights"
    ]


def test_a_damaged_file_is_told_and_hides_no_other(job):
    shutil.copy(job.folder.weights_at(2), job.folder.weights_at(3))
    job.folder.weights_at(2).write_bytes(job.folder.weights.read_bytes()[:500])
    record = measure_milestones(job, silent)
    assert [one.iteration for one in record.milestones] == [3]
    assert record.missing == f"{job.folder.weights_at(2)} is damaged"


def test_weights_of_a_longer_training_than_this_one_do_not_count(job):
    shutil.copy(job.folder.weights_at(2), job.folder.weights_at(6))
    assert [one.iteration for one in measure_milestones(job, silent).milestones] == [2]


def test_weights_with_labels_in_another_order_are_refused(job):
    record = TrainRecord.read(job.folder.train)
    order = record.classes[::-1]
    record.model_copy(update={"classes": order}).write(job.folder.train)
    with pytest.raises(LabelOrderError, match=r"weights_2\.pth: its labels are nine, eight"):
        measure_milestones(job, silent)


def test_what_is_not_trained_cannot_be_measured(job):
    job.folder.train.unlink()
    with pytest.raises(FileNotFoundError, match="the job is not trained"):
        measure_milestones(job, silent)


def test_the_learning_rate_is_told_beside_the_value(job):
    events = [(1, 0.02), (2, 0.01), (3, 0.005)]
    lines = [json.dumps({"step": s, "time": 0, "metrics": {"lr": lr}}) for s, lr in events]
    job.folder.events.write_text("\n".join([*lines, '{"step": 4, "ti']))
    assert learning_rates(job.folder.events) == {1: 1.0, 2: 0.5, 3: 0.25}
    (milestone,) = measure_milestones(job, silent).milestones
    assert milestone.learning_rate == 0.5
    job.folder.events.unlink()
    assert learning_rates(job.folder.events) == {}
    (milestone,) = measure_milestones(job, silent).milestones
    assert milestone.learning_rate is None


def test_the_step_of_the_workflow_writes_the_record(job, monkeypatch):
    monkeypatch.setattr("tsd.cli.steps.job_of", lambda _options: job)
    train_record(key=job.key, iterations=4, classes=job.dataset.classes).write(job.folder.train)
    write_json(job.folder.status, {"state": "done"})

    class Options:
        log = None

    milestones_step(Options)
    assert MilestonesRecord.read(job.folder.milestones).milestones

"""The files that the steps of a training leave, and the one mapping that is read from them."""

import json

import pytest

from tests.reporting.conftest import train_record
from tsd.experiments.metrics import EVALUATION_VERSION, METRICS
from tsd.results.records import (
    EvaluationRecord,
    LatencyRecord,
    RecordError,
    TrainRecord,
    read_records,
)
from tsd.run_folder import RunFolder

LATENCY = LatencyRecord(
    key="k", median_ms=12.5, p10_ms=12, p90_ms=13, calls=100, images=4, device="V100", threads=1
)


def evaluation(version=EVALUATION_VERSION, **metrics):
    return EvaluationRecord(key="k", version=version, metrics=metrics, per_class={"cat": 1.0})


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path)


def test_an_empty_folder_has_no_values(folder):
    records = read_records(folder)
    assert records.metrics == {}
    assert (records.train, records.evaluation, records.tracking) == (None, None, None)


def test_each_step_adds_what_it_measured_under_the_metrics_own_name(folder):
    record = train_record(seconds=60.0, throughput=4.0, peak_memory_mib=512.0)
    record.write(folder.train)
    evaluation(AP=30.0, APs=None).write(folder.metrics)
    LATENCY.write(folder.latency)
    assert read_records(folder).metrics == {
        "params": 3.0,
        "train_seconds": 60.0,
        "throughput": 4.0,
        "peak_memory": 512.0,
        "AP": 30.0,
        "APs": None,
        "runtime": 12.5,
    }
    assert read_records(folder).metrics.keys() <= METRICS.keys()


def test_a_training_from_before_a_quantity_was_measured_has_no_value_of_it(folder):
    content = train_record().model_dump()
    for name in ("seconds", "throughput", "peak_memory_mib", "processes", "batch"):
        del content[name]
    folder.train.write_text(json.dumps(content))
    assert read_records(folder).metrics == {"params": 3.0}


@pytest.mark.parametrize("version", [0, EVALUATION_VERSION + 1])
def test_an_evaluation_of_another_meaning_counts_as_not_made(folder, version):
    evaluation(version, AP=30.0).write(folder.metrics)
    assert read_records(folder).evaluation is None
    evaluation(AP=30.0).write(folder.metrics)
    assert read_records(folder).metrics == {"AP": 30.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"key": "k"', r"train\.json: key the whole: .*delete the file to have it made anew"),
        ('{"key": "k"}', r"train\.json: key run: Field required"),
        ("[]", r"train\.json: key the whole"),
    ],
)
def test_a_malformed_file_is_named_with_the_key_and_the_remedy(folder, text, message):
    folder.train.write_text(text)
    with pytest.raises(RecordError, match=message):
        TrainRecord.read(folder.train)


def test_a_record_reads_back(folder):
    LATENCY.write(folder.latency)
    assert LatencyRecord.read(folder.latency) == LATENCY

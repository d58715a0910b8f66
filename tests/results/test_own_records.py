"""A folder's records count only if they are its own, are possible, and agree with each other."""

import json
import shutil

import pytest

from tests.reporting.conftest import train_record
from tsd.experiments.metrics import EVALUATION_VERSION, METRICS
from tsd.results.own_records import read_own_records, require_all_detections
from tsd.results.records import (
    DetectRecord,
    EvaluationRecord,
    LatencyRecord,
    MilestonesRecord,
    RecordError,
    read_records,
)
from tsd.run_folder import RunFolder, read_json, update_status, write_json

KEY = "mini/r50/ab12cd34ef/seed0"
BOX = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9], "score": 0.5}


@pytest.fixture
def folder(tmp_path):
    """The folder of an evaluated training with all of its records."""
    folder = RunFolder(tmp_path / "results" / KEY)
    train_record(KEY).write(folder.train)
    write_json(folder.detections, [BOX] * 100)
    DetectRecord(key=KEY, images=9, detections=100, seconds_per_image=0.1, device="cpu").write(
        folder.detect
    )
    EvaluationRecord(
        key=KEY, version=EVALUATION_VERSION, metrics={"AP": 30.0, "APs": None}, per_class={"a": 1.0}
    ).write(folder.metrics)
    MilestonesRecord(
        key=KEY, version=EVALUATION_VERSION, iterations=900, milestones=[], missing=None
    ).write(folder.milestones)
    LatencyRecord(
        key=KEY, median_ms=5, p10_ms=4, p90_ms=6, calls=9, images=3, device="cpu", threads=1
    ).write(folder.latency)
    update_status(folder, state="done")
    return folder


def edit(path, *keys, value):
    """Change a value of a file, as somebody does who edits it."""
    content = part = read_json(path)
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    path.write_text(json.dumps(content))


def refused(folder):
    with pytest.raises(RecordError) as error:
        read_own_records(folder)
    return str(error.value)


def test_what_a_training_has_left_is_believed(folder):
    records = read_own_records(folder)
    assert records == read_records(folder)
    assert records.metrics["AP"] == 30.0


def test_a_folder_that_was_copied_is_refused_whatever_it_holds(folder):
    copy = RunFolder(folder.path.with_name("seed1"))
    shutil.copytree(folder.path, copy.path)
    for name in ("train", "detect", "metrics", "milestones", "latency"):
        path = getattr(copy, name)
        said = refused(copy)
        assert said.startswith(f"{path}: "), "in the order in which the files are made"
        assert f"of the training {KEY}, " in said
        assert f"delete {copy.path} to have this training made anew" in said
        path.unlink()
    assert read_own_records(copy).metrics == {}


def test_a_folder_that_was_moved_to_another_digest_is_refused(folder):
    moved = folder.path.parent.rename(folder.path.parent.with_name("0123456789"))
    assert "lies in the folder of mini/r50/0123456789/seed0" in refused(RunFolder(moved / "seed0"))


@pytest.mark.parametrize(("key", "value"), [("run", "r101"), ("digest", "0" * 10), ("seed", 3)])
def test_a_record_that_contradicts_its_own_key_is_refused(folder, key, value):
    edit(folder.train, key, value=value)
    assert "train.json: key run, digest or seed" in refused(folder)


def test_the_copy_of_the_training_s_record_stands_for_it(folder):
    folder.train.rename(folder.trained)
    assert read_own_records(folder).train == train_record(KEY)
    edit(folder.trained, "key", value="mini/r50/ab12cd34ef/seed1")
    assert "trained.json: key key" in refused(folder)


@pytest.mark.parametrize("name", ["train", "status"])
def test_an_evaluation_without_what_it_rests_on_is_refused(folder, name):
    getattr(folder, name).unlink()
    said = refused(folder)
    assert f"{name}.json: is missing, though metrics.json is there; put it back" in said
    folder.metrics.unlink()
    read_own_records(folder)


def test_detections_that_were_emptied_or_cut_off_are_refused(folder):
    whole = folder.detections.read_text()
    for content in ("[]", whole[:1000]):
        folder.detections.write_text(content)
        said = refused(folder)
        assert f"detections.json: has {len(content)} bytes, too few for the 100 detect" in said
    folder.detections.unlink()
    assert read_own_records(folder).metrics["AP"] == 30.0, "they were deleted to make room"


def test_before_detections_are_measured_each_is_counted(folder):
    require_all_detections(folder)
    write_json(folder.detections, [BOX] * 99)
    with pytest.raises(RecordError, match=r"has 99 detections, but detect\.json tells of 100"):
        require_all_detections(folder)
    folder.detect.unlink()
    require_all_detections(folder)


@pytest.mark.parametrize(
    ("name", "keys", "value", "said"),
    [
        ("metrics", ("metrics", "AP"), 300.0, "AP is 300, but can only be from 0 to 100"),
        ("metrics", ("metrics", "AP"), -1, "AP is -1, but can only be from 0 to 100"),
        ("metrics", ("metrics", "AP"), float("nan"), "AP is nan, which is no finite number"),
        ("metrics", ("metrics", "dAP_cls"), -101, "can only be from -100 to 100"),
        ("metrics", ("metrics", "nobody_s"), float("inf"), "nobody_s is inf"),
        ("metrics", ("per_class", "a"), 101, "that of class 'a' is 101"),
        ("train", ("seconds",), -5, "greater than or equal to 0"),
        ("train", ("iterations",), -5, "greater than or equal to 0"),
        ("train", ("peak_memory_mib",), float("inf"), "finite"),
        ("detect", ("detections",), -1, "greater than or equal to 0"),
        ("latency", ("median_ms",), -1, "greater than or equal to 0"),
        (
            "milestones",
            ("milestones",),
            [{"iteration": 9, "learning_rate": 1, "metrics": {"AP": 200}}],
            "AP is 200",
        ),
    ],
)
def test_a_value_that_cannot_be_is_refused(folder, name, keys, value, said):
    path = getattr(folder, name)
    edit(path, *keys, value=value)
    found = refused(folder)
    assert found.startswith(f"{path}: key ")
    assert said in found


def test_a_value_at_its_bound_or_a_rounding_beyond_is_believed(folder):
    values = {"AP": 100 + 1e-9, "APs": 0.0, "AP50": -1e-9, "dAP_cls": -0.5, "nobody_s": -7.0}
    edit(folder.metrics, "metrics", value=values)
    assert read_own_records(folder).evaluation.metrics == values


def test_every_metric_in_percent_has_two_bounds_and_no_time_is_negative():
    for metric in METRICS.values():
        lowest, highest = metric.bounds
        assert (highest == 100) == (metric.unit == "%"), metric.id
        assert lowest in (0, -100), metric.id

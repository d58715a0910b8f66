import json

import pytest

from tsd.data.image_check import ImageReport
from tsd.data.split_report import (
    OF_EVALUATION,
    OF_TRAINING,
    Fate,
    Mask,
    Purpose,
    SplitReport,
    counts_of,
)
from tsd.experiments.settings import open_grid
from tsd.results.data_check import Ceiling, DataCheck
from tsd.results.records import RecordError


def split(purpose, *fates):
    return SplitReport(
        annotation_file="a.json",
        purpose=purpose,
        images=2,
        images_without_objects=1,
        annotations=len(fates),
        fates=counts_of(purpose, fates),
        per_class={"cat": 1},
        masks={Mask.POLYGONS: 1, Mask.RUN_LENGTHS: 2, Mask.MISSING: 4},
        notes=["One image has no object."],
    )


@pytest.fixture
def record():
    return DataCheck(
        dataset=open_grid({"scale": "smoke"}).dataset,
        train=split(Purpose.TRAINING, Fate.TRAINED, Fate.CROWD, Fate.FLAGGED),
        val=split(Purpose.EVALUATION, Fate.EVALUATED, Fate.NEVER_FOUND, Fate.OTHER_CLASS),
        pixels={"val": ImageReport(2, "00", 1, 0, 0, 0, 0)},
        ceiling=Ceiling(max_detections=100, objects_beyond=3, images_beyond=1, ap=98.5),
        classes_without_training_objects=["dog"],
        images_in_both=1,
        notes=["The class 'dog' has no object in train."],
    )


def test_a_record_is_read_as_it_was_written(record, tmp_path):
    record.write(tmp_path / "data.json")
    read = DataCheck.read_current(tmp_path / "data.json")
    assert read.model_dump() == record.model_dump()
    assert read.val == record.val


def test_a_record_of_an_earlier_check_counts_as_none(record, tmp_path):
    file = tmp_path / "data.json"
    assert DataCheck.read_current(file) is None
    file.write_text(json.dumps({"dataset": {}, "train": {"zero_area": 1}}))
    assert DataCheck.read_current(file) is None
    file.write_text(json.dumps({**record.model_dump(mode="json"), "version": 1}))
    assert DataCheck.read_current(file) is None


@pytest.mark.parametrize("text", ["{", '{"version": 2}'])
def test_a_malformed_record_is_named(tmp_path, text):
    (tmp_path / "data.json").write_text(text)
    with pytest.raises(RecordError, match=r"data\.json: key"):
        DataCheck.read_current(tmp_path / "data.json")


def test_fates_of_both_purposes_are_counted_down_to_zero(record):
    assert list(record.train.fates) == list(OF_TRAINING)
    assert list(record.val.fates) == list(OF_EVALUATION)
    assert sum(record.train.fates.values()) == record.train.annotations
    assert record.train.objects == 1
    assert record.val.objects == 2
    assert record.val.usable_masks == 3


def test_a_fate_of_the_other_purpose_is_an_error():
    with pytest.raises(KeyError):
        counts_of(Purpose.TRAINING, [Fate.EVALUATED])


def test_every_fate_is_said_in_words():
    assert all(fate.text for fate in Fate)
    assert len({fate.text for fate in Fate}) == len(Fate)

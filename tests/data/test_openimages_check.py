import pytest

from tests.data.openimages_example import NAMES
from tsd.data.coco_format import DatasetError
from tsd.data.openimages_check import check_split
from tsd.data.openimages_format import PREPARED
from tsd.data.split_report import OF_EVALUATION, OF_TRAINING, Fate, Purpose


def test_a_good_split_is_counted(raw, prepared):
    report = check_split(
        prepared / PREPARED.validation,
        raw / "validation",
        list(NAMES.values()),
        prepared / PREPARED.classes,
    )
    assert (report.images, report.annotations) == (2, 3)
    assert report.fates == {**dict.fromkeys(OF_TRAINING, 0), Fate.TRAINED: 2, Fate.EMPTY: 1}
    assert report.images_without_objects == 0
    assert report.per_class == {"Vehicle": 0, "Car": 1, "Bench (/m/b)": 1, "Bench (/m/w)": 0}


def test_a_split_for_evaluation_has_groups(raw, prepared):
    report = check_split(
        prepared / PREPARED.validation,
        raw / "validation",
        list(NAMES.values()),
        prepared / PREPARED.classes,
        purpose=Purpose.EVALUATION,
    )
    assert report.fates == {**dict.fromkeys(OF_EVALUATION, 0), Fate.EVALUATED: 2, Fate.GROUP: 1}
    assert report.per_class == {"Vehicle": 0, "Car": 1, "Bench (/m/b)": 1, "Bench (/m/w)": 1}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a1.jpg\n64 48\n2\n2 0 0 1 1 0\n", ["ends within the image of line 1"]),
        ("a1.jpg\n64\n0\n", ["'a1.jpg' of line 1"]),
        ("a1.jpg\n64 0\n0\n", ["'a1.jpg' of line 1", "64 × 0"]),
        ("a1.jpg\n64 48\n1\n5 0 0 1 1 0\n", ["one of 4 classes", "'5 0 0 1 1 0'"]),
        ("a1.jpg\n64 48\n1\n1 0 0 2 1 0\n", ["'1 0 0 2 1 0'"]),
        ("a1.jpg\n64 48\n1\n1 0 0 1\n", ["'1 0 0 1'"]),
        ("a1.jpg\n64 48\n1\n1 0 0 1 1 2\n", ["'1 0 0 1 1 2'"]),
        ("a1.jpg\n64 48\n0\n", ["has no box that training could use"]),
        ("a1.jpg\n64 48\n1\n1 0 0 0.001 1 0\n", ["has no box that training could use"]),
        ("x.jpg\n64 48\n1\n1 0 0 1 1 0\n", ["'x.jpg' (1 in all)", "validation"]),
    ],
)
def test_a_bad_split_is_refused_with_the_place(text, parts, raw, prepared):
    (prepared / PREPARED.validation).write_text(text)
    with pytest.raises(DatasetError) as error:
        check_split(
            prepared / PREPARED.validation,
            raw / "validation",
            list(NAMES.values()),
            prepared / PREPARED.classes,
        )
    for part in [PREPARED.validation, *parts]:
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["Vehicle", "Bench", "Car", "Bench"], r"class 2 is 'Car', but 'Bench'"),
        (["Vehicle", "Car", "Bench"], r"class 4 is 'Bench', but None"),
    ],
)
def test_other_classes_than_declared_are_refused(classes, message, raw, prepared):
    with pytest.raises(DatasetError, match=message):
        check_split(
            prepared / PREPARED.validation, raw / "validation", classes, prepared / PREPARED.classes
        )


def test_a_missing_image_folder_is_named(raw, prepared):
    with pytest.raises(DatasetError, match=r"val: no such image folder, for the images of "):
        check_split(
            prepared / PREPARED.validation,
            raw / "val",
            list(NAMES.values()),
            prepared / PREPARED.classes,
        )

"""What becomes of annotations is what mmdet and COCO's evaluation really make of them."""

import contextlib
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tsd.data.coco_check import DatasetError, check_split
from tsd.data.fates import fate_in_evaluation, fate_in_training
from tsd.data.split_report import OBJECTS, OF_EVALUATION, OF_TRAINING, Fate, Purpose

SIZES = {1: (40, 30), 2: (12, 50)}
"""Width and height of the images by their ids."""

sides = st.one_of(st.sampled_from([0, 0.5, 0.999, 1, 2]), st.floats(0, 60))
annotations = st.builds(
    lambda image, category, x, y, w, h, area, crowd, ignore: {
        "image_id": image,
        "category_id": category,
        "bbox": [x, y, w, h],
        "area": area,
        "iscrowd": crowd,
        **ignore,
    },
    st.sampled_from(list(SIZES)),
    st.sampled_from([3, 7, 9]),
    st.floats(-70, 70),
    st.floats(-70, 70),
    sides,
    sides,
    st.sampled_from([0, 0.5, 100]),
    st.sampled_from([0, 0, 1]),
    st.sampled_from([{}, {}, {"ignore": 0}, {"ignore": 1}]),
)
sharing_a_folder = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def content(entries):
    return {
        "info": {},
        "images": [
            {"id": number, "file_name": f"{number}.png", "width": width, "height": height}
            for number, (width, height) in SIZES.items()
        ],
        "annotations": [{"id": i, **entry} for i, entry in enumerate(entries, start=1)],
        "categories": [
            {"id": number, "name": name} for number, name in ((9, "a"), (3, "b"), (7, "c"))
        ],
    }


def images():
    return {image["id"]: image for image in content([])["images"]}


@sharing_a_folder
@given(entries=st.lists(annotations, min_size=1, max_size=12), smallest=st.sampled_from([0, 20]))
def test_training_sees_what_is_said_to_be_trained_on(tmp_path, entries, smallest):
    datasets = pytest.importorskip("mmdet.datasets")
    file = tmp_path / "train.json"
    file.write_text(json.dumps(content(entries)))
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = datasets.CocoDataset(
            ann_file=str(file),
            data_prefix={"img": ""},
            metainfo={"classes": ("a", "b")},
            filter_cfg={"filter_empty_gt": False, "min_size": smallest},
            pipeline=[],
            serialize_data=False,
        )
    seen = [
        one for image in dataset.data_list for one in image["instances"] if not one["ignore_flag"]
    ]
    fates = [fate_in_training(e, images()[e["image_id"]], {9, 3}, smallest) for e in entries]
    assert set(fates) <= set(OF_TRAINING)
    trained = [e for e, fate in zip(entries, fates, strict=True) if fate is Fate.TRAINED]
    corners = [[x, y, x + w, y + h] for x, y, w, h in (entry["bbox"] for entry in trained)]
    assert sorted(one["bbox"] for one in seen) == sorted(corners)


@sharing_a_folder
@given(entries=st.lists(annotations, min_size=1, max_size=12))
def test_evaluation_asks_for_what_is_said_to_be_evaluated(tmp_path, entries):
    file = tmp_path / "val.json"
    file.write_text(json.dumps(content(entries)))
    fates = [fate_in_evaluation(e, images()[e["image_id"]], {9, 3}) for e in entries]
    assert set(fates) <= set(OF_EVALUATION)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(file))
        found = truth.loadRes([{"image_id": 1, "category_id": 3, "bbox": [0, 0, 1, 1], "score": 1}])
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.params.catIds = [3, 9]
        evaluation.evaluate()
    asked = sum(
        int((result["gtIgnore"] == 0).sum())
        for result in evaluation.evalImgs
        if result is not None and result["aRng"] == evaluation.params.areaRng[0]
    )
    assert asked == sum(fate in OBJECTS for fate in fates)


@sharing_a_folder
@given(
    entries=st.lists(annotations, max_size=12),
    purpose=st.sampled_from(Purpose),
    smallest=st.sampled_from([0, 20]),
)
def test_the_numbers_add_up_to_the_annotations(tmp_path, entries, purpose, smallest):
    file = tmp_path / "split.json"
    file.write_text(json.dumps(content(entries)))
    for number in SIZES:
        (tmp_path / f"{number}.png").touch()
    classes = ["b", "a"]
    try:
        report = check_split(file, tmp_path, classes, purpose=purpose, smallest_side=smallest)
    except DatasetError:
        return  # no object, or boxes that are none
    assert sum(report.fates.values()) == report.annotations == len(entries)
    assert (
        report.objects
        == sum(report.per_class.values())
        == sum(report.sizes.values())
        == sum(report.masks.values())
        > 0
    )
    assert list(report.per_class) == classes


@pytest.mark.parametrize(
    ("changes", "in_training", "in_evaluation"),
    [
        ({}, Fate.TRAINED, Fate.EVALUATED),
        ({"category_id": 7}, Fate.OTHER_CLASS, Fate.OTHER_CLASS),
        ({"iscrowd": 1}, Fate.CROWD, Fate.CROWD),
        ({"ignore": 1}, Fate.FLAGGED, Fate.EVALUATED_THOUGH_FLAGGED),
        ({"bbox": [5, 5, 0.9, 5]}, Fate.EMPTY, Fate.EVALUATED),
        ({"bbox": [5, 5, 5, 0.9]}, Fate.EMPTY, Fate.EVALUATED),
        ({"area": 0}, Fate.EMPTY, Fate.EVALUATED),
        ({"bbox": [5, 5, 0, 5]}, Fate.EMPTY, Fate.NEVER_FOUND),
        ({"bbox": [40, 5, 5, 5]}, Fate.OUTSIDE, Fate.NEVER_FOUND),
        ({"bbox": [5, -5, 5, 5]}, Fate.OUTSIDE, Fate.NEVER_FOUND),
        ({"image_id": 2}, Fate.SMALL_IMAGE, Fate.EVALUATED),
    ],
)
def test_each_fate_has_its_reason(changes, in_training, in_evaluation):
    plain = {"image_id": 1, "category_id": 3, "bbox": [5, 5, 5, 5], "area": 25, "iscrowd": 0}
    entry = plain | changes
    image = images()[entry["image_id"]]
    assert fate_in_training(entry, image, {3, 9}, smallest_side=20) is in_training
    assert fate_in_evaluation(entry, image, {3, 9}) is in_evaluation

import contextlib
import io
import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tsd.evaluation.coco import (
    AREAS,
    IOU_THRESHOLDS,
    evaluate_boxes,
    evaluate_masks,
    precision_per_class,
)
from tsd.evaluation.measure import declared_metrics
from tsd.experiments.metrics import IOU_PERCENT

SUMMARY = ("AP", "AP50", "AP75", "APs", "APm", "APl")
SUMMARY += ("AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
"""In the order of the twelve numbers that COCO's own code prints."""


def measure(annotation_file, detections, classes=None):
    """Every declared metric of boxes, and AP by class."""
    boxes = evaluate_boxes(annotation_file, detections, classes)
    return {"metrics": declared_metrics(boxes, None), "per_class": precision_per_class(boxes)}


def measure_masks(annotation_file, detections):
    """Every declared metric of masks."""
    masks = evaluate_masks(annotation_file, detections)
    boxes = evaluate_boxes(annotation_file, detections)
    found = declared_metrics(boxes, masks)
    return {name: value for name, value in found.items() if name.startswith("mask_")}


def at(size, iou):
    """Id of the metric that is AP of a size at a threshold in hundredths."""
    return f"AP{'' if size == 'all' else size[0]}{iou}"


@pytest.fixture
def published():
    """Annotations and detections whose metrics others have published."""
    root = os.environ.get("TSD_TEST_DATA")
    if root is None:
        pytest.skip("TSD_TEST_DATA is not set")
    folder = Path(root) / "coco_eval_fixture"
    if not folder.is_dir():
        pytest.skip(f"{folder} does not exist")
    return (
        folder / "instances_val2014_100.json",
        folder / "instances_val2014_fakebbox100_results.json",
    )


def write(folder, annotations, images=(1, 2, 3, 4), categories=("cat", "dog", "bird")):
    """A COCO annotation file; annotations are (image, category, box, crowd)."""
    content = {
        "images": [{"id": i, "width": 640, "height": 640} for i in images],
        "categories": [{"id": 10 * (i + 1), "name": name} for i, name in enumerate(categories)],
        "annotations": [
            {
                "id": i + 1,
                "image_id": image,
                "category_id": category,
                "bbox": list(box),
                "area": box[2] * box[3],
                "iscrowd": crowd,
            }
            for i, (image, category, box, crowd) in enumerate(annotations)
        ],
    }
    path = folder / "instances.json"
    path.write_text(json.dumps(content))
    return path


def detection(image, category, box, score):
    return {"image_id": image, "category_id": category, "bbox": list(box), "score": score}


def synthetic(folder, seed):
    """Crowds, score ties, no large object, no bird, an image without detections."""
    random = np.random.default_rng(seed)
    annotations, detections = [], []
    for _ in range(60):
        image, category = int(random.integers(1, 5)), int(random.choice([10, 20]))
        x, y, width, height = (float(v) for v in random.uniform([0, 0, 8, 8], [500, 500, 90, 90]))
        annotations.append((image, category, (x, y, width, height), int(random.random() < 0.15)))
        for _ in range(int(random.integers(0, 4)) if image != 4 else 0):
            dx, dy = random.normal(0, 0.1 * min(width, height), 2)
            score = round(float(random.random()), 1)
            box = (x + dx, y + dy, width * random.uniform(0.8, 1.2), height)
            detections.append(detection(image, int(random.choice([10, 20, 30])), box, score))
            detections.append(detection(image, category, box, score))
    # More than the hundred that count, in one image and class.
    detections += [detection(1, 10, (3 * i, 2 * i, 40, 40), 0.5) for i in range(120)]
    return write(folder, annotations), detections


def reference(annotation_file, detections):
    """Precision [10, 101, K, 4] as pycocotools has it, and its twelve numbers."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(annotation_file))
        evaluation = COCOeval(truth, truth.loadRes(detections), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.eval["precision"][..., -1], evaluation.stats


def percent(precision):
    measured = precision[precision > -1]
    return 100 * float(measured.mean()) if measured.size else None


def assert_same(result, precision, stats):
    def same(value, expected):
        assert (value is None) == (expected is None)
        assert value is None or abs(value - expected) <= 1e-12 * 100

    for name, expected in zip(SUMMARY, stats, strict=True):
        same(result["metrics"][name], None if expected == -1 else 100 * expected)
    for t, iou in enumerate(IOU_PERCENT):
        for a, size in enumerate(AREAS):
            same(result["metrics"][at(size, iou)], percent(precision[t, :, :, a]))
    assert precision.shape[2] == len(result["per_class"])
    for k, value in enumerate(result["per_class"].values()):
        same(value, percent(precision[:, :, k, 0]))


def test_thresholds_are_those_of_coco():
    evaluation = COCOeval(iouType="bbox")
    assert tuple(evaluation.params.iouThrs) == IOU_THRESHOLDS
    assert tuple(evaluation.params.areaRngLbl) == AREAS


def test_published_numbers(published):
    metrics = measure(*published)["metrics"]
    thousandths = [0.505, 0.697, 0.573, 0.586, 0.519, 0.501]
    thousandths += [0.387, 0.594, 0.595, 0.640, 0.566, 0.564]
    assert [round(metrics[name] / 100, 3) for name in SUMMARY] == thousandths
    for name, value in (("AP", 0.504581), ("AP50", 0.696973), ("AP75", 0.572982)):
        assert round(metrics[name] / 100, 6) == value


def test_published_numbers_of_masks(published):
    annotations, _ = published
    found = annotations.parent / "instances_val2014_fakesegm100_results.json"
    # COCO's results format has either boxes or masks; ours has both, and the box is not looked at.
    detections = [{**d, "bbox": [0, 0, 1, 1]} for d in json.loads(found.read_text())]
    result = measure_masks(annotations, detections)
    expected = {"mask_AP": 31.9545, "mask_AP50": 56.2288, "mask_AP75": 29.8927}
    assert {name: result[name] for name in expected} == pytest.approx(expected, abs=1e-4)
    of_boxes = measure(annotations, detections)["metrics"]
    assert len(result) == len([name for name in of_boxes if not name.startswith("dAP_")])


def test_a_detection_without_a_mask_is_named(published):
    annotations, boxes = published
    with pytest.raises(ValueError, match=r"fakebbox100_results\.json\[0\]: no 'segmentation'"):
        evaluate_masks(annotations, boxes)


def test_equals_pycocotools_on_published_data(published):
    annotation_file, detections = published
    expected = reference(annotation_file, str(detections))
    assert_same(measure(annotation_file, detections), *expected)


@pytest.mark.parametrize("seed", range(4))
def test_equals_pycocotools_on_synthetic_data(tmp_path, seed):
    annotation_file, detections = synthetic(tmp_path, seed)
    result = measure(annotation_file, detections)
    assert_same(result, *reference(annotation_file, detections))
    assert result["metrics"]["APl"] is None
    assert {result["metrics"][at("large", iou)] for iou in IOU_PERCENT} == {None}
    assert result["per_class"]["bird"] is None
    assert 0 < result["per_class"]["cat"] < 100


def test_result_is_strict_json_and_silent(tmp_path, capsys):
    annotation_file, detections = synthetic(tmp_path, 0)
    result = measure(annotation_file, detections)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert list(result["per_class"]) == ["cat", "dog", "bird"]
    assert capsys.readouterr() == ("", "")


def test_list_and_file_agree_and_the_list_is_not_changed(tmp_path):
    annotation_file, detections = synthetic(tmp_path, 1)
    path = tmp_path / "detections.json"
    path.write_text(json.dumps(detections))
    result = measure(annotation_file, detections)
    assert result == measure(annotation_file, path)
    assert detections == json.loads(path.read_text())


def test_no_detections_give_zero_where_there_is_ground_truth(tmp_path):
    path = write(tmp_path, [(1, 10, (0, 0, 50, 50), 0)])
    result = measure(path, [])
    expected = {"AP": 0, "AP50": 0, "AP75": 0, "APs": None, "APm": 0, "APl": None}
    assert {name: result["metrics"][name] for name in expected} == expected
    assert result["per_class"] == {"cat": 0, "dog": None, "bird": None}


@pytest.mark.parametrize("crowd", [[], [(1, 10, (0, 0, 50, 50), 1)]])
def test_without_objects_everything_is_missing(tmp_path, crowd):
    path = write(tmp_path, crowd)
    result = measure(path, [detection(1, 10, (0, 0, 5, 5), 0.5)])
    assert set(result["metrics"].values()) == {None}
    assert set(result["per_class"].values()) == {None}


def test_ids_of_annotations_do_not_matter(tmp_path):
    annotation_file, detections = synthetic(tmp_path, 2)
    expected = measure(annotation_file, detections)
    content = json.loads(annotation_file.read_text())
    for annotation in content["annotations"]:
        annotation["id"] = 0
    annotation_file.write_text(json.dumps(content))
    assert measure(annotation_file, detections) == expected


@pytest.mark.parametrize(
    "kind", [tuple, lambda box: [*map(int, box)], lambda box: [*map(np.float64, box)]]
)
def test_boxes_may_be_of_any_kind_of_number(tmp_path, kind):
    annotation_file, detections = synthetic(tmp_path, 2)
    whole = [{**one, "bbox": [float(round(value)) for value in one["bbox"]]} for one in detections]
    other = [{**one, "bbox": kind(one["bbox"])} for one in whole]
    assert measure(annotation_file, other) == measure(annotation_file, whole)


GOOD = detection(1, 10, (0, 0, 5, 5), 0.5)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (GOOD | {"image_id": 99}, r"detections: image_id not in .*instances\.json: 99"),
        (GOOD | {"category_id": 7}, r"detections: category_id not in .*instances\.json: 7"),
        (GOOD | {"image_id": "1"}, r"detections\[1\]: image_id is not an integer: '1'"),
        (GOOD | {"bbox": [0, 0, 5]}, r"detections\[1\]: bbox is not four finite numbers"),
        (GOOD | {"bbox": [0, 0, float("nan"), 5]}, r"detections\[1\]: bbox is not four finite"),
        (GOOD | {"bbox": [0, 0, -1, 5]}, r"detections\[1\]: bbox has a negative width or height"),
        (GOOD | {"score": None}, r"detections\[1\]: score is not a finite number: None"),
        ({"image_id": 1, "category_id": 10, "bbox": [0] * 4}, r"detections\[1\]: no 'score'"),
        ([1, 2], r"detections\[1\]: expected an object"),
    ],
)
def test_bad_detection_is_named(tmp_path, entry, message):
    path = write(tmp_path, [(1, 10, (0, 0, 5, 5), 0)])
    with pytest.raises(ValueError, match=message):
        evaluate_boxes(path, [GOOD, entry])


def test_bad_detection_file_is_named(tmp_path):
    path = write(tmp_path, [(1, 10, (0, 0, 5, 5), 0)])
    detections = tmp_path / "dumped.json"
    for text, message in (
        ('[{"image_id"', r"dumped\.json: not JSON"),
        ('{"a": 1}', r"dumped\.json: expected a list of detections, got dict"),
        (json.dumps([GOOD | {"image_id": i} for i in range(90, 110)]), r"90, .*98, 99 and 10 more"),
    ):
        detections.write_text(text)
        with pytest.raises(ValueError, match=message):
            evaluate_boxes(path, detections)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("images"), r"instances\.json: no 'images'"),
        (lambda c: c["categories"].clear(), r"instances\.json: 'categories' is empty"),
        (lambda c: c["categories"][1].pop("name"), r"categories\[1\]: no 'name'"),
        (
            lambda c: (
                c["categories"][1].update(name="cat"),
                c["annotations"].append({**c["annotations"][0], "category_id": 20}),
            ),
            r"the name 'cat': id 10 with 1 annotation, id 20",
        ),
        (lambda c: c["annotations"][0].pop("area"), r"annotations\[0\]: no 'area'"),
        (lambda c: c["annotations"][0].update(bbox=None), r"annotations\[0\]: bbox is not four"),
    ],
)
def test_bad_annotation_file_is_named(tmp_path, change, message):
    path = write(tmp_path, [(1, 10, (0, 0, 5, 5), 0)])
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        evaluate_boxes(path, [])


boxes = st.tuples(
    st.integers(0, 100), st.integers(0, 100), st.integers(4, 120), st.integers(4, 120)
)
objects = st.tuples(st.integers(1, 4), st.sampled_from([10, 20, 30]), boxes)
found = st.tuples(objects, st.integers(0, 10))
sharing_a_folder = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@sharing_a_folder
@given(truth=st.lists(objects, min_size=1, max_size=12), extra=st.lists(found, max_size=12))
def test_ap_is_bounded_and_falls_with_the_threshold(tmp_path, truth, extra):
    # Without crowds: a crowd may swallow a true positive only at a high threshold, and AP rise.
    path = write(tmp_path, [(*item, 0) for item in truth])
    near = [(i, c, (x + 1, y, w, h)) for i, c, (x, y, w, h) in truth]
    detections = [detection(*item, 0.5) for item in near]
    detections += [detection(*item, score / 10) for item, score in extra]
    metrics = measure(path, detections)["metrics"]
    values = [value for value in metrics.values() if value is not None]
    assert all(0 <= value <= 100 + 1e-9 for value in values)
    overall = [metrics[at("all", iou)] for iou in IOU_PERCENT]
    assert all(low >= high - 1e-9 for low, high in itertools.pairwise(overall))


@sharing_a_folder
@given(truth=st.lists(objects, min_size=1, max_size=12))
def test_perfect_detections_give_100(tmp_path, truth):
    path = write(tmp_path, [(*item, 0) for item in truth])
    result = measure(path, [detection(*item, 1.0) for item in truth])
    precisions = [v for name, v in result["metrics"].items() if name.startswith("AP")]
    for value in (*precisions, *result["per_class"].values()):
        assert value is None or value == pytest.approx(100, abs=1e-9)
    assert result["metrics"]["AP"] is not None


def test_only_the_classes_asked_for_count(tmp_path):
    path = write(tmp_path, [(1, 10, (0, 0, 20, 20), 0), (1, 20, (40, 40, 20, 20), 0)])
    found_cat = [detection(1, 10, (0, 0, 20, 20), 1.0)]
    assert measure(path, found_cat)["metrics"]["AP"] == pytest.approx(50)
    asked = measure(path, found_cat, ["cat"])
    assert asked["metrics"]["AP"] == pytest.approx(100)
    assert list(asked["per_class"]) == ["cat"]


def with_masks(folder, *segmentations):
    """A file with an object of 50 × 50 pixels for each mask, 100 pixels from one to the next."""
    boxes = [(100.0 * i + 10, 20.0, 50.0, 50.0) for i in range(len(segmentations))]
    path = write(folder, [(1, 10, box, 0) for box in boxes])
    content = json.loads(path.read_text())
    for entry, segmentation in zip(content["annotations"], segmentations, strict=True):
        if segmentation is not None:
            entry["segmentation"] = segmentation
    path.write_text(json.dumps(content))
    return path, boxes


def square(box):
    x, y, w, h = box
    return [x, y, x + w, y, x + w, y + h, x, y + h]


def run_lengths(box):
    from pycocotools.mask import frPyObjects

    (runs,) = frPyObjects([square(box)], 640, 640)
    return {"size": runs["size"], "counts": runs["counts"].decode()}


@pytest.mark.parametrize("useless", [None, [], [[110, 20, 160, 70]], [[110, 20, 130, 20, 160, 20]]])
def test_objects_without_a_usable_mask_are_no_objects_of_masks(tmp_path, useless):
    first = [square((10, 20, 50, 50)), [10, 20, 60, 70]]
    path, boxes = with_masks(tmp_path, first, useless)
    found = [{**detection(1, 10, box, 0.9), "segmentation": run_lengths(box)} for box in boxes]
    assert measure_masks(path, found[:1])["mask_AP"] == pytest.approx(100)
    # A mask where nobody knows which it should be is no mistake.
    assert measure_masks(path, found)["mask_AP"] == pytest.approx(100)
    assert measure_masks(path, found[1:])["mask_AP"] == pytest.approx(0)


def test_the_first_of_several_polygons_may_be_the_one_of_no_use(tmp_path):
    path, (box,) = with_masks(tmp_path, [[10, 20, 60, 70], square((10, 20, 50, 50))])
    found = [{**detection(1, 10, box, 0.9), "segmentation": run_lengths(box)}]
    assert measure_masks(path, found)["mask_AP"] == pytest.approx(100)

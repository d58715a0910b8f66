"""Kinds of errors, against the paper's definition and against data in which they are mended."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluation.made_detections import CLASSES, detection, entry, made, write
from tsd.evaluation.coco import average_precision, evaluate_boxes
from tsd.evaluation.error_kinds import ErrorKind, cost, decompose
from tsd.experiments.metrics import ERROR_KINDS

IMAGES = range(1, 7)
OBJECT = entry(1, 10, (0, 0, 100, 100))
SEEDS = st.integers(0, 10_000)


def evaluate(folder, annotations, detections, images=IMAGES):
    return evaluate_boxes(write(folder, annotations, images), detections)


def kinds(evaluation):
    """The kind of each detection, in the order in which they were given."""
    errors = decompose(evaluation)
    return [str(kind) for _, kind in sorted(zip(errors.matches.entry, errors.kind, strict=True))]


HANDMADE = {
    "cls": [detection(1, 20, (0, 0, 100, 90), 0.8)],
    "loc": [detection(1, 10, (0, 0, 100, 40), 0.8)],
    "both": [detection(1, 20, (0, 0, 100, 40), 0.8)],
    "bkg": [detection(1, 10, (300, 300, 50, 50), 0.8)],
    "dupe": [detection(1, 10, (0, 0, 100, 99), 0.9), detection(1, 10, (0, 0, 100, 90), 0.8)],
}


@pytest.mark.parametrize("kind", HANDMADE)
def test_one_detection_of_each_kind(tmp_path, kind):
    found = evaluate(tmp_path, [OBJECT], HANDMADE[kind], [1])
    assert kinds(found)[-1] == kind
    # The only error about the only object makes AP whole where mending it finds the object.
    expected = {"cls": 100, "loc": 100}.get(kind, 0)
    assert cost(found, kind) == pytest.approx(expected)
    assert cost(found, "miss") == 0
    missed = decompose(found).is_missed.tolist()
    assert missed == [kind in ("both", "bkg")]


def test_an_error_before_a_right_detection_costs_precision(tmp_path):
    right = detection(1, 10, (0, 0, 100, 100), 0.5)
    for kind in ("bkg", "both"):
        found = evaluate(tmp_path, [OBJECT], [{**HANDMADE[kind][0], "category_id": 10}, right], [1])
        (wrong,) = set(kinds(found)) - {""}
        assert average_precision(found, 50) == pytest.approx(50)
        assert cost(found, wrong) == pytest.approx(50)
        assert cost(found, "FP") == pytest.approx(50)
        assert cost(found, "FN") == 0


def test_a_missed_object_costs_recall(tmp_path):
    other = entry(1, 10, (300, 300, 50, 50))
    found = evaluate(tmp_path, [OBJECT, other], [detection(1, 10, (0, 0, 100, 100), 0.5)], [1])
    lost = 100 - average_precision(found, 50)
    assert lost == pytest.approx(100 * 50 / 101)
    assert cost(found, "miss") == pytest.approx(lost)
    assert cost(found, "FN") == pytest.approx(lost)
    assert cost(found, "FP") == 0


def test_of_several_errors_about_an_object_the_surest_is_mended(tmp_path):
    poor = [detection(1, 10, (0, 0, 100, 40), s) for s in (0.4, 0.6)]
    found = evaluate(tmp_path, [OBJECT], poor, [1])
    assert decompose(found).becomes.tolist() == [0, -1]
    assert cost(found, "loc") == pytest.approx(100)
    right = detection(1, 10, (0, 0, 100, 100), 0.1)
    found = evaluate(tmp_path, [OBJECT], [*poor, right], [1])
    assert decompose(found).becomes.tolist() == [-1, -1, -1]
    assert cost(found, "loc") == pytest.approx(100 - 100 / 3)


def test_a_wrong_box_goes_before_a_wrong_class_and_that_before_a_duplicate(tmp_path):
    beside = entry(1, 20, (0, 0, 100, 45))
    both_fit = detection(1, 10, (0, 0, 100, 45), 0.8)
    assert kinds(evaluate(tmp_path, [OBJECT, beside], [both_fit], [1])) == ["loc"]
    same_place = entry(1, 20, (0, 0, 100, 95))
    found = [detection(1, 10, (0, 0, 100, 100), 0.9), detection(1, 10, (0, 0, 100, 95), 0.8)]
    assert kinds(evaluate(tmp_path, [OBJECT, same_place], found, [1])) == ["", "cls"]


def test_what_coco_ignores_is_no_error(tmp_path):
    crowd = entry(1, 10, (200, 200, 200, 200), crowd=1)
    found = evaluate(tmp_path, [OBJECT, crowd], [detection(1, 10, (210, 210, 50, 50), 0.9)], [1])
    assert kinds(found) == [""]
    assert decompose(found).is_missed.tolist() == [True, False]


def test_without_objects_there_is_no_cost(tmp_path):
    found = evaluate(tmp_path, [], HANDMADE["bkg"], [1])
    assert {cost(found, kind) for kind in ErrorKind} == {None}
    assert kinds(found) == ["bkg"]


def test_every_kind_is_a_metric():
    assert list(ERROR_KINDS) == [kind.value for kind in ErrorKind]


def iou(a, b):
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def slow_kind(wrong, annotations):
    """The kind of a false positive by the paper's definitions, and what it is about."""
    of_image = [o for o in annotations if o["image_id"] == wrong["image_id"] and not o["iscrowd"]]
    same = [o for o in of_image if o["category_id"] == wrong["category_id"]]
    other = [o for o in of_image if o["category_id"] != wrong["category_id"]]

    def best(objects):
        return max(((iou(wrong["bbox"], o["bbox"]), o) for o in objects), key=lambda x: x[0])

    iou_same, object_same = best(same) if same else (-1, None)
    iou_other, object_other = best(other) if other else (-1, None)
    if 0.1 <= iou_same < 0.5:
        return "loc", object_same
    if iou_other >= 0.5:
        return "cls", object_other
    if iou_same >= 0.5:
        return "dupe", None
    return ("both", None) if iou_other >= 0.1 else ("bkg", None)


def mended(annotations, detections, errors, kind):
    """The data in which all errors of a kind are really mended."""
    wrong = {int(i) for i, k in zip(errors.matches.entry, errors.kind, strict=True) if k == kind}
    objects = range(len(annotations))
    if kind in ("miss", "FN"):
        gone = errors.is_missed if kind == "miss" else ~errors.is_found
        kept = [a for i, a in zip(objects, annotations, strict=True) if a["iscrowd"] or not gone[i]]
        return kept, detections
    if kind == "FP":
        false = {int(i) for i, k in zip(errors.matches.entry, errors.kind, strict=True) if k}
        return annotations, [d for i, d in enumerate(detections) if i not in false]
    becomes = dict(zip(errors.matches.entry.tolist(), errors.becomes.tolist(), strict=True))
    left = []
    for i, one in enumerate(detections):
        if i not in wrong:
            left.append(one)
        elif becomes[i] >= 0:
            about = annotations[becomes[i]]
            key = "bbox" if kind == "loc" else "category_id"
            left.append({**one, key: about[key]})
    return annotations, left


def precision_of(evaluation, classes):
    """Mean AP50 over given classes, one without objects counting 0."""
    found = evaluation.precision[0, :, :, 0].mean(axis=0)
    return 100 * float(np.mean(np.maximum(found[classes], 0)))


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_kinds_part_the_false_positives_as_the_paper_defines_them(tmp_path_factory, seed):
    annotations, detections = made(seed)
    evaluation = evaluate(tmp_path_factory.mktemp("data"), annotations, detections)
    errors = decompose(evaluation)
    matches = errors.matches
    is_wrong = ~matches.is_true[0, 0] & ~matches.is_ignored[0, 0]
    assert (errors.kind != "").tolist() == is_wrong.tolist()
    about = []
    for i, kind in zip(matches.entry, errors.kind, strict=True):
        if kind:
            expected, of = slow_kind(detections[i], annotations)
            assert kind == expected
            about.append(of)
    for i, one in enumerate(annotations):
        undetected = not one["iscrowd"] and i not in matches.found[matches.is_true[0, 0]]
        assert errors.is_missed[i] == (undetected and not any(of is one for of in about))


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_a_cost_is_what_mending_the_data_gains(tmp_path_factory, seed):
    folder = tmp_path_factory.mktemp("data")
    annotations, detections = made(seed)
    before = evaluate(folder, annotations, detections)
    there = {one["category_id"] for one in annotations if not one["iscrowd"]}
    classes = [k for k, number in enumerate(sorted(CLASSES)) if number in there]
    if not classes:
        return
    errors, started = decompose(before), precision_of(before, classes)
    assert started == pytest.approx(average_precision(before, 50))
    for kind in ErrorKind:
        after = evaluate(folder, *mended(annotations, detections, errors, kind))
        gained = precision_of(after, classes) - started
        assert cost(before, kind) == pytest.approx(gained, abs=1e-9), kind
        assert gained > -1e-9
        if kind not in ("FN", "cls", "loc"):
            assert kind not in kinds(after)
        if kind == "FP":
            assert set(kinds(after)) <= {""}


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_without_any_error_ap_is_whole(tmp_path_factory, seed):
    folder = tmp_path_factory.mktemp("data")
    annotations, detections = made(seed)
    errors = decompose(evaluate(folder, annotations, detections))
    annotations, _ = mended(annotations, detections, errors, "FN")
    _, detections = mended(annotations, detections, errors, "FP")
    found = average_precision(evaluate(folder, annotations, detections), 50)
    assert found is None or found == pytest.approx(100)


def test_the_annotations_are_not_changed(tmp_path):
    annotations, detections = made(1)
    text = json.dumps([annotations, detections])
    cost(evaluate(tmp_path, annotations, detections), "loc")
    assert json.dumps([annotations, detections]) == text

"""The matches give COCO's AP, so that they are the library's own."""

import json

import numpy as np
import pytest

from tests.evaluation.made_detections import detection, entry, made, write
from tests.evaluation.test_coco import published, synthetic  # noqa: F401
from tsd.evaluation.bootstrap import precisions
from tsd.evaluation.coco import evaluate_boxes, evaluate_masks
from tsd.evaluation.matching import match


def assert_same_precision(evaluation):
    matches = match(evaluation)
    found = precisions(matches, np.ones((len(matches.images), 1), np.int32))[..., 0]
    expected = np.moveaxis(evaluation.precision.mean(axis=1), -1, 0)
    np.testing.assert_array_equal(np.isnan(found), expected == -1)
    there = expected > -1
    np.testing.assert_allclose(found[there], expected[there], rtol=0, atol=1e-12)
    return expected


@pytest.mark.parametrize("seed", range(3))
def test_equal_scores_crowds_and_more_detections_than_count(tmp_path, seed):
    annotations, detections = synthetic(tmp_path, seed)
    expected = assert_same_precision(evaluate_boxes(annotations, detections))
    assert (expected == -1).any()
    assert ((expected > 0) & (expected < 1)).any()


@pytest.mark.parametrize("most", [1, 2, 100])
def test_as_many_detections_count_as_the_evaluation_says(tmp_path, most):
    annotations, detections = made(3)
    file = write(tmp_path, annotations, range(1, 7))
    evaluation = evaluate_boxes(file, detections, max_detections=most)
    assert_same_precision(evaluation)
    cells = np.stack([match(evaluation).image, match(evaluation).category])
    _, counts = np.unique(cells, axis=1, return_counts=True)
    assert counts.max() <= most


def test_masks(published):  # noqa: F811
    annotations, _ = published
    found = annotations.parent / "instances_val2014_fakesegm100_results.json"
    detections = [{**d, "bbox": [0, 0, 1, 1]} for d in json.loads(found.read_text())]
    assert_same_precision(evaluate_masks(annotations, detections))


def test_no_detections_and_no_objects(tmp_path):
    file = write(tmp_path, [entry(1, 10, (0, 0, 50, 50))], [1, 2])
    assert_same_precision(evaluate_boxes(file, []))
    file = write(tmp_path, [], [1, 2])
    evaluation = evaluate_boxes(file, [detection(1, 10, (0, 0, 5, 5), 0.5)])
    assert (assert_same_precision(evaluation) == -1).all()


def test_each_detection_knows_the_object_that_it_found(tmp_path):
    annotations = [entry(7, 10, (100, 0, 50, 50)), entry(3, 10, (0, 0, 50, 50))]
    detections = [
        detection(3, 10, (0, 0, 50, 45), 0.2),
        detection(7, 10, (100, 0, 45, 50), 0.9),
        detection(7, 10, (100, 0, 50, 45), 0.5),
        detection(7, 20, (100, 0, 50, 50), 0.7),
    ]
    matches = match(evaluate_boxes(write(tmp_path, annotations, [7, 3]), detections))
    assert matches.entry.tolist() == [1, 2, 0, 3]
    assert matches.found.tolist() == [0, -1, 1, -1]
    assert matches.images.tolist() == [3, 7]
    assert matches.is_true[0, 0].tolist() == [True, False, True, False]

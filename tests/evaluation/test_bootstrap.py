import json

import numpy as np
import pytest

from tests.evaluation.made_detections import made, write
from tests.evaluation.test_coco import published  # noqa: F401
from tsd.evaluation.bootstrap import draw, precisions, resample
from tsd.evaluation.coco import evaluate_boxes, evaluate_masks
from tsd.evaluation.error_kinds import ErrorKind, costs
from tsd.evaluation.matching import match
from tsd.evaluation.measure import declared_metrics
from tsd.experiments.metrics import METRICS

IMAGES = range(1, 7)


def evaluation(folder, seed):
    annotations, detections = made(seed)
    return evaluate_boxes(write(folder, annotations, IMAGES), detections)


def repeated(folder, seed, weights):
    """The evaluation of images that are really there as often as the weights say."""
    annotations, detections = made(seed)

    def copies(entries):
        return [
            {**one, "image_id": 100 * one["image_id"] + copy}
            for one in entries
            for copy in range(weights[one["image_id"] - 1])
        ]

    images = [100 * i + copy for i in IMAGES for copy in range(weights[i - 1])]
    return evaluate_boxes(write(folder, copies(annotations), images), copies(detections))


@pytest.mark.parametrize("seed", range(3))
def test_a_draw_is_worth_what_the_repeated_images_are(tmp_path, seed):
    weights = draw(len(IMAGES), 4)
    assert weights.sum(axis=0).tolist() == [len(IMAGES)] * 4
    assert weights.max() > 1
    one = evaluation(tmp_path, seed)
    found = precisions(match(one), weights)
    kinds = list(ErrorKind)
    found_costs = costs(one, kinds, weights)
    for i, drawn in enumerate(weights.T):
        really = repeated(tmp_path, seed, drawn)
        expected = np.moveaxis(really.precision.mean(axis=1), -1, 0)
        expected = np.where(expected == -1, np.nan, expected)
        np.testing.assert_allclose(found[..., i], expected, rtol=0, atol=1e-12)
        once = np.ones((len(really.ground_truth["images"]), 1), np.int32)
        np.testing.assert_allclose(
            found_costs[:, i], costs(really, kinds, once)[:, 0], rtol=0, atol=1e-10
        )


def test_the_images_as_they_are_give_the_ordinary_metrics(published):  # noqa: F811
    annotations, found = published
    boxes = json.loads(found.read_text())
    other = annotations.parent / "instances_val2014_fakesegm100_results.json"
    masks = [{**d, "bbox": [0, 0, 1, 1]} for d in json.loads(other.read_text())]
    of_boxes, of_masks = evaluate_boxes(annotations, boxes), evaluate_masks(annotations, masks)
    resampled = resample(of_boxes, of_masks, draws=3)
    metrics = declared_metrics(of_boxes, of_masks)
    assert set(resampled.values) == {name for name in metrics if METRICS[name].is_resampled}
    assert {"AP", "APs75", "mask_AP50", "dAP_loc"} <= set(resampled.values)
    for name, whole in resampled.whole.items():
        expected = np.nan if metrics[name] is None else metrics[name]
        np.testing.assert_allclose(whole, expected, rtol=0, atol=1e-10, err_msg=name)
        assert resampled.values[name].shape == (3,)


def test_the_same_images_are_drawn_each_time_and_others_are_told_apart(tmp_path):
    first, again = (resample(evaluation(tmp_path, 0), None, draws=5) for _ in range(2))
    for name, values in first.values.items():
        np.testing.assert_array_equal(values, again.values[name])
    other_detector = resample(evaluation(tmp_path, 1), None, draws=5)
    assert first.drawn_from == again.drawn_from == other_detector.drawn_from
    annotations, detections = made(0)
    more = evaluate_boxes(write(tmp_path, annotations, range(1, 8)), detections)
    assert resample(more, None, draws=5).drawn_from != first.drawn_from
    assert resample(evaluation(tmp_path, 0), None, draws=6).drawn_from != first.drawn_from


def test_without_objects_nothing_is_measured(tmp_path):
    _, detections = made(0)
    found = resample(evaluate_boxes(write(tmp_path, [], IMAGES), detections), None, draws=2)
    assert np.isnan(found.whole["AP"])
    assert np.isnan(found.values["AP"]).all()
    assert np.isnan(found.values["dAP_cls"]).all()

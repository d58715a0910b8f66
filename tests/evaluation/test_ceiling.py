import json

import pytest

from tests.coco_example import SIZE, annotated
from tsd.evaluation.ceiling import box_ceiling
from tsd.evaluation.coco import average_precision, average_recall, evaluate_boxes

CATEGORIES = [(4, "red"), (2, "green"), (9, "sky")]


def grid_of_boxes(count):
    """So many boxes of 5 × 5 pixels that do not touch one another."""
    return [(7 * (i % 22), 7 * (i // 22), 5, 5) for i in range(count)]


@pytest.fixture
def write(tmp_path):
    def of(*objects, **changes):
        file = tmp_path / "val.json"
        file.write_text(json.dumps(annotated(CATEGORIES, objects, **changes)))
        return file

    return of


def test_without_anything_out_of_reach_the_ceiling_is_100(write):
    file = write([("red", box) for box in grid_of_boxes(100)], [("green", (1, 1, 30, 30))])
    ceiling = box_ceiling(file, ["green", "red"], 100)
    assert (ceiling.objects_beyond, ceiling.images_beyond) == (0, 0)
    assert ceiling.ap == pytest.approx(100)


def test_objects_beyond_the_most_detections_are_counted_and_cost_ap(write):
    file = write(
        [("red", box) for box in grid_of_boxes(369)],
        [("red", box) for box in grid_of_boxes(289)],
        [("red", (1, 1, 30, 30))],
    )
    ceiling = box_ceiling(file, ["green", "red"], 100)
    assert (ceiling.objects_beyond, ceiling.images_beyond) == (269 + 189, 2)
    # 201 of 659 objects: recall steps 0.00 to 0.30 of 101 are reached.
    assert ceiling.ap == pytest.approx(100 * 31 / 101)
    assert box_ceiling(file, ["red"], 369).ap == pytest.approx(100)
    assert box_ceiling(file, ["red"], 300).objects_beyond == 69


def test_objects_of_rare_classes_are_reported_first(write):
    boxes = grid_of_boxes(12)
    file = write([("red", box) for box in boxes[:8]] + [("green", box) for box in boxes[8:]])
    ceiling = box_ceiling(file, ["red", "green"], 6)
    # All 4 of one class, 2 of 8 of the other, which is worth 26 recall steps of 101.
    assert ceiling.ap == pytest.approx((100 + 100 * 26 / 101) / 2)


def test_objects_that_nobody_can_find_cost_ap_without_taking_a_place(write):
    lost = [("red", (SIZE[0] + 5, 5, 20, 20)), ("red", (5, 5, 0, 20))]
    file = write([*lost, ("red", (5, 5, 20, 20)), ("red", (50, 5, 20, 20))])
    ceiling = box_ceiling(file, ["red"], 2)
    assert ceiling.objects_beyond == 0
    assert ceiling.ap == pytest.approx(100 * 51 / 101)


def test_a_box_that_reaches_out_is_found_as_far_as_the_image_goes(write):
    file = write([("red", (SIZE[0] - 60, 5, 100, 20))])
    # IoU 0.6: found at three thresholds of ten.
    assert box_ceiling(file, ["red"], 100).ap == pytest.approx(30)


def test_crowds_and_other_categories_do_not_count(write):
    file = write([("red", box) for box in grid_of_boxes(9)], iscrowd=1)
    assert box_ceiling(file, ["red"], 3).model_dump() == {
        "max_detections": 3,
        "objects_beyond": 0,
        "images_beyond": 0,
        "ap": None,
    }
    file = write([("sky", box) for box in grid_of_boxes(9)] + [("red", (60, 60, 20, 20))])
    assert box_ceiling(file, ["red"], 3).ap == pytest.approx(100)


def test_with_more_detections_the_evaluation_counts_more(write):
    boxes = grid_of_boxes(250)
    file = write([("red", box) for box in boxes])
    found = [{"image_id": 1, "category_id": 4, "bbox": list(box), "score": 0.9} for box in boxes]
    for most, counted in ((100, [1, 10, 100]), (300, [1, 10, 100, 300]), (5, [1, 5])):
        evaluation = evaluate_boxes(file, found, ["red"], most)
        assert evaluation.max_detections == tuple(counted)
        share = min(most, 250) / 250
        assert average_recall(evaluation) == pytest.approx(100 * share)
        assert average_recall(evaluation, 10) == pytest.approx(100 * min(most, 10) / 250)
        assert average_recall(evaluation, 100) == pytest.approx(100 * min(most, 100) / 250)
        assert average_precision(evaluation) == pytest.approx(100 * (int(100 * share) + 1) / 101)

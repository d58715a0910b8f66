from pathlib import Path

import pytest

from tsd.data.box_check import BoxError, check_boxes

FILE = Path("train.json")
IMAGES = {1: {"id": 1, "width": 200, "height": 100}}


def check(*boxes, **more):
    """Check boxes, one annotation each, of an image of 200 × 100 pixels."""
    objects = [
        {"id": number, "image_id": 1, "bbox": list(box), "area": box[2] * box[3], **more}
        for number, box in enumerate(boxes, start=10)
    ]
    return check_boxes(FILE, objects, IMAGES)


INSIDE = (20, 20, 40, 30)
OUT = (150, 20, 80, 30)
CORNERS = (120, 60, 190, 95)
"""A box that reaches out as xywh, and does not as x1, y1, x2, y2."""


def test_boxes_within_their_images_have_nothing_to_tell():
    assert check(INSIDE, (0, 0, 200, 100), (-2, -2, 206, 104), (0, 0, 1, 1)) == []


@pytest.mark.parametrize("box", [OUT, (20, 60, 30, 60), (-9, 20, 30, 30), (20, -9, 30, 30)])
def test_a_box_that_reaches_out_is_told(box):
    (note,) = check(INSIDE, box)
    assert "train.json: 1 box reaches out of the image by more than 2%" in note
    assert "annotation id 11 (1 in all)" in note


def test_most_boxes_that_reach_out_are_refused():
    assert len(check(INSIDE, INSIDE, OUT, OUT)) == 1
    with pytest.raises(BoxError) as error:
        check(INSIDE, CORNERS, CORNERS)
    assert "train.json: 'bbox' has to be [x, y, width, height]" in str(error.value)
    assert "2 of 3 boxes reach out of their images: annotation ids 11, 12 (2" in str(error.value)
    assert "corners" in str(error.value)


def test_boxes_that_cannot_be_corners_are_not_called_so():
    with pytest.raises(BoxError) as error:
        check((150, 20, 80, 30), (190, 20, 80, 15))
    assert "corners" not in str(error.value)


def test_fractions_of_the_image_are_refused():
    fractions = [(0.1, 0.2, 0.5, 0.5), (0, 0, 1, 1)]
    with pytest.raises(BoxError, match=r"2 of 3 boxes lie within the first pixel.*ids 10, 11 \(2"):
        check(*fractions, INSIDE)
    assert check(*fractions, INSIDE, INSIDE) == []


def test_an_image_of_one_pixel_has_boxes_of_one_pixel():
    tiny = {1: {"id": 1, "width": 1, "height": 1}}
    objects = [{"id": 1, "image_id": 1, "bbox": [0, 0, 1, 1], "area": 1}]
    assert check_boxes(FILE, objects, tiny) == []


def test_an_area_above_that_of_the_box_is_told():
    assert check(INSIDE, area=40 * 30 + 12) == []
    (note,) = check(INSIDE, area=1300)
    assert "1 annotation has an 'area' that is larger than the box: annotation id 10" in note


@pytest.mark.parametrize(
    ("polygon", "told"),
    [
        ([20, 20, 60, 20, 60, 50, 20, 50], False),
        ([25, 25, 60, 25, 40, 50], False),
        ([100, 20, 140, 20, 140, 50], True),
        ([20, 60, 60, 60, 60, 90], True),
        ([20, 20, 30, 20, 30, 50], True),
        ([20, 20, 60, 20, 40, 20], False),
        ([20, 20, 60, 20], False),
    ],
)
def test_a_box_that_is_not_around_its_mask_is_told(polygon, told):
    notes = check(INSIDE, segmentation=[polygon])
    assert ["not around the object's own mask" in note for note in notes] == [True] * told


def test_a_box_is_compared_with_all_polygons_of_its_mask():
    left, right = [20, 20, 30, 20, 30, 50], [50, 20, 60, 20, 60, 50]
    assert check(INSIDE, segmentation=[left, right]) == []
    assert check(INSIDE, segmentation={"size": [100, 200], "counts": [20000]}) == []

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from tsd.data.masks import mask_of, usable_polygons
from tsd.data.split_report import Mask

SQUARE = [10, 10, 20, 10, 20, 20, 10, 20]


@pytest.mark.parametrize(
    ("segmentation", "expected"),
    [
        (None, Mask.MISSING),
        ([], Mask.MISSING),
        ({}, Mask.MISSING),
        ("", Mask.MISSING),
        ([SQUARE], Mask.POLYGONS),
        ([SQUARE, [1, 1, 5, 5]], Mask.POLYGONS),
        ([[10, 10, 20, 20, 20, 10.5]], Mask.POLYGONS),
        ([[]], Mask.MALFORMED),
        ([[10, 10, 20, 20]], Mask.MALFORMED),
        ([[10, 10, 20, 20, 30]], Mask.MALFORMED),
        ([[10, 10, 20, 20, 30, 30, 5]], Mask.MALFORMED),
        (SQUARE, Mask.MALFORMED),
        ([[10, 10, None, 20, 20, 10]], Mask.MALFORMED),
        ([[10, 10, float("nan"), 20, 20, 10]], Mask.MALFORMED),
        ([None], Mask.MALFORMED),
        ("polygon", Mask.MALFORMED),
        (7, Mask.MALFORMED),
        ([[10, 10, 20, 20, 30, 30]], Mask.NO_AREA),
        ([[10, 10, 10, 10, 10, 10]], Mask.NO_AREA),
        ([[10, 10, 20, 10, 10, 10]], Mask.NO_AREA),
        ([[10, 10, 20, 10, 10, 10], SQUARE], Mask.POLYGONS),
        ({"size": [30, 40], "counts": [10, 5, 1185]}, Mask.RUN_LENGTHS),
        ({"size": [30, 40], "counts": [1200]}, Mask.NO_AREA),
        ({"size": [40, 30], "counts": [10, 5, 1185]}, Mask.MALFORMED),
        ({"size": [30, 40], "counts": [10, 5, 1184]}, Mask.MALFORMED),
        ({"size": [30, 40], "counts": [10, -5, 1195]}, Mask.MALFORMED),
        ({"size": [30, 40], "counts": [10, 5.0, 1185]}, Mask.MALFORMED),
        ({"size": [30, 40], "counts": []}, Mask.MALFORMED),
        ({"size": [30, 40], "counts": None}, Mask.MALFORMED),
        ({"size": [30, 40], "counts": "garbage!!"}, Mask.MALFORMED),
        ({"size": [30, 40], "counts": "ü"}, Mask.MALFORMED),
        ({"size": [30, 40], "counts": "P"}, Mask.MALFORMED),
        ({"size": [30, 40]}, Mask.MALFORMED),
        ({"counts": [1200]}, Mask.MALFORMED),
    ],
)
def test_a_mask_is_worth(segmentation, expected):
    assert mask_of(segmentation, height=30, width=40) is expected


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=40))
def test_compressed_run_lengths_are_read_as_coco_writes_them(rows):
    pixels = np.asfortranarray(rows, np.uint8)
    height, width = pixels.shape
    runs = coco_mask.encode(pixels)
    segmentation = {"size": [height, width], "counts": runs["counts"].decode()}
    expected = Mask.RUN_LENGTHS if pixels.any() else Mask.NO_AREA
    assert mask_of(segmentation, height, width) is expected
    assert mask_of(segmentation, height + 1, width) is Mask.MALFORMED
    cut = {**segmentation, "counts": segmentation["counts"][:-1]}
    assert mask_of(cut, height, width) is Mask.MALFORMED


def test_masks_larger_than_a_digit_are_read():
    pixels = np.zeros((600, 700), np.uint8, order="F")
    pixels[100:500, 30:600] = 1
    runs = coco_mask.encode(pixels)
    segmentation = {"size": [600, 700], "counts": runs["counts"].decode()}
    assert mask_of(segmentation, 600, 700) is Mask.RUN_LENGTHS


def test_only_polygons_with_three_points_are_used():
    assert usable_polygons([[1, 1, 5, 5], SQUARE, [1, 2, 3, 4, 5]]) == [SQUARE]


def test_what_can_be_used_is_polygons_or_run_lengths():
    assert [mask for mask in Mask if mask.usable] == [Mask.POLYGONS, Mask.RUN_LENGTHS]

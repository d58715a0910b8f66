import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tsd.data.image_frame import EXCHANGING, Frame, frame_of, shown_size, turn

sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))
orientations = st.integers(1, 8)


@pytest.mark.parametrize(
    ("stored", "orientation", "annotated", "frame"),
    [
        ((4, 3), 1, (4, 3), Frame.STORED),
        ((4, 3), 1, (3, 4), Frame.NEITHER),
        ((4, 3), 1, None, Frame.STORED),
        ((4, 3), 6, (4, 3), Frame.STORED),
        ((4, 3), 6, (3, 4), Frame.SHOWN),
        ((4, 3), 6, (3, 5), Frame.NEITHER),
        ((4, 3), 6, None, Frame.ASSUMED),
        ((4, 4), 6, (4, 4), Frame.ASSUMED),
        ((4, 3), 3, (4, 3), Frame.ASSUMED),
        ((4, 3), 3, (3, 4), Frame.NEITHER),
        ((4, 4), 1, (4, 4), Frame.STORED),
        ((8, 6), 1, (4, 3), Frame.NEITHER),
        ((4, 3), 5, (4.0, 3.0), Frame.STORED),
    ],
)
def test_the_frame_follows_from_sizes_and_orientation(stored, orientation, annotated, frame):
    assert frame_of(stored, orientation, annotated) is frame


@given(sizes, orientations, sizes)
def test_a_frame_has_the_annotated_size_or_is_neither(stored, orientation, annotated):
    frame = frame_of(stored, orientation, annotated)
    read = shown_size(stored, orientation) if frame.turned else stored
    assert (frame is Frame.NEITHER) == (annotated not in (stored, shown_size(stored, orientation)))
    assert frame is Frame.NEITHER or read == annotated


@given(sizes, orientations)
def test_without_annotations_a_picture_is_read_as_viewers_show_it(stored, orientation):
    assert frame_of(stored, orientation, None).turned == (orientation != 1)


@given(sizes, orientations)
def test_pictures_are_turned_as_pillow_turns_them(stored, orientation):
    width, height = stored
    pixels = np.arange(3 * width * height, dtype=np.uint8).reshape(height, width, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", exif=exif)
    with Image.open(file) as picture:
        shown = np.asarray(ImageOps.exif_transpose(picture))
    turned = turn(pixels, orientation)
    assert np.array_equal(turned, shown)
    assert turned.shape[1::-1] == shown_size(stored, orientation)
    assert (orientation in EXCHANGING) == (shown_size((1, 2), orientation) == (2, 1))

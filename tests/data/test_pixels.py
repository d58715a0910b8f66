import cv2
import mmcv
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tests.data.pictures import encoded, scene
from tsd.data.coco_format import DatasetError
from tsd.data.pixels import decode_in_frame, read_rgb

MODES = {
    "JPEG": ["RGB", "L", "CMYK"],
    "PNG": ["RGB", "RGBA", "L", "LA", "P", "1"],
    "WEBP": ["RGB", "RGBA"],
    "TIFF": ["RGB", "L", "P", "1", "CMYK"],
    "BMP": ["RGB", "L", "P", "1"],
    "GIF": ["L", "P"],
    "AVIF": ["RGB"],
}


@pytest.mark.parametrize(
    ("format", "mode"), [(format, mode) for format, modes in MODES.items() for mode in modes]
)
def test_without_exif_orientation_pixels_are_those_of_mmcv(format, mode):
    content = encoded(scene().convert(mode), format)
    pixels = decode_in_frame(content, (64, 48), "")
    assert np.array_equal(pixels, mmcv.imfrombytes(content, flag="color", backend="cv2"))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_is_turned_equals_what_opencv_turns(format, orientation):
    content = encoded(scene(), format, orientation)
    assert np.array_equal(decode_in_frame(content, None, ""), mmcv.imfrombytes(content))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_annotated_stored_bitmap_is_not_turned_where_sizes_tell(orientation):
    content = encoded(scene(), "PNG", orientation)
    stored = np.asarray(scene())[..., ::-1]
    pixels = decode_in_frame(content, (64, 48), "")
    assert np.array_equal(pixels, stored) == (orientation in (1, 5, 6, 7, 8))


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(1, 8),
    st.sampled_from(["JPEG", "PNG", "WEBP"]),
    st.booleans(),
)
def test_pixels_have_the_annotated_size_whichever_frame_it_is_of(size, orientation, format, turned):
    content = encoded(scene(*size), format, orientation)
    exchanged = orientation >= 5 and turned
    width, height = annotated = size[::-1] if exchanged else size
    assert decode_in_frame(content, annotated, "").shape == (height, width, 3)


@given(
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.integers(1, 8),
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
)
def test_pixels_have_the_annotated_size_or_are_refused(size, orientation, annotated):
    content = encoded(scene(*size), "PNG", orientation)
    try:
        assert decode_in_frame(content, annotated, "").shape[1::-1] == annotated
    except DatasetError:
        assert annotated not in (size, size[::-1] if orientation >= 5 else size)


def test_an_image_of_another_size_is_refused_with_both():
    with pytest.raises(DatasetError, match=r"a\.jpg: is 48 × 64 pixels large, but 60 × 40"):
        decode_in_frame(encoded(scene(), "JPEG", 6), (60, 40), "a.jpg")


@pytest.mark.parametrize("content", [b"", b"no image", encoded(scene(), "JPEG")[:-500]])
def test_what_cannot_be_decoded_is_refused_by_name(content):
    with pytest.raises(DatasetError, match=r"b\.jpg: cannot be decoded"):
        decode_in_frame(content, None, "b.jpg")


def test_figures_read_the_same_pixels_red_first(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(scene(), "JPEG", 6))
    for size in ((64, 48), (48, 64)):
        pixels = decode_in_frame(path.read_bytes(), size, "")
        assert np.array_equal(read_rgb(path, *size), pixels[..., ::-1])
    shown = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    assert np.array_equal(read_rgb(path), shown)


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
@pytest.mark.parametrize("size", [(640, 480), (480, 640), None])
@pytest.mark.parametrize("side", [700, 640, 300, 80, 79, 33, 3, 1])
def test_a_reduced_image_is_the_same_picture(format, size, side, tmp_path):
    path = tmp_path / "image"
    path.write_bytes(encoded(scene(640, 480), format, 6))
    width, height = size or (480, 640)
    pixels = read_rgb(path, *(size or (None, None)), side=side)
    assert max(pixels.shape[:2]) == min(side, 640)
    assert pixels.shape[0] / pixels.shape[1] == pytest.approx(height / width, rel=1 / side)
    whole = read_rgb(path, *(size or (None, None)))
    like = cv2.resize(whole, pixels.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(like.astype(int) - pixels).mean() < 3


def test_a_strip_is_reduced_too(tmp_path):
    path = tmp_path / "strip.png"
    path.write_bytes(encoded(scene(1000, 2), "PNG"))
    assert read_rgb(path, 1000, 2, side=100).shape == (1, 100, 3)


def test_pillows_limit_does_not_keep_a_figure_from_a_large_image(tmp_path, monkeypatch):
    path = tmp_path / "large.png"
    path.write_bytes(encoded(scene(), "PNG"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(path)
    assert read_rgb(path, 64, 48, side=16).shape == (12, 16, 3)

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from tests.data.pictures import encoded, scene
from tsd.reporting import photos
from tsd.reporting.photos import read_photo


@pytest.fixture
def path(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded(scene(), "JPEG", 6))
    return tmp_path / "a.jpg"


@pytest.mark.parametrize(
    ("annotated", "size"), [((64, 48), (64, 48)), ((48, 64), (48, 64)), ((None, None), (48, 64))]
)
def test_a_photo_has_the_annotated_size(annotated, size, path):
    photo = read_photo(path, *annotated)
    assert (photo.width, photo.height) == size
    assert photo.pixels.shape == (*size[::-1], 3)
    axes = Figure().add_subplot()
    photo.draw(axes)
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, size[0]), (size[1], 0))


def test_a_large_photo_is_reduced_but_keeps_its_coordinates(path, monkeypatch):
    monkeypatch.setattr(photos, "SIDE", 16)
    photo = read_photo(path, 64, 48)
    assert photo.pixels.shape == (12, 16, 3)
    axes = Figure().add_subplot()
    photo.draw(axes)
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 64), (48, 0))


def test_a_grey_photo_is_a_background(path):
    axes = Figure().add_subplot()
    read_photo(path, 64, 48).draw(axes, is_grey=True)
    (image,) = axes.images
    expected = Image.fromarray(read_photo(path, 64, 48).pixels).convert("L")
    assert np.array_equal(image.get_array(), np.asarray(expected))
    assert image.get_clim() == (-60, 315)


@pytest.mark.parametrize("is_grey", [False, True])
def test_a_photo_that_cannot_be_read_is_an_empty_panel_with_the_reason(path, is_grey):
    path.write_bytes(path.read_bytes()[:-200])
    photo = read_photo(path, 64, 48)
    assert photo.pixels is None
    axes = Figure().add_subplot()
    photo.draw(axes, is_grey)
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 64), (48, 0))
    (text,) = axes.texts
    assert text.get_text().replace("\n", " ").startswith("a.jpg cannot be shown: cannot be decoded")
    assert str(path) not in photo.fault


def test_of_a_missing_photo_whose_size_is_unknown_there_is_a_panel(tmp_path):
    photo = read_photo(tmp_path / "none.jpg", None, None)
    assert (photo.width, photo.height, photo.pixels) == (1, 1, None)

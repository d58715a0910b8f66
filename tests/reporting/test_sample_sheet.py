import json

import pytest
from PIL import Image

from tsd.reporting.sample_sheet import _sheet, draw_samples, pick_samples


@pytest.fixture
def data(tmp_path):
    """Five images of two sizes, the first with an object at its upper edge and a crowd."""
    images = []
    for number in range(5):
        width, height = (64, 48) if number % 2 else (48, 64)
        Image.new("RGB", (width, height), (40 * number, 90, 120)).save(tmp_path / f"{number}.png")
        image = {"id": number, "file_name": f"{number}.png", "width": width, "height": height}
        images.append(image)
    box = {"image_id": 0, "bbox": [1, 0, 20, 30], "iscrowd": 0}
    content = {
        "images": images,
        "categories": [{"id": 7, "name": "cat"}, {"id": 9, "name": "$dog$"}],
        "annotations": [
            {**box, "id": 1, "category_id": 9},
            {**box, "id": 2, "category_id": 7, "iscrowd": 1},
        ],
    }
    annotations = tmp_path / "val.json"
    annotations.write_text(json.dumps(content), encoding="utf-8")
    return annotations


def test_samples_are_spread_over_the_split(data):
    assert [s.path.name for s in pick_samples(data, data.parent, 2)] == ["0.png", "2.png"]
    assert len(pick_samples(data, data.parent, 12)) == 5


def test_samples_hold_names_and_no_crowds(data):
    assert pick_samples(data, data.parent, 1)[0].objects == [(1, "$dog$", [1, 0, 20, 30])]


def test_sample_sheet_is_a_picture(data, tmp_path):
    draw_samples(data, data.parent, tmp_path / "out" / "samples.png", count=5)
    with Image.open(tmp_path / "out" / "samples.png") as picture:
        assert picture.width > picture.height > 300


def written(sheet):
    """All that is written on a sheet."""
    return [text.get_text().replace("\n", " ") for axes in sheet.axes for text in axes.texts]


def test_an_image_that_cannot_be_read_leaves_a_panel_that_says_why(data, tmp_path):
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:60])
    (tmp_path / "2.png").write_bytes(b"")
    (tmp_path / "3.png").unlink()
    Image.new("RGB", (9, 9)).save(tmp_path / "4.png")
    sheet = _sheet(pick_samples(data, tmp_path, 5))
    dog, cut_off, empty, missing, small = written(sheet)
    assert dog == "$dog$"
    assert cut_off.startswith("1.png cannot be shown: cannot be decoded")
    assert empty.startswith("2.png cannot be shown: cannot be decoded")
    assert "No such file" in missing
    assert "9 × 9" in small
    assert "48 × 64" in small
    assert [len(axes.images) for axes in sheet.axes] == [1, 0, 0, 0, 0]
    draw_samples(data, tmp_path, tmp_path / "samples.png", count=5)
    assert (tmp_path / "samples.png").exists()


def test_an_image_beyond_pillows_limit_is_drawn(data, tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    sheet = _sheet(pick_samples(data, tmp_path, 5))
    assert [len(axes.images) for axes in sheet.axes] == [1] * 5


def test_an_image_is_drawn_in_the_frame_of_its_annotations(data, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.new("RGB", (64, 48), "red")
    picture.paste("blue", (0, 0, 32, 48))
    for name in ("0.png", "1.png"):
        picture.save(tmp_path / name, exif=exif)
    shown, stored = _sheet(pick_samples(data, tmp_path, 5)).axes[:2]
    assert shown.images[0].get_array()[0, -1].tolist() == [0, 0, 255]  # the upper half is blue
    assert stored.images[0].get_array()[-1, 0].tolist() == [0, 0, 255]  # the left half is blue
    assert shown.images[0].get_array()[-1, 0].tolist() == [255, 0, 0]
    assert stored.images[0].get_array()[0, -1].tolist() == [255, 0, 0]


@pytest.mark.parametrize("content", [None, "{", '{"images": []}', "a1.jpg\n64 48\n0\n"])
def test_a_file_that_cannot_be_shown_leaves_a_sheet_that_says_so(content, tmp_path):
    if content is not None:
        (tmp_path / "val.json").write_text(content)
    draw_samples(tmp_path / "val.json", tmp_path, tmp_path / "out" / "samples.png")
    with Image.open(tmp_path / "out" / "samples.png") as picture:
        assert len(picture.convert("L").getcolors()) > 2


def test_a_split_without_images_leaves_a_sheet_too(data, tmp_path):
    content = json.loads(data.read_text())
    data.write_text(json.dumps({**content, "images": []}))
    draw_samples(data, tmp_path, tmp_path / "samples.png")
    assert (tmp_path / "samples.png").exists()

import json

import pytest
from PIL import Image

from tsd.reporting.sample_sheet import draw_samples, pick_samples


@pytest.fixture
def data(tmp_path):
    """Five images of two sizes, the first with an object at its upper edge and a crowd."""
    for number in range(5):
        size = (64, 48) if number % 2 else (48, 64)
        Image.new("RGB", size, (40 * number, 90, 120)).save(tmp_path / f"{number}.png")
    box = {"image_id": 0, "bbox": [1, 0, 20, 30], "iscrowd": 0}
    content = {
        "images": [{"id": number, "file_name": f"{number}.png"} for number in range(5)],
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


def test_missing_data_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        draw_samples(tmp_path / "none.json", tmp_path, tmp_path / "samples.png")

import json

import pytest

from tsd.data.annotated_images import AnnotatedImage, images_of_coco, images_of_openimages
from tsd.data.coco_format import DatasetError
from tsd.data.openimages_format import PREPARED


def test_images_of_a_coco_file_come_with_their_boxes(tmp_path):
    box = {"image_id": 2, "category_id": 1, "bbox": [1, 2, 3, 4.5], "area": 13.5, "iscrowd": 1}
    content = {
        "images": [
            {"id": 1, "file_name": "empty.png", "width": 5, "height": 6},
            {"id": 2, "file_name": "a/b.png", "width": 7.0, "height": 8},
        ],
        "annotations": [{"id": 1, **box}],
        "categories": [{"id": 1, "name": "object"}],
    }
    file = tmp_path / "train.json"
    file.write_text(json.dumps(content))
    assert list(images_of_coco(file)) == [
        AnnotatedImage("empty.png", 5, 6, []),
        AnnotatedImage("a/b.png", 7, 8, [[1, 2, 3, 4.5]]),
    ]


def test_images_of_open_images_come_with_their_sizes(prepared):
    images = list(images_of_openimages(prepared / PREPARED.train))
    assert images == [AnnotatedImage("a1.jpg", 64, 48), AnnotatedImage("b2.jpg", 40, 80)]


@pytest.mark.parametrize("images_of", [images_of_coco, images_of_openimages])
def test_a_missing_file_is_named(images_of, tmp_path):
    with pytest.raises(DatasetError, match="none"):
        list(images_of(tmp_path / "none"))

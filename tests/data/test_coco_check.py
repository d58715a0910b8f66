import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsd.data.coco_check import DatasetError, check_split, size_bin


def annotation(number: int, image: int, category: int, bbox: list, **more: object) -> dict:
    entry = {"id": number, "image_id": image, "category_id": category, "bbox": bbox, "iscrowd": 0}
    return {"area": bbox[2] * bbox[3], **entry, **more}


GOOD: dict = {
    "images": [
        {"id": number, "file_name": f"{number}.png", "width": 200, "height": 150}
        for number in (1, 2, 3)
    ],
    "annotations": [
        annotation(1, 1, 1, [0, 0, 10, 10]),
        annotation(2, 1, 2, [5, 5, 32, 32]),
        annotation(3, 2, 1, [0.5, 0, 96, 96.5]),
        annotation(4, 2, 1, [0, 0, 90, 90], iscrowd=1),
        annotation(5, 3, 2, [20, 20, 0, 30]),
        annotation(6, 3, 2, [200, 20, 10, 10]),
        annotation(7, 3, 2, [20, 20, 0.5, 30]),
        annotation(8, 3, 2, [20, 20, 10, 10], area=0),
    ],
    "categories": [{"id": 1, "name": "traffic light"}, {"id": 2, "name": "train"}],
}


def write(folder: Path, content: object) -> tuple[Path, Path]:
    images = folder / "images"
    images.mkdir()
    for number in (1, 2, 3):
        (images / f"{number}.png").touch()
    file = folder / "instances_train.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file, images


def test_a_good_split_is_counted(tmp_path):
    file, images = write(tmp_path, GOOD)
    report = check_split(file, images)
    assert report.annotation_file == str(file)
    assert (report.images, report.annotations) == (3, 8)
    assert (report.crowd, report.zero_area) == (1, 4)
    assert report.per_class == {"traffic light": 2, "train": 1}
    assert (report.small, report.medium, report.large) == (1, 1, 1)
    assert report.images_without_objects == 1


def test_classes_narrow_the_counts_of_objects(tmp_path):
    report = check_split(*write(tmp_path, GOOD), classes=["train"])
    assert report.per_class == {"train": 1}
    assert report.images_without_objects == 2
    assert report.annotations == 8


def test_images_may_lie_in_folders_below(tmp_path):
    content = copy.deepcopy(GOOD)
    content["images"][0]["file_name"] = "day/1.png"
    file, images = write(tmp_path, content)
    (images / "day").mkdir()
    (images / "day" / "1.png").touch()
    assert check_split(file, images).images == 3


def change(key: str, place: int, **fields: object) -> Callable[[dict], object]:
    def apply(content: dict) -> object:
        content[key][place].update(fields)
        return content

    return apply


def without(key: str, place: int, field: str) -> Callable[[dict], object]:
    def apply(content: dict) -> object:
        del content[key][place][field]
        return content

    return apply


def replace(**keys: object) -> Callable[[dict], object]:
    return lambda content: content | keys


def drop(key: str) -> Callable[[dict], object]:
    return lambda content: {other: content[other] for other in content if other != key}


BAD: dict[str, tuple[Callable[[dict], object], list[str]]] = {
    "cut off": (lambda content: json.dumps(content)[:-5], ["not JSON", "incomplete"]),
    "detections": (lambda content: content["annotations"], ["a JSON list", "detections"]),
    "no images": (drop("images"), ["'images' of COCO", "missing", "'annotations', 'categories'"]),
    "no annotations": (drop("annotations"), ["'annotations' of COCO", "missing"]),
    "no categories": (drop("categories"), ["'categories' of COCO", "missing"]),
    "images by name": (replace(images={}), ["'images' is a dict", "must be a list"]),
    "annotations null": (replace(annotations=None), ["'annotations' is a NoneType"]),
    "names only": (replace(categories=["a", "b"]), ["'categories'", "no JSON objects", "0, 1"]),
    "no bbox": (without("annotations", 1, "bbox"), ["'bbox' is missing", "1 (1 in all)"]),
    "no area": (without("annotations", 0, "area"), ["'area' is missing", "'annotations'"]),
    "no iscrowd": (without("annotations", 0, "iscrowd"), ["'iscrowd' is missing"]),
    "no file name": (without("images", 2, "file_name"), ["'file_name' is missing", "'images'"]),
    "short bbox": (change("annotations", 3, bbox=[1, 2, 3]), ["'bbox'", "[1, 2, 3]", "four"]),
    "text in bbox": (change("annotations", 0, bbox=[0, 0, "9", 9]), ["'bbox'", "four finite"]),
    "NaN in bbox": (change("annotations", 0, bbox=[0, 0, float("nan"), 9]), ["four finite"]),
    "bad area": (change("annotations", 0, area=None), ["'area'", "None", "finite number"]),
    "bad iscrowd": (change("annotations", 0, iscrowd=2), ["'iscrowd'", "0 or 1"]),
    "text id": (change("images", 0, id="1"), ["'id'", "'images'", "an integer", "'1'"]),
    "true id": (change("categories", 0, id=True), ["'id'", "'categories'", "True"]),
    "flat image": (change("images", 0, height=0), ["'height'", "above 0"]),
    "no name": (change("categories", 1, name=""), ["'name'", "'categories'"]),
    "image id twice": (change("images", 1, id=1), ["unique in 'images'", "repeats 1 (1 in all)"]),
    "annotation id twice": (change("annotations", 1, id=1), ["unique in 'annotations'"]),
    "category id twice": (change("categories", 1, id=1), ["unique in 'categories'"]),
    "unknown image": (change("annotations", 1, image_id=77), ["'image_id'", "ids 2 (1", "77"]),
    "unknown category": (change("annotations", 2, category_id=9), ["'category_id'", "ids 3 (1"]),
    "image not on disk": (change("images", 0, file_name="x.png"), ["'x.png' (1 in all)"]),
    "nothing annotated": (replace(annotations=[]), ["no valid box", "of 0,"]),
    "nothing valid": (
        lambda content: content | {"annotations": content["annotations"][3:]},
        ["no valid box: of 5, 1 are crowd regions, 4 are empty"],
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_its_name_and_the_place(tmp_path, name):
    spoil, parts = BAD[name]
    file, images = write(tmp_path, spoil(copy.deepcopy(GOOD)))
    with pytest.raises(DatasetError) as error:
        check_split(file, images)
    for part in [str(file), *parts]:
        assert part in str(error.value)


def test_a_missing_file_names_its_neighbours(tmp_path):
    file, images = write(tmp_path, GOOD)
    with pytest.raises(DatasetError, match=r"no such annotation file.*'instances_train\.json'"):
        check_split(file.with_name("instance_train.json"), images)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"nowhere/a\.json: no such file, nor its folder"):
        check_split(tmp_path / "nowhere" / "a.json", tmp_path)


def test_a_missing_image_folder_is_named(tmp_path):
    file, images = write(tmp_path, GOOD)
    with pytest.raises(DatasetError, match=r"imgs: no such image folder"):
        check_split(file, images.with_name("imgs"))


def test_a_misspelt_class_names_the_nearest(tmp_path):
    file, images = write(tmp_path, GOOD)
    with pytest.raises(DatasetError, match=r"no class 'trafic light'.*'traffic light'"):
        check_split(file, images, classes=["train", "trafic light"])


def test_classes_without_objects_are_refused_if_there_is_no_other(tmp_path):
    content = copy.deepcopy(GOOD)
    content["categories"].append({"id": 3, "name": "kite"})
    with pytest.raises(DatasetError, match=r"no valid box.*3 are of other classes"):
        check_split(*write(tmp_path, content), classes=["kite"])


def test_at_most_five_examples_are_given_with_the_number_of_all(tmp_path):
    content = copy.deepcopy(GOOD)
    for entry in content["annotations"]:
        entry["image_id"] = 50
    file, images = write(tmp_path, content)
    with pytest.raises(DatasetError, match=r"ids 1, 2, 3, 4, 5, … \(8 in all\)"):
        check_split(file, images)


@given(st.floats(0, 1e6))
def test_size_ranges_are_those_of_coco(area):
    expected = "small" if area < 1024 else "large" if area > 9216 else "medium"
    assert size_bin(area) == expected


def test_empty_boxes_are_those_that_mmdet_drops(tmp_path):
    datasets = pytest.importorskip("mmdet.datasets")
    file, images = write(tmp_path, GOOD)
    dataset = datasets.CocoDataset(
        ann_file=str(file),
        data_prefix={"img": str(images)},
        metainfo={"classes": ("traffic light", "train")},
        pipeline=[],
        serialize_data=False,
    )
    kept = [instance for image in dataset.data_list for instance in image["instances"]]
    report = check_split(file, images)
    assert report.annotations - report.zero_area == len(kept)
    assert report.crowd == sum(instance["ignore_flag"] for instance in kept)


def test_empty_boxes_still_count_in_evaluation(tmp_path):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    content = GOOD | {"annotations": [GOOD["annotations"][1], GOOD["annotations"][4]]}
    truth = COCO(str(write(tmp_path, content | {"info": {}})[0]))
    found = [
        {"image_id": entry["image_id"], "category_id": 2, "bbox": entry["bbox"], "score": 0.9}
        for entry in content["annotations"]
    ]
    evaluation = COCOeval(truth, truth.loadRes(found), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[8] == pytest.approx(0.5)

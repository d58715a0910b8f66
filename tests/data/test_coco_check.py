import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsd.data.coco_check import DatasetError, check_split, size_bin
from tsd.data.split_report import Fate, Purpose


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
    assert report.fates == {
        Fate.TRAINED: 3,
        Fate.CROWD: 1,
        Fate.FLAGGED: 0,
        Fate.OUTSIDE: 1,
        Fate.EMPTY: 3,
        Fate.SMALL_IMAGE: 0,
        Fate.OTHER_CLASS: 0,
    }
    assert report.per_class == {"traffic light": 2, "train": 1}
    assert report.sizes == {"small": 1, "medium": 1, "large": 1}
    assert report.images_without_objects == 1


def test_a_split_for_evaluation_is_counted_otherwise(tmp_path):
    report = check_split(*write(tmp_path, GOOD), purpose=Purpose.EVALUATION)
    assert report.fates == {
        Fate.EVALUATED: 5,
        Fate.EVALUATED_THOUGH_FLAGGED: 0,
        Fate.NEVER_FOUND: 2,
        Fate.GROUP: 0,
        Fate.CROWD: 1,
        Fate.OTHER_CLASS: 0,
    }
    assert report.per_class == {"traffic light": 2, "train": 5}
    assert report.objects == sum(report.sizes.values()) == sum(report.masks.values()) == 7
    assert report.images_without_objects == 0


def test_images_that_training_leaves_out_are_counted(tmp_path):
    content = copy.deepcopy(GOOD)
    content["images"][0] |= {"width": 60, "height": 40}
    report = check_split(*write(tmp_path, content), smallest_side=41)
    assert report.fates[Fate.SMALL_IMAGE] == 2
    assert report.fates[Fate.TRAINED] == 1


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
    "bad area": (change("annotations", 0, area=None), ["'area'", "None", "square pixels"]),
    "negative area": (change("annotations", 0, area=-1), ["'area'", "-1", "from 0 to 10"]),
    "area beyond all sizes": (change("annotations", 0, area=2e10), ["'area'", "from 0 to 10"]),
    "true area": (change("annotations", 0, area=True), ["'area'", "True"]),
    "negative width": (change("annotations", 1, bbox=[5, 5, -2, 3]), ["[5, 5, -2, 3]", "negative"]),
    "negative height": (change("annotations", 1, bbox=[5, 5, 2, -3]), ["not negative", "1 (1 in"]),
    "no bbox at all": (change("annotations", 0, bbox=None), ["'bbox'", "None", "four finite"]),
    "infinite integer": (change("annotations", 0, bbox=[0, 0, 10**400, 9]), ["four finite"]),
    "id beyond 64 bits": (change("images", 0, id=2**63), ["'id'", "64 bits"]),
    "flag in words": (change("annotations", 0, ignore="yes"), ["'ignore'", "0 or 1", "'yes'"]),
    "flag null": (change("annotations", 0, ignore=None), ["'ignore'", "0 or 1", "None"]),
    "image twice": (
        change("images", 2, file_name="./1.png"),
        ["'file_name' must be unique", "1.png (ids 1, 3 (2 in all)) (1 in all)"],
    ),
    "backslashes": (
        change("images", 0, file_name="day\\1.png"),
        ["missing: 'day", "backslashes", "write '/'"],
    ),
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
        ["no valid box for training: of 5, 1 crowd:", "3 left out of training", "'area'"],
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
    with pytest.raises(DatasetError, match=r"no valid box.*8 of a category that is none"):
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


def test_of_a_missing_image_the_nearest_name_is_told(tmp_path):
    content = copy.deepcopy(GOOD)
    content["images"][2]["file_name"] = "3.PNG"
    with pytest.raises(DatasetError, match=r"'3\.PNG' \(1 in all\).*did you mean '3\.png'"):
        check_split(*write(tmp_path, content))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_file_with_a_byte_order_mark_is_read(tmp_path, encoding):
    file, images = write(tmp_path, GOOD)
    expected = check_split(file, images)
    file.write_text(json.dumps(GOOD), encoding=encoding)
    assert check_split(file, images) == expected


def test_a_file_in_another_encoding_is_named(tmp_path):
    file, images = write(tmp_path, GOOD)
    spelt = {**GOOD, "categories": [*GOOD["categories"], {"id": 3, "name": "Möwe"}]}
    file.write_text(json.dumps(spelt, ensure_ascii=False), encoding="latin-1")
    with pytest.raises(DatasetError, match=r"train\.json: is not in UTF-8 .*write it again"):
        check_split(file, images)


def test_objects_with_the_flag_are_told_with_what_to_do(tmp_path):
    content = copy.deepcopy(GOOD)
    content["annotations"][0]["ignore"] = 1
    content["annotations"][1]["ignore"] = 0
    file, images = write(tmp_path, content)
    report = check_split(file, images)
    assert (report.fates[Fate.FLAGGED], report.fates[Fate.TRAINED]) == (1, 2)
    (note,) = [note for note in report.notes if "'ignore'" in note]
    assert note.startswith(f"{file}: 1 object has 'ignore': 1.")
    report = check_split(file, images, purpose=Purpose.EVALUATION)
    assert report.fates[Fate.EVALUATED_THOUGH_FLAGGED] == 1
    assert any("'ignore': 1" in note for note in report.notes)


def test_objects_that_are_annotated_twice_are_told(tmp_path):
    content = copy.deepcopy(GOOD)
    content["annotations"] += [{**GOOD["annotations"][0], "id": number} for number in (20, 21)]
    notes = check_split(*write(tmp_path, content)).notes
    assert any("2 objects are annotated twice" in n and "ids 20, 21 (2" in n for n in notes)


def test_a_good_split_has_nothing_to_tell(tmp_path):
    content = GOOD | {"annotations": GOOD["annotations"][:4]}
    assert check_split(*write(tmp_path, content)).notes == []

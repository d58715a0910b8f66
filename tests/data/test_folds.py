"""Images are divided into folds by their content, each into one, classes spread evenly."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.coco_example import annotated
from tsd.data.coco_format import DatasetError
from tsd.data.folds import divide, write_folds

BOX = (1, 1, 20, 20)


def example(classes):
    """An annotation file with one object of a class on each image, and a sum for each image."""
    names = sorted(set(classes)) or ["a"]
    content = annotated(list(enumerate(names, start=3)), [[(name, BOX)] for name in classes])
    return content, {i["file_name"]: f"sum of {i['id']}" for i in content["images"]}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from("abc"), min_size=5, max_size=40), st.integers(2, 5))
def test_each_image_is_in_one_fold_and_each_class_spread_evenly(classes, folds):
    content, sums = example(classes)
    divided = divide(content, sums, folds)
    assert sorted(i for fold in divided for i in fold) == [i["id"] for i in content["images"]]
    for name in set(classes):
        counts = [sum(classes[i - 1] == name for i in fold) for fold in divided]
        assert max(counts) - min(counts) <= 1
    sizes = [len(fold) for fold in divided]
    assert max(sizes) - min(sizes) <= len(set(classes))


def test_order_and_names_do_not_matter_but_content_does():
    content, sums = example("abcabcabcaab")
    by_content = {s: n for n, fold in enumerate(divide(content, sums, 3)) for i in fold
                  for s in [f"sum of {i}"]}  # fmt: skip
    other = json.loads(json.dumps(content))
    random.Random(0).shuffle(other["images"])
    for image in other["images"]:
        image["file_name"] = f"renamed_{image['file_name']}"
    renamed = {f"renamed_{name}": value for name, value in sums.items()}
    again = divide(other, renamed, 3)
    assert {f"sum of {i}": n for n, fold in enumerate(again) for i in fold} == by_content
    changed = {name: f"{value}, changed" for name, value in sums.items()}
    assert divide(content, changed, 3) != divide(content, sums, 3)


def test_images_of_the_same_content_are_in_one_fold():
    content, sums = example("abcabcabcaab")
    sums["002.png"] = sums["009.png"] = sums["001.png"]
    (having,) = [fold for fold in divide(content, sums, 3) if 1 in fold]
    assert {1, 2, 9} <= set(having)


def test_fewer_different_images_than_folds_are_refused(tmp_path):
    content, sums = example("ab")
    sums["002.png"] = sums["001.png"]
    path = tmp_path / "all.json"
    path.write_text(json.dumps(content))
    files = [(tmp_path / f"{k}a.json", tmp_path / f"{k}b.json") for k in range(2)]
    with pytest.raises(DatasetError, match=r"all\.json: 1 different images cannot .* 2 folds"):
        write_folds(path, sums, files)
    assert not files[0][0].exists()


def test_the_files_have_every_image_once_and_keep_the_rest(tmp_path):
    content, sums = example("abcabcabcaab")
    content["info"] = {"year": 2026}
    path = tmp_path / "all.json"
    path.write_text(json.dumps(content))
    files = [(tmp_path / f"{k}a.json", tmp_path / f"{k}b.json") for k in range(3)]
    divided = write_folds(path, sums, files)
    for fold, pair in zip(divided, files, strict=True):
        train, test = (json.loads(each.read_text()) for each in pair)
        for part in (train, test):
            assert part["categories"] == content["categories"]
            assert part["info"] == content["info"]
            ids = {image["id"] for image in part["images"]}
            assert {entry["image_id"] for entry in part["annotations"]} == ids
        assert [image["id"] for image in test["images"]] == fold
        assert len(train["images"]) + len(test["images"]) == 12
        assert len(train["annotations"]) + len(test["annotations"]) == 12

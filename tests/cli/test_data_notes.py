"""What the check of a data set says and records, by the command."""

import json
from pathlib import Path

import pytest
import yaml

from tests.coco_example import annotated, declaration, scattered, write_split
from tsd.cli.main import main
from tsd.data.split_report import Fate, Mask
from tsd.results.data_check import DataCheck

CATEGORIES = [(1, "red"), (2, "green")]


@pytest.fixture
def check(tmp_path, capsys):
    """Write a data set, check it, and return the record and what was said."""

    def run(train, val, scale="smoke", **keys):
        for split, content in (("train", train), ("val", val)):
            write_split(tmp_path, split, content)
        file, out = tmp_path / "data.yaml", tmp_path / "record.json"
        file.write_text(yaml.safe_dump(declaration(tmp_path, **keys)))
        grid = [f"--scale={scale}", f"--dataset={file}", f"--results={tmp_path / 'results'}"]
        main(["check-data", *grid, "--data=rectangles", f"--out={out}"])
        record = DataCheck.read_current(out)
        said = capsys.readouterr().out
        assert all(note in said for note in record.notes)
        return record, said

    return run


def plain(seed, categories=CATEGORIES, **changes):
    return annotated(categories, scattered(4, seed), **changes)


def test_of_a_sound_data_set_there_is_nothing_to_note(check):
    record, said = check(plain(0), plain(1))
    assert record.notes == []
    assert record.train.fates[Fate.TRAINED] == record.val.fates[Fate.EVALUATED] == 8
    assert record.ceiling.ap == pytest.approx(100)
    assert (record.images_in_both, record.classes_without_training_objects) == (0, [])
    assert "data set rectangles, train: 4 images, 8 annotations, of which\n  8 trained on" in said


def test_one_annotation_is_not_called_several(check):
    alone = annotated(CATEGORIES, [[("red", (10, 10, 30, 30))]])
    _, said = check(alone, plain(1))
    assert "train: 1 image, 1 annotation, of which" in said
    assert "1 object has a mask that a run with masks can use, 0 not" in said


def test_categories_in_another_order_are_no_fault(check):
    record, _ = check(plain(0), plain(1, [(7, "green"), (3, "red")]))
    assert record.notes == []
    assert record.train.per_class == record.val.per_class == {"red": 4, "green": 4}


def test_a_root_category_with_the_name_of_a_class_is_told(check):
    record, _ = check(plain(0, [(0, "red"), *CATEGORIES]), plain(1))
    (note,) = record.notes
    assert "train.json: 2 of 'categories' have the name 'red'. The one with id 1 is taken" in note


def test_a_class_without_objects_is_told(check):
    only_red = annotated(CATEGORIES, scattered(4, 0, ["red"]))
    record, _ = check(only_red, plain(1))
    assert record.classes_without_training_objects == ["green"]
    (note,) = record.notes
    assert "1 class has no object to train on: 'green' (1 in all)" in note
    assert "val has 4 objects of these classes" in note
    record, _ = check(plain(0), annotated(CATEGORIES, scattered(4, 1, ["red"])))
    (note,) = record.notes
    assert "1 class has no object to evaluate with: 'green'" in note


def test_flags_are_counted_and_told(check):
    record, said = check(plain(0, ignore=0), plain(1, ignore=1))
    assert record.val.fates[Fate.EVALUATED_THOUGH_FLAGGED] == 8
    assert "8 evaluated in spite of 'ignore': 1" in said
    assert ["8 objects have 'ignore': 1" in note for note in record.notes] == [True]


def test_masks_are_counted(check):
    record, said = check(plain(0, segmentation=[]), plain(1, segmentation=[[1, 1, 2, 2]]))
    assert (record.train.masks[Mask.MISSING], record.val.masks[Mask.MALFORMED]) == (8, 8)
    assert "0 objects have a mask that a run with masks can use, 8 not" in said


def test_images_in_both_splits_are_told(check, tmp_path):
    content = plain(0)
    check(content, plain(1))
    (tmp_path / "val" / "other.png").write_bytes((tmp_path / "train" / "002.png").read_bytes())
    val = plain(1)
    val["images"].append({"id": 9, "file_name": "other.png", "width": 160, "height": 120})
    val["annotations"].append({**content["annotations"][2], "id": 99, "image_id": 9})
    file = tmp_path / "val.json"

    def write_last():
        file.write_text(json.dumps(val))

    write_last()
    out = tmp_path / "record.json"
    grid = ["--scale=smoke", f"--dataset={tmp_path / 'data.yaml'}", f"--results={tmp_path}"]
    main(["check-data", *grid, "--data=rectangles", f"--out={out}"])
    record = DataCheck.read_current(out)
    assert record.images_in_both == 1
    (note,) = record.notes
    assert "1 image of val is in train as well" in note
    assert "'other.png' is '002.png' of train" in note


def test_one_split_for_both_is_told_as_such(check, tmp_path):
    check(plain(0), plain(1))
    val = {"annotations": "val.json", "images": "val/"}
    file, out = tmp_path / "data.yaml", tmp_path / "record.json"
    file.write_text(yaml.safe_dump(declaration(tmp_path, train=val)))
    grid = ["--scale=smoke", f"--dataset={file}", f"--results={tmp_path}"]
    main(["check-data", *grid, "--data=rectangles", f"--out={out}"])
    record = DataCheck.read_current(out)
    (note,) = record.notes
    assert note.startswith("Train and val are one and the same split")
    assert record.images_in_both == 4


def test_objects_beyond_the_most_detections_are_told(check):
    many = annotated(
        CATEGORIES, [[("red", (7 * (i % 20), 7 * (i // 20), 5, 5)) for i in range(140)]]
    )
    record, _ = check(plain(0), many)
    assert record.ceiling.objects_beyond == 40
    beyond, ceiling = (note for note in record.notes if "class" not in note)
    assert "40 objects of val, in 1 image, cannot be found by any detector" in beyond
    assert "no more than 100 detections may be reported" in beyond
    assert "A perfect detector reaches an AP of 71.3 on val" in ceiling
    record, _ = check(plain(0), many, max_detections=140)
    assert record.ceiling.max_detections == 140
    assert record.ceiling.objects_beyond == 0
    assert record.ceiling.ap == pytest.approx(100)


def test_images_that_are_too_small_for_training_are_told(check):
    train = plain(0)
    train["images"][0] |= {"width": 90, "height": 31}
    for entry in train["annotations"][:2]:
        entry |= {"bbox": [5, 5, 9, 9], "area": 81, "segmentation": []}
    record, _ = check(train, plain(1), scale="paper")
    assert record.train.fates[Fate.SMALL_IMAGE] == 2
    (note,) = record.notes
    assert "2 annotations are in images with a side below 32 pixels" in note
    record, _ = check(train, plain(1), scale="mini")
    assert record.train.fates[Fate.SMALL_IMAGE] == 0


@pytest.mark.parametrize("split", ["train", "val"])
def test_boxes_that_are_corners_are_refused(check, split):
    contents = {"train": plain(0), "val": plain(1)}
    for entry in contents[split]["annotations"]:
        x, y, w, h = entry["bbox"]
        entry["bbox"] = [x, y, x + w, y + h]
    with pytest.raises(SystemExit, match=rf"{split}\.json: 'bbox' has to be .*corners"):
        check(**contents)


def test_images_of_another_size_are_told_before_boxes_that_do_not_fit(check, tmp_path):
    train = plain(0)
    for image in train["images"]:
        image |= {"width": 40, "height": 30}
    with pytest.raises(SystemExit, match="'bbox' has to be"):
        check(train, plain(1))
    write_split(tmp_path, "train", plain(0))
    (tmp_path / "train.json").write_text(json.dumps(train))
    out = tmp_path / "record.json"
    grid = ["--scale=smoke", f"--dataset={tmp_path / 'data.yaml'}", f"--results={tmp_path}"]
    with pytest.raises(SystemExit, match="is 160 × 120, but annotated as 40 × 30"):
        main(["check-data", *grid, "--data=rectangles", f"--out={out}"])


def test_a_data_set_that_the_grid_does_not_use_is_named(tmp_path):
    out = Path(tmp_path / "x.json")
    with pytest.raises(SystemExit, match=r"uses a data set 'embeded'; did you mean 'embedded'"):
        main(["check-data", "--scale=mini", "--data=embeded", f"--out={out}"])

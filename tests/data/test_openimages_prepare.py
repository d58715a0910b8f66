import csv
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.data.openimages_example import NAMES, write_csv
from tsd.data.coco_format import DatasetError
from tsd.data.openimages_format import PREPARED, RAW
from tsd.data.openimages_prepare import image_size, prepare


def test_boxes_are_written_as_published(prepared):
    expected = "a1.jpg\n64 48\n2\n2 0.1 0.10 0.5 0.5 0\n4 0.125000 0 1 0.001 1\n"
    expected += "b2.jpg\n40 80\n1\n3 0 0 1 1 0\n"
    assert (prepared / PREPARED.validation).read_text() == expected
    assert (prepared / PREPARED.train).read_text() == expected
    assert not (prepared / PREPARED.test).exists()


def test_classes_are_numbered_from_one_in_the_files_order(prepared):
    with (prepared / PREPARED.classes).open() as file:
        rows = list(csv.reader(file))
    assert rows == [[label, name, str(i + 1)] for i, (label, name) in enumerate(NAMES.items())]


def test_relations_are_a_plain_array(prepared):
    relations = np.load(prepared / PREPARED.relations, allow_pickle=False)
    assert relations.shape == (5, 5)
    assert not relations[0].any()
    assert not relations[:, 0].any()
    assert relations[1:, 1:].tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def test_what_is_there_is_there_for_ancestors_and_what_is_not_for_descendants(prepared):
    with (prepared / PREPARED.validation_labels).open() as file:
        head, *rows = map(tuple, csv.reader(file))
    assert head == ("ImageID", "LabelName", "Confidence")
    assert rows == [
        ("a1", "/m/v", "1"),
        ("a1", "/m/c", "1"),
        ("a1", "/m/b", "0"),
        ("b2", "/m/v", "0"),
        ("b2", "/m/c", "0"),
        ("b2", "/m/b", "1"),
    ]


def test_an_image_label_is_written_once(raw, tmp_path):
    labels = [("a1", "/m/c", "1"), ("a1", "/m/v", "1")]
    write_csv(raw / RAW.validation_labels, [("ImageID", "LabelName", "Confidence"), *labels])
    prepare(raw, tmp_path / "out")
    lines = (tmp_path / "out" / PREPARED.validation_labels).read_text().splitlines()
    assert lines[1:] == ["a1,/m/v,1", "a1,/m/c,1"]


def test_the_same_input_gives_the_same_bytes(raw, prepared, tmp_path):
    prepare(raw, tmp_path / "again")
    names = sorted(path.name for path in prepared.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "again").iterdir())
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (prepared / name).read_bytes()


def test_images_of_the_test_set_are_listed_where_they_are(raw, tmp_path):
    (raw / "test").mkdir()
    for name, size in (("z", (30, 20)), ("y", (10, 50))):
        Image.new("RGB", size).save(raw / "test" / f"{name}.jpg")
    prepare(raw, tmp_path / "out")
    assert (tmp_path / "out" / PREPARED.test).read_text() == "y.jpg\n10 50\n0\nz.jpg\n30 20\n0\n"


def append(name, line):
    def spoil(raw):
        with (raw / name).open("a") as file:
            file.write(line)

    return spoil


def replace(name, old, new):
    def spoil(raw):
        text = (raw / name).read_text()
        assert old in text
        (raw / name).write_text(text.replace(old, new))

    return spoil


def remove(name):
    return lambda raw: (raw / name).unlink()


BAD = {
    "no file": (remove(RAW.hierarchy), [RAW.hierarchy, "no such file"]),
    "class twice": (append(RAW.classes, "/m/c,Car\n"), [RAW.classes, "line 5", "'/m/c'"]),
    "class without name": (append(RAW.classes, "/m/x\n"), [RAW.classes, "line 5", "/m/x"]),
    "no class": (lambda raw: (raw / RAW.classes).write_text(""), [RAW.classes, "no classes"]),
    "class not in the tree": (append(RAW.classes, "/m/x,X\n"), [RAW.hierarchy, "'/m/x'"]),
    "tree's class unknown": (
        replace(RAW.hierarchy, "/m/w", "/m/ww"),
        [RAW.hierarchy, "'/m/ww'", "did you mean '/m/w'"],
    ),
    "tree cut off": (lambda raw: (raw / RAW.hierarchy).write_text("{"), [RAW.hierarchy, "JSON"]),
    "box of unknown class": (
        append(RAW.validation_boxes, "b2,/m/vv,0,1,0,1,0\n"),
        [RAW.validation_boxes, "line 5", "'/m/vv'", "did you mean '/m/v'"],
    ),
    "corner outside": (
        append(RAW.train_boxes, "b2,/m/v,0,1.5,0,1,0\n"),
        [RAW.train_boxes, "line 5", "'/m/v'", "'1.5'"],
    ),
    "corners swapped": (append(RAW.train_boxes, "b2,/m/v,0.7,0.5,0,1,0\n"), ["line 5", "'0.7'"]),
    "no number": (append(RAW.train_boxes, "b2,/m/v,nan,0.5,0,1,0\n"), ["line 5", "'nan'"]),
    "group": (append(RAW.train_boxes, "b2,/m/v,0,1,0,1,2\n"), ["line 5", "IsGroupOf is '2'"]),
    "line cut off": (append(RAW.train_boxes, "b2,/m/v,0,1"), ["line 5", "4 values under 7"]),
    "image apart": (append(RAW.train_boxes, "a1,/m/v,0,1,0,1,0\n"), ["'a1'", "sort it by"]),
    "image outside": (append(RAW.train_boxes, "../a,/m/v,0,1,0,1,0\n"), ["line 5", "'../a'"]),
    "image missing": (append(RAW.train_boxes, "c3,/m/v,0,1,0,1,0\n"), ["c3.jpg", "no such image"]),
    "no image": (lambda raw: (raw / "train/b2.jpg").write_text("x"), ["b2.jpg", "not a readable"]),
    "a folder in place of an image": (
        lambda raw: ((raw / "train/b2.jpg").unlink(), (raw / "train/b2.jpg").mkdir()),
        ["b2.jpg", "not a readable image"],
    ),
    "a class without a name": (append(RAW.classes, "/m/x,\n"), [RAW.classes, "line 5", "label,"]),
    "no column": (
        replace(RAW.validation_labels, "Confidence", "Confidenc"),
        [RAW.validation_labels, "no column 'Confidence'", "'Confidenc'"],
    ),
    "machine's label": (
        append(RAW.validation_labels, "b2,/m/v,0.7\n"),
        [RAW.validation_labels, "line 6", "'/m/v'", "'0.7'"],
    ),
    "no box": (
        lambda raw: write_csv(
            raw / RAW.train_boxes,
            [(raw / RAW.train_boxes).read_text().split("\n")[0].strip().split(",")],
        ),
        [RAW.train_boxes, "has no box"],
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_input_is_refused_with_its_file_and_the_place(name, raw, tmp_path):
    spoil, parts = BAD[name]
    spoil(raw)
    with pytest.raises(DatasetError) as error:
        prepare(raw, tmp_path / "out")
    for part in parts:
        assert part in str(error.value)
    assert not [path for path in (tmp_path / "out").glob("*") if "partial" in path.name]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_sizes_are_those_of_the_loaded_image(orientation, tmp_path):
    mmcv = pytest.importorskip("mmcv")
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (30, 20)).save(tmp_path / "turned.jpg", exif=exif)
    height, width, _ = mmcv.imread(str(tmp_path / "turned.jpg")).shape
    assert image_size(tmp_path / "turned.jpg") == (width, height)


def test_the_declared_classes_are_the_challenges(classes):
    declared = yaml.safe_load(Path("experiments/datasets/openimages-challenge.yaml").read_text())
    assert declared["classes"] == list(classes.values())
    assert len(classes) == 500

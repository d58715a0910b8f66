import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tsd.data.coco_format import DatasetError
from tsd.data.openimages import (
    PREPARED,
    RAW,
    check_split,
    image_size,
    prepare,
    read_boxes,
    read_classes,
    read_hierarchy,
    relation_matrix,
)

NAMES = {"/m/v": "Vehicle", "/m/c": "Car", "/m/b": "Bench", "/m/w": "Bench"}
TREE = {
    "LabelName": "/m/root",
    "Subcategory": [
        {"LabelName": "/m/v", "Subcategory": [{"LabelName": "/m/c"}]},
        {"LabelName": "/m/b"},
        {"LabelName": "/m/w"},
    ],
}
BOXES = [  # image, class, xmin, xmax, ymin, ymax, group: the columns as published
    ("a1", "/m/c", "0.1", "0.5", "0.10", "0.5", "0"),
    ("a1", "/m/w", "0.125000", "1", "0", "0.001", "1"),
    ("b2", "/m/b", "0", "1", "0", "1", "-1"),
]
LABELS = [("a1", "/m/c", "1"), ("a1", "/m/b", "0"), ("b2", "/m/v", "0"), ("b2", "/m/b", "1")]
SIZES = {"a1": (64, 48), "b2": (40, 80)}


def write_csv(path: Path, rows) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def write_raw(folder: Path, boxes=BOXES, labels=LABELS, sizes=SIZES) -> Path:
    """What the challenge publishes, made small; the training split is the validation split."""
    write_csv(folder / RAW.classes, NAMES.items())
    (folder / RAW.hierarchy).write_text(json.dumps(TREE))
    head = ("ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax", "IsGroupOf")
    for name in (RAW.train_boxes, RAW.validation_boxes):
        write_csv(folder / name, [head, *boxes])
    write_csv(folder / RAW.validation_labels, [("ImageID", "LabelName", "Confidence"), *labels])
    for split in ("train", "validation"):
        (folder / split).mkdir()
        for number, (image, size) in enumerate(sizes.items()):
            colour = (40 * number % 256, 90, 250 - 20 * number % 250)
            Image.new("RGB", size, colour).save(folder / split / f"{image}.jpg")
    return folder


@pytest.fixture
def raw(tmp_path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    return write_raw(folder)


@pytest.fixture
def prepared(raw, tmp_path) -> Path:
    prepare(raw, tmp_path / "annotations")
    return tmp_path / "annotations"


def test_boxes_are_written_as_published(prepared):
    expected = "a1.jpg\n64 48\n2\n2 0.1 0.10 0.5 0.5 0\n4 0.125000 0 1 0.001 1\n"
    expected += "b2.jpg\n40 80\n1\n3 0 0 1 1 0\n"
    assert (prepared / PREPARED.validation).read_text() == expected
    assert (prepared / PREPARED.train).read_text() == expected
    assert not (prepared / PREPARED.test).exists()


def test_what_is_written_is_read_back(prepared):
    (name, size, boxes), second = read_boxes(prepared / PREPARED.validation, len(NAMES))
    assert (name, size) == ("a1.jpg", (64, 48))
    assert boxes == [(2, 0.1, 0.1, 0.5, 0.5, 0), (4, 0.125, 0.0, 1.0, 0.001, 1)]
    assert second == ("b2.jpg", (40, 80), [(3, 0.0, 0.0, 1.0, 1.0, 0)])


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


def test_a_good_split_is_counted(raw, prepared):
    report = check_split(
        prepared / PREPARED.validation,
        raw / "validation",
        list(NAMES.values()),
        prepared / PREPARED.classes,
    )
    assert (report.images, report.annotations) == (2, 3)
    assert (report.group_of, report.zero_area, report.images_without_objects) == (1, 1, 0)
    assert report.per_class == {"Vehicle": 0, "Car": 1, "Bench (/m/b)": 1, "Bench (/m/w)": 1}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a1.jpg\n64 48\n2\n2 0 0 1 1 0\n", ["ends within the image of line 1"]),
        ("a1.jpg\n64\n0\n", ["'a1.jpg' of line 1"]),
        ("a1.jpg\n64 0\n0\n", ["'a1.jpg' of line 1", "64 × 0"]),
        ("a1.jpg\n64 48\n1\n5 0 0 1 1 0\n", ["one of 4 classes", "'5 0 0 1 1 0'"]),
        ("a1.jpg\n64 48\n1\n1 0 0 2 1 0\n", ["'1 0 0 2 1 0'"]),
        ("a1.jpg\n64 48\n1\n1 0 0 1\n", ["'1 0 0 1'"]),
        ("a1.jpg\n64 48\n0\n", ["has no box"]),
        ("x.jpg\n64 48\n1\n1 0 0 1 1 0\n", ["'x.jpg' (1 in all)", "validation"]),
    ],
)
def test_a_bad_split_is_refused_with_the_place(text, parts, raw, prepared):
    (prepared / PREPARED.validation).write_text(text)
    with pytest.raises(DatasetError) as error:
        check_split(
            prepared / PREPARED.validation,
            raw / "validation",
            list(NAMES.values()),
            prepared / PREPARED.classes,
        )
    for part in [PREPARED.validation, *parts]:
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["Vehicle", "Bench", "Car", "Bench"], r"class 2 is 'Car', but 'Bench'"),
        (["Vehicle", "Car", "Bench"], r"class 4 is 'Bench', but None"),
    ],
)
def test_other_classes_than_declared_are_refused(classes, message, raw, prepared):
    with pytest.raises(DatasetError, match=message):
        check_split(
            prepared / PREPARED.validation, raw / "validation", classes, prepared / PREPARED.classes
        )


def tree_of(parents, order):
    """A tree in which class i lies below class parents[i] < i, or below the root."""
    nodes = [{"LabelName": f"c{i}", "Subcategory": []} for i in range(len(parents))]
    root = {"LabelName": "all", "Subcategory": []}
    for i in order:
        (root if parents[i] is None else nodes[parents[i]])["Subcategory"].append(nodes[i])
    return root


@st.composite
def forests(draw):
    size = draw(st.integers(1, 9))
    parents = [draw(st.none() | st.integers(0, i - 1)) if i else None for i in range(size)]
    return parents, draw(st.permutations(range(size)))


@given(forests())
def test_a_class_is_one_of_itself_and_its_ancestors(forest):
    parents, order = forest
    labels = [f"c{i}" for i in order]
    relations = relation_matrix(tree_of(parents, order), labels)
    for i in range(len(parents)):
        ancestors, at = {i}, parents[i]
        while at is not None:
            ancestors.add(at)
            at = parents[at]
        row = relations[1 + labels.index(f"c{i}")]
        assert {labels[j - 1] for j in np.flatnonzero(row)} == {f"c{a}" for a in ancestors}


@given(forests())
def test_relations_are_transitive_and_one_way(forest):
    relations = relation_matrix(tree_of(*forest), [f"c{i}" for i in range(len(forest[0]))])
    related = relations.astype(bool)
    assert not (related.astype(int) @ related > 0)[~related].any()
    assert not np.triu(related & related.T, k=1).any()
    assert not related[0].any()
    assert not related[:, 0].any()


def test_a_class_in_several_places_has_the_ancestors_of_all():
    tree = {
        "LabelName": "all",
        "Subcategory": [
            {"LabelName": "toy", "Subcategory": [{"LabelName": "model car"}]},
            {"LabelName": "car", "Subcategory": [{"LabelName": "model car"}]},
            {"LabelName": "vehicle", "Subcategory": [{"LabelName": "car"}]},
        ],
    }
    labels = ["model car", "toy", "car", "vehicle"]
    assert relation_matrix(tree, labels)[1].tolist() == [0, 1, 1, 1, 1]


def test_two_classes_that_contain_each_other_are_refused():
    below = [
        {"LabelName": "a", "Subcategory": [{"LabelName": "b"}]},
        {"LabelName": "b", "Subcategory": [{"LabelName": "a"}]},
    ]
    with pytest.raises(DatasetError, match="'a' and 'b' are each an ancestor"):
        relation_matrix({"LabelName": "all", "Subcategory": below}, ["a", "b"])


@pytest.fixture(scope="module")
def published() -> Path:
    folder = os.environ.get("TSD_TEST_DATA")
    if folder is None:
        pytest.skip("TSD_TEST_DATA is not set: no class files of the challenge")
    return Path(folder) / "openimages"


@pytest.fixture(scope="module")
def classes(published) -> dict[str, str]:
    return read_classes(published / "oid-challenge-2019-classes-description-500.csv")


def test_the_challenges_hierarchy(published, classes):
    file = published / "oid-challenge-2019-label500-hierarchy.json"
    labels = list(classes)
    relations = read_hierarchy(file, labels)[1:, 1:].astype(bool)
    assert relations.shape == (500, 500)
    assert (relations.sum(axis=0) > 1).sum() == 57

    above: dict[str, set[str]] = {label: set() for label in labels}
    paths = [(json.loads(file.read_text()), [])]
    while paths:
        node, path = paths.pop()
        if node["LabelName"] in above:
            path = [*path, node["LabelName"]]
            above[path[-1]].update(path)
        paths += [(child, path) for child in node.get("Subcategory", [])]
    for label, row in zip(labels, relations, strict=True):
        assert {labels[i] for i in np.flatnonzero(row)} == above[label]

    names = list(classes.values())
    taxi = {names[i] for i in np.flatnonzero(relations[names.index("Taxi")])}
    assert taxi == {"Taxi", "Land vehicle", "Vehicle"}


def test_the_declared_classes_are_the_challenges(classes):
    declared = yaml.safe_load(Path("experiments/datasets/openimages-challenge.yaml").read_text())
    assert declared["classes"] == list(classes.values())
    assert len(classes) == 500

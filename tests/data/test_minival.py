import json
import os
from pathlib import Path

import pytest
import yaml

from tsd.data.coco_check import check_split
from tsd.data.coco_format import DatasetError
from tsd.data.minival import MINIVAL, TRAINVAL35K, Division, divide
from tsd.experiments.dataset_schema import Dataset

DECLARED = Path("experiments/datasets/coco2014-minival.yaml")
CATEGORIES = [{"id": 3, "name": "car"}, {"id": 9, "name": "boat"}]


def content(split, images):
    """Annotations of a split: an object on each image and a crowd region on the last."""
    entries = [
        {"id": 10 * i, "image_id": i, "category_id": 3, "bbox": [1, 1, 20, 30], "area": 600}
        | {"iscrowd": 0}
        for i in images
    ]
    crowd = dict(entries[-1], id=entries[-1]["id"] + 1, iscrowd=1)
    return {
        "info": {"year": 2014},
        "licenses": [],
        "images": [
            {"id": i, "file_name": f"COCO_{split}_{i:012d}.jpg", "width": 64, "height": 48}
            for i in images
        ],
        "annotations": [*entries, crowd],
        "categories": CATEGORIES,
    }


def write(root, name, value):
    file = root / "annotations" / f"instances_{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value))
    return file


def put_images(root, split, value):
    (root / split).mkdir(exist_ok=True)
    for image in value["images"]:
        (root / split / image["file_name"]).touch()


@pytest.fixture
def root(tmp_path):
    """COCO 2014 of five training and four validation images, two of which are minival."""
    for split, images in (("train2014", [1, 2, 3, 4, 5]), ("val2014", [6, 7, 8, 9])):
        value = content(split, images)
        write(tmp_path, split, value)
        put_images(tmp_path, split, value)
    return tmp_path


@pytest.fixture
def minival(root):
    """2017's val annotations: other file names, the same ids."""
    return write(root, "val2017", content("val2014", [7, 9]))


def read(root, name):
    return json.loads((root / "annotations" / name).read_text())


def test_every_image_and_annotation_is_in_one_part(root, minival):
    found = divide(root / "annotations", minival)
    parts = {name: read(root, name) for name in (TRAINVAL35K, MINIVAL)}
    ids = {name: [image["id"] for image in part["images"]] for name, part in parts.items()}
    assert ids == {TRAINVAL35K: [1, 2, 3, 4, 5, 6, 8], MINIVAL: [7, 9]}
    for name, part in parts.items():
        assert {entry["image_id"] for entry in part["annotations"]} == set(ids[name])
    both = [entry["id"] for part in parts.values() for entry in part["annotations"]]
    assert sorted(both) == [10, 20, 30, 40, 50, 51, 60, 70, 80, 90, 91]
    assert found == Division(7, 8, 2, 3, differing=0)


def test_the_declared_data_set_reads_what_is_written(root, minival):
    divide(root / "annotations", minival)
    declared = Dataset.model_validate(yaml.safe_load(DECLARED.read_text()))
    for split, images in ((declared.train, 7), (declared.val, 2)):
        report = check_split(root / split.annotations, root / split.images, ["car"])
        assert report.images == images
        assert report.images_without_objects == 0


def test_mmdet_finds_the_images_of_both_folders(root, minival):
    datasets = pytest.importorskip("mmdet.datasets")
    divide(root / "annotations", minival)
    declared = Dataset.model_validate(yaml.safe_load(DECLARED.read_text()))
    dataset = datasets.CocoDataset(
        data_root=str(root),
        ann_file=declared.train.annotations,
        data_prefix={"img": declared.train.images},
        metainfo={"classes": ("car", "boat")},
        pipeline=[],
        serialize_data=False,
    )
    assert len(dataset.data_list) == 7
    assert all(Path(image["img_path"]).is_file() for image in dataset.data_list)


def test_it_has_the_classes_of_2017():
    classes = [
        yaml.safe_load(DECLARED.with_stem(name).read_text())["classes"]
        for name in ("coco2014-minival", "coco2017")
    ]
    assert classes[0] == classes[1]


@pytest.mark.parametrize("key", ["bbox", "category_id", "iscrowd"])
def test_annotations_that_another_release_changed_are_counted(root, minival, key):
    value = json.loads(minival.read_text())
    value["annotations"][0][key] = {"bbox": [1, 1, 21, 30], "category_id": 9, "iscrowd": 1}[key]
    del value["annotations"][-1]
    minival.write_text(json.dumps(value))
    assert divide(root / "annotations", minival).differing == 2


def test_with_2017_alone_the_message_names_its_data_set(tmp_path):
    minival = write(tmp_path, "val2017", content("val2017", [7, 9]))
    write(tmp_path, "train2017", content("train2017", [1]))
    with pytest.raises(
        DatasetError, match=r"instances_train2014\.json: .* use the data set coco2017"
    ):
        divide(tmp_path / "annotations", minival)


def test_without_any_the_missing_file_is_named(root, minival):
    (root / "annotations" / "instances_val2014.json").unlink()
    with pytest.raises(DatasetError, match=r"instances_val2014\.json: no such annotation file"):
        divide(root / "annotations", minival)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([7, 9, 1000], r"instances_val2017\.json: .* lacks the ids 1000 \(1 in all\)"),
        ([6, 7, 8, 9], r"instances_val2017\.json: .* it has all of that"),
    ],
)
def test_a_minival_that_cannot_be_is_refused(root, images, message):
    minival = write(root, "val2017", content("val2014", images))
    with pytest.raises(DatasetError, match=message):
        divide(root / "annotations", minival)
    assert not (root / "annotations" / TRAINVAL35K).exists()


def test_other_categories_are_refused(root, minival):
    value = content("val2014", [6, 7, 8, 9]) | {"categories": CATEGORIES[:1]}
    write(root, "val2014", value)
    with pytest.raises(DatasetError, match=r"'categories' are not those of .*train2014\.json"):
        divide(root / "annotations", minival)


def test_real_annotations_keep_their_masks_and_classes(tmp_path):
    data = os.environ.get("TSD_TEST_DATA")
    if data is None:
        pytest.skip("TSD_TEST_DATA is not set")
    sample = Path(data) / "coco_sample"
    train, val = (
        json.loads((sample / f"instances_{split}2017.json").read_text())
        for split in ("train", "val")
    )
    for entry in train["annotations"]:
        entry["id"] += 10**6  # the sample numbers its two files apart, COCO both together
    held_back = {image["id"] for image in val["images"][:20]}
    kept = {"images": "id", "annotations": "image_id"}
    minival = val | {
        key: [entry for entry in val[key] if entry[of] in held_back] for key, of in kept.items()
    }
    write(tmp_path, "train2014", train)
    write(tmp_path, "val2014", val)
    for split in ("train", "val"):
        (tmp_path / f"{split}2014").symlink_to(sample / f"{split}2017")
    found = divide(tmp_path / "annotations", write(tmp_path, "val2017", minival))
    declared = Dataset.model_validate(yaml.safe_load(DECLARED.read_text()))
    reports = [
        check_split(tmp_path / split.annotations, tmp_path / split.images, declared.classes)
        for split in (declared.train, declared.val)
    ]
    assert [report.images for report in reports] == [26 + 27 - 20, 20]
    assert sum(report.annotations for report in reports) == 355
    assert found.differing == 0
    masks = {entry["id"]: entry["segmentation"] for entry in read(tmp_path, MINIVAL)["annotations"]}
    assert masks == {entry["id"]: entry["segmentation"] for entry in minival["annotations"]}

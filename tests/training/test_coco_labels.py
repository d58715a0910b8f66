"""Labels are those of the declaration in training, inference, evaluation and figures."""

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch import tensor

from tests.coco_example import annotated, declared, scattered, write_split
from tsd.data.coco_format import DatasetError
from tsd.evaluation.coco import evaluate_boxes, precision_per_class
from tsd.evaluation.examples import pick_examples
from tsd.evaluation.proposals import ground_truth
from tsd.experiments.compile import dictionaries
from tsd.training.build import runtime_config
from tsd.training.coco_labels import CocoDatasetByName, label_by_name
from tsd.training.detect import as_coco

NAMES = ["red", "green", "blue", "a b", "sky"]


@pytest.fixture(autouse=True)
def registered():
    register_all_modules()


def opened(file, classes, kind="CocoDatasetByName", **more):
    return DATASETS.build(
        {
            "type": kind,
            "ann_file": str(file),
            "data_prefix": {"img": ""},
            "metainfo": {"classes": tuple(classes)},
            "pipeline": [],
            "serialize_data": False,
            **more,
        }
    )


def labels_of(dataset):
    """Name of the class of each object, by image and box."""
    return {
        (image["img_id"], *one["bbox"]): dataset.metainfo["classes"][one["bbox_label"]]
        for image in dataset.data_list
        for one in image["instances"]
    }


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_the_order_everything_agrees_on_the_names(tmp_path, data):
    classes = data.draw(st.permutations(NAMES))[:3]
    for split in ("train", "val"):
        ids = data.draw(st.lists(st.integers(0, 50), min_size=5, max_size=5, unique=True))
        listed = data.draw(st.permutations(NAMES))
        content = annotated(list(zip(ids, listed, strict=True)), scattered(5, 1, NAMES))
        (tmp_path / f"{split}.json").write_text(json.dumps(content))
        dataset = opened(tmp_path / f"{split}.json", classes, test_mode=split == "val")
        named = {
            (image, x, y, x + w, y + h): name
            for image, shown in enumerate(scattered(5, 1, NAMES), start=1)
            for name, (x, y, w, h) in shown
            if name in classes
        }
        assert labels_of(dataset) == named
        assert [content_name(content, i) for i in dataset.cat_ids] == list(classes)

    # Figures name objects as the annotations do.
    for example in pick_examples(dataset, 9):
        assert named[example.image_id, *example.box] == example.class_name
    for index, image in enumerate(dataset.data_list):
        assert {
            (image["img_id"], *one.box): one.class_name for one in ground_truth(dataset, index)
        }.items() <= named.items()

    # What a network finds under a label is evaluated as the class of that label.
    found = [
        entry
        for image in dataset.data_list
        for entry in as_coco(prediction(image), dataset.cat_ids)
    ]
    per_class = precision_per_class(evaluate_boxes(tmp_path / "val.json", found, classes))
    asked = dict.fromkeys(named.values(), 100.0)
    assert per_class == {
        name: pytest.approx(asked[name]) if name in asked else None for name in classes
    }


def content_name(content, category):
    return next(entry["name"] for entry in content["categories"] if entry["id"] == category)


def prediction(image):
    """The annotated objects of an image as if a network had found them."""
    boxes = [one["bbox"] for one in image["instances"]]
    instances = InstanceData(
        bboxes=tensor(boxes, dtype=float).reshape(-1, 4),
        labels=tensor([one["bbox_label"] for one in image["instances"]], dtype=int),
        scores=tensor([0.9] * len(boxes)),
    )
    sample = DetDataSample(metainfo={"img_id": image["img_id"]})
    sample.pred_instances = instances
    return sample


def test_in_the_order_of_the_file_nothing_is_different(tmp_path):
    file = tmp_path / "train.json"
    file.write_text(json.dumps(annotated([(7, "red"), (3, "sky"), (5, "green")], scattered(4, 0))))
    ours = opened(file, ["red", "green"], filter_cfg={"filter_empty_gt": True, "min_size": 1})
    theirs = opened(
        file, ["red", "green"], "CocoDataset", filter_cfg={"filter_empty_gt": True, "min_size": 1}
    )
    assert ours.data_list == theirs.data_list
    assert (ours.cat_ids, ours.cat2label) == (theirs.cat_ids, theirs.cat2label)
    assert ours.cat_img_map == theirs.cat_img_map
    assert ours.metainfo == theirs.metainfo


def test_images_without_a_declared_class_are_left_out_as_before(tmp_path):
    file = tmp_path / "train.json"
    objects = [[("red", (5, 5, 30, 30))], [("green", (5, 5, 30, 30))]]
    file.write_text(json.dumps(annotated([(2, "green"), (1, "red")], objects)))
    dataset = opened(file, ["red"], filter_cfg={"filter_empty_gt": True, "min_size": 1})
    assert [image["img_id"] for image in dataset.data_list] == [1]


def test_the_category_with_annotations_is_taken_of_two_with_the_same_name(tmp_path):
    file = tmp_path / "train.json"
    content = annotated([(0, "red"), (1, "red"), (2, "green")], scattered(2, 0))
    file.write_text(json.dumps(content))
    assert opened(file, ["green", "red"]).cat_ids == [2, 1]
    content["annotations"][0]["category_id"] = 0
    file.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match=r"train\.json: several of 'categories'.*'red'"):
        opened(file, ["green", "red"])


def test_a_byte_order_mark_is_no_obstacle(tmp_path):
    file = tmp_path / "train.json"
    text = json.dumps(annotated([(1, "red"), (2, "green")], scattered(2, 0)))
    file.write_text(text, encoding="utf-8-sig")
    assert len(opened(file, ["red", "green"]).data_list) == 2
    (found,) = [evaluate_boxes(file, [], ["red"])]
    assert [category["name"] for category in found.ground_truth["categories"]] == ["red"]


def test_queries_without_names_are_answered_as_before(tmp_path):
    file = tmp_path / "train.json"
    file.write_text(json.dumps(annotated([(4, "red"), (2, "green")], scattered(2, 0))))
    annotations = CocoDatasetByName.COCOAPI(str(file))
    assert annotations.get_cat_ids() == [4, 2]
    assert annotations.get_cat_ids(cat_ids=[2]) == [2]
    assert annotations.get_cat_ids(cat_names=["green", "red"]) == [2, 4]


@pytest.fixture
def job(tmp_path, smoke_grid):
    for split in ("train", "val"):
        content = annotated([(2, "green"), (1, "red")], scattered(4, 0))
        write_split(tmp_path, split, content)
    return replace(smoke_grid, dataset=declared(tmp_path)).job("r50", 0)


def test_training_and_inference_read_labels_by_name(job):
    config = runtime_config(job)
    for loader in (config.train_dataloader, config.test_dataloader):
        assert loader.dataset.type == "CocoDatasetByName"
        assert DATASETS.build(loader.dataset).cat_ids == [1, 2]
    assert {p["type"] for p in dictionaries(job.config.to_dict()) if "ann_file" in p} == {
        "CocoDataset"
    }


def test_data_sets_within_others_read_labels_by_name():
    inner = {"type": "CocoDataset", "ann_file": "a.json", "metainfo": {"classes": ("red",)}}
    wrapped = {"type": "ClassBalancedDataset", "oversample_thr": 0.1, "dataset": inner}
    config = Config(
        {"train_dataloader": {"dataset": {"type": "RepeatDataset", "dataset": wrapped}}}
    )
    label_by_name(config)
    found = [part["type"] for part in dictionaries([config.to_dict()]) if "ann_file" in part]
    assert found == ["CocoDatasetByName"]
    label_by_name(config)  # and once more, as for a copy of a runtime config


def test_other_manners_of_numbering_are_refused():
    lvis = {"type": "LVISV1Dataset", "ann_file": "a.json", "metainfo": {"classes": ("red",)}}
    config = Config({"train_dataloader": {"dataset": lvis}})
    with pytest.raises(ValueError, match=r"a\.json is read by a LVISV1Dataset.*use a CocoDataset"):
        label_by_name(config)


def test_mmdets_own_data_set_is_left_as_it_is():
    assert DATASETS.get("CocoDataset") is CocoDataset

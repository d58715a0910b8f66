import csv
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmdet.datasets import OpenImagesChallengeDataset
from mmdet.evaluation.metrics import OpenImagesMetric
from mmdet.registry import MODELS
from mmengine.runner import Runner

from tests.data.openimages_example import NAMES, write_raw
from tsd.data.openimages_format import PREPARED
from tsd.data.openimages_prepare import prepare
from tsd.evaluation.openimages import (
    OpenImagesChallenge,
    evaluate_detections,
    open_split,
    write_submission,
)
from tsd.training.build import runtime_config

VEHICLE, CAR, BENCH, OTHER_BENCH = (1, 2, 3, 4)

SIZE = {"a": (100, 100), "b": (200, 100)}
BOXES = [  # image, class, xmin, xmax, ymin, ymax, group
    ("a", "/m/c", "0.1", "0.5", "0.1", "0.5", "0"),
    ("a", "/m/c", "0.6", "1", "0.6", "1", "1"),
    ("a", "/m/c", "0.7", "1", "0", "0.3", "0"),
    ("b", "/m/v", "0", "0.2", "0", "0.4", "0"),
    ("b", "/m/b", "0.25", "0.45", "0.5", "0.9", "0"),
]
VERIFIED = [("a", "/m/c", "1"), ("a", "/m/b", "0"), ("b", "/m/v", "1"), ("b", "/m/b", "1")]


def detection(image, category, box, score):
    return {"image_id": image, "category_id": category, "bbox": list(box), "score": score}


FOUND = [
    detection("a", CAR, (10, 10, 40, 40), 0.9),  # the first car
    detection("a", CAR, (10, 60, 20, 20), 0.85),  # nothing
    detection("a", CAR, (70, 70, 20, 20), 0.84),  # within the group
    detection("a", CAR, (62, 62, 18, 18), 0.8),  # within it again
    detection("a", CAR, (70, 0, 30, 30), 0.3),  # the other car
    detection("a", BENCH, (40, 40, 20, 20), 0.5),  # looked for, not there
    detection("a", OTHER_BENCH, (40, 40, 20, 20), 0.6),  # nobody looked
    detection("b", CAR, (0, 0, 40, 40), 0.95),  # nobody looked for cars; it is a vehicle
    detection("b", BENCH, (50, 50, 40, 40), 0.4),  # the bench
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("openimages")
    prepare(write_raw(root, BOXES, VERIFIED, SIZE), root / "annotations")
    return root / "annotations"


def opened(folder, verified=True):
    labels = folder / PREPARED.validation_labels if verified else None
    files = (PREPARED.validation, PREPARED.classes, PREPARED.relations)
    return open_split(*(folder / name for name in files), labels)


@pytest.fixture
def split(folder):
    return opened(folder)


def test_ap_is_the_one_counted_by_hand(split):
    result = evaluate_detections(split, FOUND)
    # Car: hit, miss, hit (the group, its best detection), hit of 3: precision 1, 1/2, 2/3, 3/4.
    car = (1 + 3 / 4 + 3 / 4) / 3
    # Vehicle: the same after image b's hit, of 4: precision 1, 1, 2/3, 3/4, 4/5.
    vehicle = (1 + 1 + 4 / 5 + 4 / 5) / 4
    # Bench: a miss, then a hit of 1.
    bench = 1 / 2
    assert result["per_class"] == {
        "Vehicle": pytest.approx(100 * vehicle),
        "Car": pytest.approx(100 * car),
        "Bench (/m/b)": pytest.approx(100 * bench),
        "Bench (/m/w)": None,
    }
    mean = 100 * (car + vehicle + bench) / 3
    assert result["metrics"] == {"AP50": pytest.approx(mean)}
    assert set(result["metrics"]) == {"AP50"}


def test_without_verified_labels_only_annotated_classes_count(folder):
    result = evaluate_detections(opened(folder, verified=False), FOUND)
    assert result["per_class"]["Bench (/m/b)"] == pytest.approx(100)


def test_an_empty_list_is_an_answer(split):
    result = evaluate_detections(split, [])
    assert result["metrics"] == {"AP50": 0.0}
    assert result["per_class"]["Bench (/m/w)"] is None


def test_without_objects_everything_is_missing(folder, tmp_path):
    (tmp_path / "test.txt").write_text("a.jpg\n100 100\n0\nb.jpg\n200 100\n0\n")
    split = open_split(
        tmp_path / "test.txt", folder / PREPARED.classes, folder / PREPARED.relations
    )
    result = evaluate_detections(split, FOUND)
    assert result["metrics"] == {"AP50": None}
    assert set(result["per_class"].values()) == {None}


def test_detections_may_lie_in_a_file_and_are_not_changed(split, tmp_path):
    before = json.dumps(FOUND)
    (tmp_path / "detections.json").write_text(before)
    result = evaluate_detections(split, tmp_path / "detections.json")
    assert result == evaluate_detections(split, FOUND)
    assert json.dumps(FOUND) == before


found = st.builds(
    detection,
    st.sampled_from(["a", "b"]),
    st.integers(1, 4),
    st.tuples(*[st.integers(0, 60)] * 2, *[st.integers(5, 60)] * 2),
    st.integers(1, 99).map(lambda percent: percent / 100),
)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(found, max_size=8, unique_by=lambda d: d["score"]))
def test_the_mean_is_mmdets(split, extra):
    metric = OpenImagesMetric()
    metric.dataset_meta = split.metainfo
    every = FOUND + extra
    for image in split.data_list:
        mine = [d for d in every if d["image_id"] == image["img_id"]]
        boxes = torch.tensor([d["bbox"] for d in mine], dtype=torch.float64)
        boxes[:, 2:] += boxes[:, :2]
        sample = {
            "bboxes": boxes,
            "scores": torch.tensor([d["score"] for d in mine], dtype=torch.float64),
            "labels": torch.tensor([d["category_id"] - 1 for d in mine]),
        }
        metric.process({}, [{**image, "pred_instances": sample}])
    theirs = metric.compute_metrics(metric.results)["mAP"]
    ours = evaluate_detections(split, every)["metrics"]["AP50"]
    assert ours == pytest.approx(100 * theirs, abs=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": "c"}, r"detections\[1\]: image_id is not of .*validation\.txt: 'c'"),
        ({"image_id": ["a"]}, r"detections\[1\]: image_id is not of"),
        ({"category_id": 0}, r"detections\[1\]: category_id is not of .*: 0"),
        ({"category_id": 5}, r"detections\[1\]: category_id is not of .*: 5"),
        ({"bbox": [0, 0, 5]}, r"detections\[1\]: bbox is not four finite numbers"),
        ({"bbox": [0, 0, float("nan"), 5]}, r"detections\[1\]: bbox is not four finite"),
        ({"bbox": [0, 0, -1, 5]}, r"detections\[1\]: bbox has a negative width"),
        ({"score": None}, r"detections\[1\]: score is not a finite number: None"),
    ],
)
def test_a_bad_detection_is_named(change, message, split, tmp_path):
    for use in (evaluate_detections, lambda s, d: write_submission(s, d, tmp_path / "out.csv")):
        with pytest.raises(ValueError, match=message):
            use(split, [FOUND[0], FOUND[0] | change])


def test_a_bad_detection_file_is_named(split, tmp_path):
    file = tmp_path / "dumped.json"
    for text, message in (
        ("[{", r"dumped\.json: not JSON"),
        ("{}", "got dict"),
        ("[1]", r"dumped\.json\[0\]: expected an object, got 1"),
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=message):
            evaluate_detections(split, file)


def test_a_submission_has_a_line_for_each_image_and_an_entry_for_each_ancestor(split, tmp_path):
    found = [
        detection("b", BENCH, (100, 25, 150, 50), 0.25),  # beyond the right edge
        detection("b", CAR, (0, 0, 100, 100), 0.75),
    ]
    write_submission(split, found, tmp_path / "submission.csv")
    with (tmp_path / "submission.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["ImageId", "PredictionString"],
        ["a", ""],
        ["b", "/m/v 0.75 0 0 0.5 1 /m/c 0.75 0 0 0.5 1 /m/b 0.25 0.5 0.25 1 0.75"],
    ]


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(found | st.just(detection("a", 1, (1e-7, 0, 1e-5, 1), 1e-9)), max_size=5))
def test_a_submission_says_what_was_found(split, tmp_path, found):
    write_submission(split, found, tmp_path / "submission.csv")
    with (tmp_path / "submission.csv").open() as file:
        rows = list(csv.reader(file))[1:]
    sizes = {image["img_id"]: (image["width"], image["height"]) for image in split.data_list}
    said = {(image, text.count("/m/")) for image, text in rows}
    expected = {"a": 0, "b": 0}
    for entry in found:
        expected[entry["image_id"]] += 2 if entry["category_id"] == CAR else 1
    assert said == set(expected.items())
    for image, text in rows:
        parts = text.split()
        for i in range(0, len(parts), 6):
            label, score, *corners = parts[i : i + 6]
            assert label in NAMES
            assert "e" not in "".join([score, *corners])
            x1, y1, x2, y2 = map(float, corners)
            assert 0 <= x1 <= x2 <= 1
            assert 0 <= y1 <= y2 <= 1
            width, height = sizes[image]
            assert any(
                abs(x1 * width - e["bbox"][0]) < 0.01 and abs(y1 * height - e["bbox"][1]) < 0.01
                for e in found
                if e["image_id"] == image
            )


def test_mmdets_own_reader_reads_the_same_boxes(folder, tmp_path):
    """The files are in mmdet's format, with the sizes that it wants apart."""
    metas = [{"filename": f"{name}.jpg", "ori_shape": (h, w, 3)} for name, (w, h) in SIZE.items()]
    (tmp_path / "metas.pkl").write_bytes(pickle.dumps(metas))
    files = {
        "ann_file": str(folder / PREPARED.validation),
        "label_file": str(folder / PREPARED.classes),
        "hierarchy_file": str(folder / PREPARED.relations),
        "image_level_ann_file": str(folder / PREPARED.validation_labels),
        "data_prefix": {"img": "validation"},
        "pipeline": [],
        "serialize_data": False,
        "test_mode": True,
    }
    theirs = OpenImagesChallengeDataset(meta_file=str(tmp_path / "metas.pkl"), **files)
    ours = OpenImagesChallenge(**files)
    assert ours.metainfo["classes"] == theirs.metainfo["classes"] == list(NAMES.values())
    np.testing.assert_array_equal(
        ours.metainfo["RELATION_MATRIX"], theirs.metainfo["RELATION_MATRIX"]
    )
    for mine, other in zip(ours.data_list, theirs.data_list, strict=True):
        for key in ("img_id", "img_path", "width", "height"):
            assert mine[key] == other[key]
        np.testing.assert_array_equal(mine["image_level_labels"], other["image_level_labels"])
        for box, theirs_box in zip(mine["instances"], other["instances"], strict=True):
            for key in ("bbox", "bbox_label", "ignore_flag"):
                assert box[key] == theirs_box[key]
    assert [i["is_group_of"] for i in ours.data_list[0]["instances"]] == [False, True, False]


def test_a_hierarchy_that_would_run_code_is_refused(folder, tmp_path):
    class Malicious:
        def __reduce__(self):
            return (print, ("executed",))

    np.save(tmp_path / "tree.npy", np.array([Malicious()], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        open_split(folder / PREPARED.validation, folder / PREPARED.classes, tmp_path / "tree.npy")


def test_boxes_below_a_pixel_are_left_out_of_training_alone(folder, tmp_path):
    (tmp_path / "train.txt").write_text("a.jpg\n100 50\n2\n1 0 0 1 0.01 0\n2 0 0 1 1 0\n")
    for test_mode, labels in ((False, [1]), (True, [0, 1])):
        dataset = OpenImagesChallenge(
            ann_file=str(tmp_path / "train.txt"),
            label_file=str(folder / PREPARED.classes),
            hierarchy_file=str(folder / PREPARED.relations),
            data_prefix={"img": ""},
            pipeline=[],
            test_mode=test_mode,
        )
        assert [i["bbox_label"] for i in dataset.get_data_info(0)["instances"]] == labels


@pytest.fixture(scope="module")
def dozen(tmp_path_factory):
    """Twelve images, of which one has a car and the others benches."""
    root = tmp_path_factory.mktemp("dozen")
    sizes = {f"i{n:02}": (64, 48 + 2 * n) for n in range(12)}
    boxes = [
        (image, "/m/c" if image == "i07" else "/m/b", "0.1", "0.8", "0.2", "0.9", "0")
        for image in sizes
    ]
    verified = [(image, "/m/c", str(int(image == "i07"))) for image in sizes]
    prepare(write_raw(root, boxes, verified, sizes), root / "annotations")
    return root


def use_openimages(config, root):
    """Point the loaders of a compiled config at a prepared data set."""
    for loader, name, images in (
        (config.train_dataloader, PREPARED.train, "train/"),
        (config.test_dataloader, PREPARED.validation, "validation/"),
    ):
        loader.dataset.update(
            type="OpenImagesChallenge",
            data_root=str(root),
            ann_file=f"annotations/{name}",
            label_file=f"annotations/{PREPARED.classes}",
            hierarchy_file=f"annotations/{PREPARED.relations}",
            data_prefix={"img": images},
        )
        next(step for step in loader.dataset.pipeline if step.type == "Resize").scale = (64, 64)
    config.train_dataloader.sampler = {"type": "ClassAwareSampler", "num_sample_class": 1}


@pytest.fixture
def config(smoke_grid, dozen):
    dataset = smoke_grid.dataset.model_copy(update={"classes": list(NAMES.values())})
    config = runtime_config(replace(smoke_grid, dataset=dataset).jobs_of("r50")[0])
    use_openimages(config, dozen)
    return config


def test_rare_classes_are_sampled_as_often_as_others(config):
    sampler = Runner.build_dataloader(config.train_dataloader, seed=0).sampler
    assert type(sampler).__name__ == "ClassAwareSampler"
    drawn = list(sampler)
    assert len(drawn) == 12
    assert drawn.count(7) == 6


def test_a_training_step_and_an_evaluation(config, dozen):
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    batch = next(iter(Runner.build_dataloader(config.train_dataloader, seed=0)))
    labels = [int(label) for s in batch["data_samples"] for label in s.gt_instances.labels]
    assert set(labels) == {CAR - 1, BENCH - 1}
    model.train()
    data = model.data_preprocessor(batch, training=True)
    loss, terms = model.parse_losses(model(**data, mode="loss"))
    assert {"loss_cls", "loss_bbox"} <= set(terms)
    assert loss.isfinite()
    loss.backward()
    assert model.roi_head.bbox_head.fc_cls.weight.grad.abs().sum() > 0

    model.eval()
    model.roi_head.test_cfg.score_thr = 0.0
    loader = Runner.build_dataloader(config.test_dataloader)
    with torch.inference_mode():
        samples = [sample for batch in loader for sample in model.test_step(batch)]
    found = []
    for sample in samples:
        predicted = sample.pred_instances
        for box, score, label in zip(
            predicted.bboxes, predicted.scores, predicted.labels, strict=True
        ):
            x1, y1, x2, y2 = box.tolist()
            category = loader.dataset.cat_ids[label]
            box = (x1, y1, x2 - x1, y2 - y1)
            found.append(detection(sample.img_id, category, box, score.item()))
    assert found
    split = opened(dozen / "annotations")
    result = evaluate_detections(split, found)
    assert 0 <= result["metrics"]["AP50"] <= 100
    assert result["per_class"]["Vehicle"] is not None
    perfect = [
        detection(image["img_id"], instance["bbox_label"] + 1, (x1, y1, x2 - x1, y2 - y1), 1.0)
        for image in split.data_list
        for instance in image["instances"]
        for x1, y1, x2, y2 in [instance["bbox"]]
    ]
    assert evaluate_detections(split, perfect)["metrics"]["AP50"] == pytest.approx(100)

"""From files to metrics and figures: the order and the ids of categories make no difference."""

import json
from dataclasses import replace

import pytest
import torch

from tests.coco_example import annotated, declared, scattered, write_split
from tsd.evaluation.examples import pick_examples, trained
from tsd.evaluation.measure import measure_coco
from tsd.run_folder import read_json
from tsd.training.checkpoints import load_as_data
from tsd.training.detect import detect
from tsd.training.train import train

SETTINGS = {
    "train_cfg": {"type": "IterBasedTrainLoop", "max_iters": 12, "val_interval": 1000},
    "model.test_cfg.rcnn.score_thr": 0.01,  # a network that has learnt little is not sure
}


def silent(_line):
    pass


@pytest.fixture(scope="module")
def outcomes(smoke_grid_for_module, tmp_path_factory):
    """What a training comes to, by the categories of both files."""
    settings = {**smoke_grid_for_module.scale.set, **SETTINGS}
    scale = smoke_grid_for_module.scale.model_copy(update={"set": settings})
    found = {}
    for name, (train_order, val_order) in {
        "same": ([(1, "red"), (2, "green")],) * 2,
        "val swapped": ([(1, "red"), (2, "green")], [(2, "green"), (1, "red")]),
        "train swapped": ([(2, "green"), (1, "red")], [(1, "red"), (2, "green")]),
        "other ids": ([(9, "green"), (4, "red")], [(5, "red"), (2, "sky"), (3, "green")]),
        "root category": ([(0, "red"), (1, "red"), (2, "green")], [(1, "red"), (2, "green")]),
    }.items():
        root = tmp_path_factory.mktemp("data")
        write_split(root, "train", annotated(train_order, scattered(8, 0)))
        write_split(root, "val", annotated(val_order, scattered(4, 1)))
        grid = replace(
            smoke_grid_for_module,
            scale=scale,
            dataset=declared(root),
            results=tmp_path_factory.mktemp("results"),
        )
        job = grid.job("r50", 0)
        train(job, [], silent)
        detect(job, silent)
        _, dataset = trained(job)
        content = json.loads((root / "val.json").read_text())
        names = {category["id"]: category["name"] for category in content["categories"]}
        found[name] = {
            "weights": load_as_data(str(job.folder.weights))["state_dict"],
            "detections": [
                {**entry, "category_id": names[entry["category_id"]]}
                for entry in read_json(job.folder.detections)
            ],
            "measured": measure_coco(job),
            "examples": [
                (e.image_id, e.box, e.class_name, e.label) for e in pick_examples(dataset, 4)
            ],
        }
    return found


@pytest.mark.parametrize("other", ["val swapped", "train swapped", "other ids", "root category"])
def test_everything_is_the_same(outcomes, other):
    expected, found = outcomes["same"], outcomes[other]
    assert expected["weights"].keys() == found["weights"].keys()
    for name, tensor in expected["weights"].items():
        assert torch.equal(tensor, found["weights"][name]), name
    assert expected["detections"] == found["detections"]
    assert {entry["category_id"] for entry in found["detections"]} == {"red", "green"}
    assert expected["measured"].metrics == found["measured"].metrics
    assert expected["measured"].per_class == found["measured"].per_class
    assert expected["examples"] == found["examples"]
    boxes = {
        (number, (x, y, x + w, y + h)): name
        for number, shown in enumerate(scattered(4, 1), start=1)
        for name, (x, y, w, h) in shown
    }
    assert all(boxes[image, box] == name for image, box, name, _ in found["examples"])

"""What an earlier version numbered otherwise is not taken for what it is not."""

import json
from dataclasses import replace

import pytest
import torch

from tests.coco_example import annotated, declared, scattered, write_split
from tests.data.openimages_example import declared as declared_openimages
from tsd.evaluation.measure import measure_coco
from tsd.experiments.label_order import LabelOrderError, require_label_order
from tsd.run_folder import read_json, write_json
from tsd.training.build import trained_model
from tsd.training.checkpoint_hook import checkpoints
from tsd.training.detect import detect
from tsd.training.failures import may_pass
from tsd.training.interruption import InterruptedTrainingError
from tsd.training.train import train

IN_ORDER = [(1, "red"), (2, "green")]
SWAPPED = [(2, "green"), (1, "red")]


def silent(_line):
    pass


def data_set(root, train=IN_ORDER, val=IN_ORDER):
    for split, categories in (("train", train), ("val", val)):
        write_split(root, split, annotated(categories, scattered(4, 0)))
    return declared(root)


def forget_classes(file):
    """Leave a record as an earlier version wrote it."""
    record = read_json(file)
    del record["classes"]
    write_json(file, record)


class After:
    """Interrupts after a number of iterations."""

    def __init__(self, iterations):
        self._left = iterations

    @property
    def reason(self):
        self._left -= 1
        return "asked for" if self._left == 0 else None


def test_what_was_recorded_has_to_be_the_declared_classes(tmp_path):
    dataset = data_set(tmp_path, train=SWAPPED)
    require_label_order(dataset, ["red", "green"], ["train"], "it", "mend it")
    with pytest.raises(LabelOrderError, match=r"^it: its labels are green, red .*; mend it$"):
        require_label_order(dataset, ["green", "red"], ["train"], "it", "mend it")


@pytest.mark.parametrize(
    ("train_order", "val_order", "splits", "blamed"),
    [
        (IN_ORDER, IN_ORDER, ["train", "val"], None),
        (SWAPPED, IN_ORDER, ["train"], "train.json"),
        (SWAPPED, IN_ORDER, ["val"], None),
        (IN_ORDER, SWAPPED, ["train"], None),
        (IN_ORDER, SWAPPED, ["train", "val"], "val.json"),
        ([(0, "red"), *IN_ORDER], IN_ORDER, ["train"], "train.json"),
    ],
)
def test_what_was_not_recorded_was_in_the_order_of_the_file(
    tmp_path, train_order, val_order, splits, blamed
):
    dataset = data_set(tmp_path, train_order, val_order)
    if blamed is None:
        require_label_order(dataset, None, splits, "it", "mend it")
    else:
        with pytest.raises(LabelOrderError, match=rf"^it was made .*{blamed}; .*; mend it$"):
            require_label_order(dataset, None, splits, "it", "mend it")


def test_labels_of_open_images_have_always_been_those_declared(tmp_path):
    require_label_order(declared_openimages(tmp_path), None, ["train", "val"], "it", "mend it")


@pytest.fixture
def finished(smoke_grid, tmp_path):
    """A job that has trained and detected on files that list categories otherwise."""
    job = replace(smoke_grid, dataset=data_set(tmp_path, SWAPPED, SWAPPED)).job("r50", 0)
    train(job, [], silent)
    detect(job, silent)
    return job


def test_weights_and_detections_say_in_which_order_their_labels_are(finished):
    for file in (finished.folder.train, finished.folder.detect):
        assert read_json(file)["classes"] == ["red", "green"]
    assert measure_coco(finished).per_class.keys() == {"red", "green"}
    forget_classes(finished.folder.detect)
    with pytest.raises(LabelOrderError, match=r"detections\.json was made by an earlier version"):
        measure_coco(finished)
    forget_classes(finished.folder.train)
    with pytest.raises(LabelOrderError, match=rf"delete {finished.folder.path} to have it trained"):
        trained_model(finished)


def test_a_checkpoint_with_labels_in_another_order_is_not_gone_on_from(smoke_grid, tmp_path):
    settings = {
        **smoke_grid.scale.set,
        "train_cfg": {"type": "IterBasedTrainLoop", "max_iters": 8, "val_interval": 1000},
    }
    grid = replace(
        smoke_grid,
        scale=smoke_grid.scale.model_copy(update={"set": settings}),
        dataset=data_set(tmp_path, train=SWAPPED),
    )
    job = grid.job("r50", 0)
    with pytest.raises(InterruptedTrainingError):
        train(job, [], silent, After(2))
    (checkpoint,) = checkpoints(job.folder.work)
    content = torch.load(checkpoint, weights_only=False)
    assert content.pop("classes") == ["red", "green"]
    torch.save(content, checkpoint)
    with pytest.raises(LabelOrderError, match=r"the checkpoint in .* was made by an earlier") as e:
        train(job, [], silent)
    assert not may_pass(e.value)

    torch.save({**content, "classes": ["red", "green"]}, checkpoint)
    said = []
    train(job, [], said.append)
    assert said[0] == "resumes at iteration 2 of 8"


def test_an_old_checkpoint_in_the_order_of_the_declaration_is_gone_on_from(smoke_grid, tmp_path):
    dataset = data_set(tmp_path)
    job = replace(smoke_grid, dataset=dataset).job("r50", 0)
    with pytest.raises(InterruptedTrainingError):
        train(job, [], silent, After(2))
    (checkpoint,) = checkpoints(job.folder.work)
    content = torch.load(checkpoint, weights_only=False)
    del content["classes"]
    torch.save(content, checkpoint)
    train(job, [], silent)
    assert json.loads(job.folder.train.read_text())["iterations"] == 4

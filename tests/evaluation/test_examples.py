import pytest
import torch

from tsd.evaluation import examples
from tsd.evaluation.examples import pick_examples, trained
from tsd.experiments.reading import DeclarationError


class Annotations:
    """A data set of which only the annotations are looked at: a list of objects per image."""

    def __init__(self, *images):
        self.images = images
        self.metainfo = {"classes": ("cat", "dog")}

    def __len__(self):
        return len(self.images)

    def get_data_info(self, index):
        return {
            "img_path": f"{index}.png",
            "img_id": 10 + index,
            "width": 100,
            "height": 80,
            "instances": [
                {"bbox": box, "bbox_label": label, "ignore_flag": ignored}
                for box, label, ignored in self.images[index]
            ],
        }


INSIDE = ([30, 30, 50, 50], 1, 0)
AT_THE_EDGE = ([0, 0, 60, 60], 0, 0)
CROWD = ([20, 20, 70, 60], 0, 1)


def test_an_example_is_the_largest_object_that_evaluation_counts():
    small = ([30, 30, 35, 35], 0, 0)
    (example,) = pick_examples(Annotations([small, INSIDE, CROWD]), 4)
    assert (example.box, example.class_name, example.image_id) == (
        (30.0, 30.0, 50.0, 50.0),
        "dog",
        10,
    )


def test_examples_have_room_around_them_and_are_spread_evenly():
    images = [[INSIDE], [AT_THE_EDGE, INSIDE], [INSIDE], [], [INSIDE], [INSIDE]]
    assert [one.index for one in pick_examples(Annotations(*images), 2)] == [0, 4]


def test_without_any_room_the_largest_objects_do():
    assert [one.index for one in pick_examples(Annotations([], [AT_THE_EDGE]), 2)] == [1]


def test_without_objects_there_are_no_examples():
    assert pick_examples(Annotations([], [CROWD]), 2) == []


def test_a_detector_without_box_head_is_an_error(smoke_grid, monkeypatch):
    monkeypatch.setattr(examples, "trained_model", lambda job: torch.nn.Linear(1, 1))
    with pytest.raises(DeclarationError, match=r"run r50.*StandardRoIHead.*found Linear"):
        trained(smoke_grid.job("r50", 0))

"""A loss that is no number is told with whether the data or a setting is to blame."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.datasets.transforms import PackDetInputs
from mmdet.registry import TRANSFORMS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.structures import InstanceData

from tests.training.test_resume import silent
from tsd.run_folder import RunFolder
from tsd.training.batch_boxes import EXAMPLES, Examination, boxes_of, examine
from tsd.training.event_log import EventLogHook, NonFiniteLossError
from tsd.training.train import train


def sample(boxes, path="a.jpg", size=(100, 200), wrap=torch.Tensor):
    found = DetDataSample(metainfo={"img_path": path, "img_shape": size, "img_id": 3})
    found.gt_instances = InstanceData(bboxes=wrap(torch.tensor(boxes).reshape(-1, 4).float()))
    return found


def batch(*samples):
    return {"inputs": [torch.zeros(3, 8, 8)] * len(samples), "data_samples": list(samples)}


SOUND = [[0, 0, 200, 100], [10, 10, 11, 12], [-0.5, -0.5, 200.5, 100.5]]


@pytest.mark.parametrize("wrap", [torch.Tensor, HorizontalBoxes])
@pytest.mark.parametrize(
    ("boxes", "faults"),
    [
        (SOUND, ""),
        ([[10, 10, 10, 20]], "1 without area of 1"),
        ([[10, 10, 5, 20], [10, 20, 20, 10], *SOUND], "2 without area of 5"),
        ([[math.nan, 0, 1, 1], [0, 0, math.inf, 1]], "2 that are not finite of 2"),
        ([[250, 10, 260, 20]], "1 beyond the edge of 1"),
        ([[-20, 10, -5, 20]], "1 beyond the edge of 1"),
        ([[10, 90, 20, 110]], "1 beyond the edge of 1"),
        (
            [[10, 10, 10, 20], [150, 0, 260, 20], [0, math.nan, 1, 1]],
            "1 that are not finite, 1 without area, 1 beyond the edge of 3",
        ),
        ([], ""),
    ],
)
def test_boxes_that_are_none_are_counted_by_what_is_wrong(boxes, faults, wrap):
    (image,) = boxes_of(batch(sample(boxes, wrap=wrap)))
    assert image.faults == faults


def test_an_image_of_unknown_size_has_no_edge():
    found = sample([[250, 10, 260, 20], [5, 5, 5, 5]])
    del found.img_shape
    (image,) = boxes_of(batch(found))
    assert image.faults == "1 without area of 2"


@pytest.mark.parametrize(
    ("data_batch", "images"),
    [
        (None, 0),
        (batch(), 0),
        (batch(DetDataSample()), 0),
        ({"inputs": [], "data_samples": [sample(SOUND), sample(SOUND)]}, 2),
        ({"sup": batch(sample(SOUND)), "unsup": [batch(sample(SOUND))]}, 2),
        ((torch.zeros(1), [sample(SOUND)]), 1),
    ],
)
def test_samples_are_found_however_a_batch_holds_them(data_batch, images):
    assert len(boxes_of(data_batch)) == images


def test_boxes_are_copies():
    held = batch(sample(SOUND))
    (image,) = boxes_of(held)
    assert image.boxes.data_ptr() != held["data_samples"][0].gt_instances.bboxes.data_ptr()


EDGES = st.floats(-300, 300, width=16)


@settings(deadline=None)
@given(st.lists(st.tuples(EDGES, EDGES, EDGES, EDGES), max_size=6))
def test_against_a_slow_reference(boxes):
    (image,) = boxes_of(batch(sample([list(box) for box in boxes])))
    sound = all(
        x1 < x2 and y1 < y2 and x1 >= -1 and y1 >= -1 and x2 <= 201 and y2 <= 101
        for x1, y1, x2, y2 in boxes
    )
    assert (image.faults == "") == sound


def test_what_is_said_of_sound_and_of_faulty_boxes():
    sound = examine(boxes_of(batch(sample(SOUND), sample(SOUND[:1]))))
    assert str(sound).startswith("the 4 boxes of the 2 images before it are sound")
    names = [f"{n}.jpg" for n in range(EXAMPLES + 2)]
    faulty = examine(boxes_of(batch(*(sample([[9, 9, 9, 9]], path=name) for name in names))))
    whole = Examination()
    for part in (sound, faulty):
        whole.add(part)
    assert str(whole) == (
        "of the 9 images before it, 7 have boxes that nothing can be learned from: "
        + "; ".join(f"{name} (1 without area of 1)" for name in names[:EXAMPLES])
        + " and 2 more images"
    )


class Runner(SimpleNamespace):
    """What the hook asks of a runner."""

    def __init__(self, iteration):
        optim_wrapper = SimpleNamespace(get_lr=lambda: {"lr": [0.25]})
        super().__init__(iter=iteration, max_iters=40, optim_wrapper=optim_wrapper)


def run(hook, batches, losses):
    for number, (data_batch, loss) in enumerate(zip(batches, losses, strict=True)):
        hook.after_train_iter(Runner(number), number, data_batch, {"loss": torch.tensor(loss)})


@pytest.fixture
def hook(tmp_path):
    (tmp_path / "run").mkdir()
    return EventLogHook(RunFolder(tmp_path / "run"), silent, interval=5)


def test_a_bad_batch_is_named_though_the_loss_breaks_in_a_later_one(hook):
    batches = [batch(sample(SOUND, path=f"{n}.jpg")) for n in range(10)]
    batches[3] = batch(sample([[9, 9, 9, 12]], path="bad.jpg"))
    with pytest.raises(
        NonFiniteLossError,
        match=r"^iteration 10: loss = nan; of the 10 images before it, 1 have .*: bad\.jpg \(1 "
        r"without area of 1\); correct these annotations",
    ):
        run(hook, batches, [1.0] * 7 + [math.nan] * 3)


def test_a_batch_of_long_ago_is_not_blamed(hook):
    batches = [batch(sample(SOUND)) for _ in range(20)]
    batches[3] = batch(sample([[9, 9, 9, 12]], path="bad.jpg"))
    with pytest.raises(NonFiniteLossError, match="the 30 boxes of the 10 images before it are so"):
        run(hook, batches, [1.0] * 19 + [math.inf])


def test_with_sound_boxes_the_learning_rate_is_named(hook):
    with pytest.raises(
        NonFiniteLossError,
        match=r"^iteration 5: loss = inf; the 15 boxes .* are sound.*; look at "
        r"optim_wrapper\.optimizer\.lr, which is 0\.25 by now",
    ):
        run(hook, [batch(sample(SOUND))] * 5, [math.inf] * 5)


def diverging(grid, more=None):
    fast = {"optim_wrapper.optimizer.lr": 1e30, "train_cfg.max_iters": 40}
    scale = grid.scale.model_copy(update={"set": {**grid.scale.set, **fast, **(more or {})}})
    return replace(grid, scale=scale).job("r50", 0)


def test_a_training_that_diverges_on_sound_data_says_so(smoke_grid):
    with pytest.raises(
        NonFiniteLossError, match=r"are sound.*optim_wrapper\.optimizer\.lr, which is 1e\+30"
    ):
        train(diverging(smoke_grid), [], silent)


@TRANSFORMS.register_module()
class PacksBoxesOut(PackDetInputs):
    """A step of the pipeline with a fault: boxes go out of their images, which stay as they are."""

    def transform(self, results):
        results["gt_bboxes"].translate_((1000, 0))
        return super().transform(results)


def test_a_training_that_diverges_on_boxes_that_are_none_names_their_images(smoke_grid):
    faulty = {"train_dataloader.dataset.pipeline.PackDetInputs.type": "PacksBoxesOut"}
    with pytest.raises(
        NonFiniteLossError, match=r"have boxes that nothing can be learned from: .*train/\S+ \("
    ):
        train(diverging(smoke_grid, faulty), [], silent)

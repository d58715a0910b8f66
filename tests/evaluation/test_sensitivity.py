from dataclasses import replace

import pytest
import torch
from mmdet.registry import DATASETS

from tsd.evaluation.examples import pick_examples
from tsd.evaluation.sensitivity import POSITIONS, extract_sensitivity, raster, sensitivity
from tsd.results.extracts import SensitivityExtract
from tsd.training.build import build_model, runtime_config


def with_random_weights(job):
    """Weights as training would leave them, untrained."""
    torch.manual_seed(0)
    model = build_model(job)
    model.init_weights()
    job.folder.path.mkdir(parents=True)
    torch.save({"state_dict": model.state_dict()}, job.folder.weights)
    return job


def test_a_raster_is_symmetric_about_the_object():
    x, y = raster(torch.tensor([40.0, 30.0, 60.0, 70.0]), (200, 200))
    assert len(y) == POSITIONS > len(x)
    assert (x + x.flip(0)).tolist() == pytest.approx([100] * len(x))
    assert (y[0].item(), y[-1].item()) == pytest.approx((20, 80))
    assert (x[1] - x[0]).item() == pytest.approx((y[1] - y[0]).item())


def test_a_raster_ends_with_the_image():
    x, y = raster(torch.tensor([0.0, 0.0, 40.0, 40.0]), (45, 200))
    assert 0 <= x.min() < 1
    assert 44 < x.max() <= 45
    assert y.max().item() == pytest.approx(50, abs=1.5)


@pytest.mark.parametrize("input_side", [160, 240])
def test_a_head_that_leaves_proposals_alone_shows_their_own_overlap(smoke_grid, input_side):
    differences = {"test_dataloader.dataset.pipeline.1.scale": [input_side, input_side]}
    job = smoke_grid.job("r50", 0)
    scale = job.scale.model_copy(update={"set": {**job.scale.set, **differences}})
    job = replace(job, scale=scale)
    detector = build_model(job).eval()
    detector.init_weights()
    dataset = DATASETS.build(runtime_config(job).test_dataloader.dataset)
    (example,) = pick_examples(dataset, 1)
    head = detector.roi_head.bbox_head
    for layer in (head.fc_reg, head.fc_cls):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    with torch.no_grad():
        head.fc_cls.bias[example.label] = 2.0

    maps = sensitivity(detector, dataset, example)

    others = head.num_classes  # of the other classes and the background, each exp(0)
    expected = torch.tensor(2.0).exp() / (torch.tensor(2.0).exp() + others)
    scores = torch.tensor(maps.classification)
    assert scores.flatten().tolist() == pytest.approx([expected.item()] * scores.numel())
    x1, y1, x2, y2 = example.box
    image = dataset.get_data_info(example.index)
    for row, y in enumerate(maps.y):
        for column, x in enumerate(maps.x):
            dx, dy = x - (x1 + x2) / 2, y - (y1 + y2) / 2
            moved = [max(x1 + dx, 0), max(y1 + dy, 0)]
            moved += [min(x2 + dx, image["width"]), min(y2 + dy, image["height"])]
            found = maps.localization[row][column]
            assert found == pytest.approx(overlap(moved, example.box), abs=1e-3)


def overlap(a, b):
    shared = [min(a[2 + axis], b[2 + axis]) - max(a[axis], b[axis]) for axis in (0, 1)]
    shared = shared[0] * shared[1]
    return shared / (sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - shared)


@pytest.mark.parametrize("run", ["r50", "tsd_pc"])
def test_maps_of_a_job_are_written(smoke_grid, run, tmp_path):
    job = with_random_weights(smoke_grid.job(run, 0))
    extract_sensitivity(job, tmp_path / "maps.json", count=2)
    written = SensitivityExtract.read(tmp_path / "maps.json")
    assert written.key == job.key
    assert len(written.instances) == 2
    for instance in written.instances:
        assert instance.class_name in job.dataset.classes
        assert instance.stride in (4, 8, 16, 32)
        for rows in (instance.classification, instance.localization):
            values = torch.tensor(rows)
            assert values.shape == (len(instance.y), len(instance.x))
            assert values.min() >= 0
            assert 0 < values.max() <= 1


def test_a_job_without_weights_is_an_error(smoke_grid, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint at .*weights\.pth"):
        extract_sensitivity(smoke_grid.job("r50", 0), tmp_path / "maps.json")

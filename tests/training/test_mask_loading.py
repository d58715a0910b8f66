import numpy as np
import pytest
from mmdet.datasets.transforms import LoadAnnotations
from mmengine.config import Config
from pycocotools.mask import encode

from tests.coco_example import polygon
from tsd.training.mask_loading import LoadUsableMasks, load_usable_masks

BOX = (10, 10, 40, 30)


def results(*masks):
    """What a pipeline knows of an image of 120 × 160 with an object for each mask."""
    x, y, w, h = BOX
    return {
        "ori_shape": (120, 160),
        "instances": [
            {"bbox": [x, y, x + w, y + h], "bbox_label": 0, "ignore_flag": 0}
            | ({} if mask is None else {"mask": mask})
            for mask in masks
        ],
    }


def runs(height=120, width=160):
    pixels = np.zeros((height, width), np.uint8, order="F")
    pixels[10:40, 10:50] = 1
    found = encode(pixels)
    return {"size": found["size"], "counts": found["counts"].decode()}


def test_objects_without_a_usable_mask_are_left_out():
    masks = [
        [polygon(BOX)],
        None,
        [[10, 10, 50, 40]],
        [[10, 10, 20, 20, 30, 30]],
        runs(),
        runs(160, 120),
        polygon(BOX),
    ]
    loaded = LoadUsableMasks(with_bbox=True, with_mask=True)(results(*masks))
    ignored = [False, True, True, True, False, True, True]
    assert loaded["gt_ignore_flags"].tolist() == ignored
    areas = loaded["gt_masks"].masks.sum(axis=(1, 2))
    assert (areas > 0).tolist() == [not flag for flag in ignored]


def test_usable_masks_are_loaded_as_mmdet_loads_them():
    ours = LoadUsableMasks(with_bbox=True, with_mask=True)(results([polygon(BOX)], runs()))
    theirs = LoadAnnotations(with_bbox=True, with_mask=True)(results([polygon(BOX)], runs()))
    assert np.array_equal(ours["gt_masks"].masks, theirs["gt_masks"].masks)
    assert np.array_equal(ours["gt_ignore_flags"], theirs["gt_ignore_flags"])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"with_bbox": True, "with_mask": True}, "LoadUsableMasks"),
        ({"with_bbox": True, "with_mask": False}, "LoadAnnotations"),
        ({"with_bbox": True}, "LoadAnnotations"),
    ],
)
def test_only_runs_with_masks_are_concerned(settings, expected):
    pipeline = [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations", **settings}]
    config = Config({"train_dataloader": {"dataset": {"dataset": {"pipeline": pipeline}}}})
    load_usable_masks(config)
    assert config.train_dataloader.dataset.dataset.pipeline[1].type == expected

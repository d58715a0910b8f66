"""The paper's configs in full size: a training step and an evaluation on real COCO images.

On the CPU, at a reduced resolution, with few RoIs and from random weights. As few runs as have
every base of ours and every backbone between them; mmdet's own configs are full-size at the smoke
scale already.
"""

import json
import os
from pathlib import Path

import pytest
import torch
import yaml
from mmdet.registry import MODELS
from mmengine.runner import Runner

from tsd.evaluation.coco import average_precision, evaluate_boxes
from tsd.experiments.compile import dictionaries
from tsd.experiments.load import MMDET, load_experiments
from tsd.experiments.settings import open_grid
from tsd.training.build import runtime_config
from tsd.training.detect import as_coco

SIDE = 192
IMAGES = 2
ROIS = 64
"""Of an image, in training and at test: of these the heads are given hundreds otherwise."""

DECLARED = load_experiments(Path("experiments"))


def covering_runs():
    """Runs chosen one by one, the next being the one that has most of what is missing still."""
    parts = {
        run.id: {("base", run.base), ("backbone", run.backbone)}
        for run in DECLARED.runs.values()
        if not run.base.startswith(MMDET) and run.checkpoint is None
    }
    missing = set().union(*parts.values())
    chosen = []
    while missing:
        best = max(parts, key=lambda name: len(parts[name] & missing))
        chosen.append(best)
        missing -= parts[best]
    return chosen


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A YAML file that declares the sample of COCO."""
    if "TSD_TEST_DATA" not in os.environ:
        pytest.skip("TSD_TEST_DATA is not set")
    root = Path(os.environ["TSD_TEST_DATA"]) / "coco_sample"
    declared = yaml.safe_load(Path("experiments/datasets/coco2017.yaml").read_text())
    splits = {
        name: {"annotations": f"instances_{name}2017.json", "images": f"{name}2017/"}
        for name in ("train", "val")
    }
    path = tmp_path_factory.mktemp("sample") / "coco_sample.yaml"
    path.write_text(yaml.safe_dump({**declared, "id": "coco_sample", "root": str(root), **splits}))
    return path


def reduced(config):
    for part in dictionaries(config.model):
        part.pop("init_cfg", None)
    for loader in (config.train_dataloader, config.test_dataloader):
        loader.update(batch_size=1, num_workers=0, persistent_workers=False)
        for transform in loader.dataset.pipeline:
            if "Resize" in transform.type:
                transform.update(type="Resize", scale=(SIDE, SIDE))
                transform.pop("scales", None)
    for part in dictionaries(config.model.train_cfg.rcnn):
        if "num" in part:
            part["num"] = ROIS
    config.model.test_cfg.rpn.max_per_img = ROIS
    config.train_dataloader.batch_sampler = None
    config.test_dataloader.dataset.indices = IMAGES
    return config


@pytest.mark.parametrize("run", covering_runs())
def test_a_step_and_an_evaluation_in_full_size(run, sample):
    job = open_grid({"scale": "paper", "dataset": str(sample)}).job(run, 0)
    config = reduced(runtime_config(job))
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    batch = next(iter(Runner.build_dataloader(config.train_dataloader, seed=0)))
    model.train()
    loss, _ = model.parse_losses(model(**model.data_preprocessor(batch, True), mode="loss"))
    assert loss.isfinite()
    loss.backward()
    assert not [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]

    model.eval()
    loader = Runner.build_dataloader(config.test_dataloader)
    detections = []
    with torch.inference_mode():
        for batch in loader:
            for found in model.test_step(batch):
                detections += as_coco(found, loader.dataset.cat_ids)
    annotations = Path(job.dataset.root) / job.dataset.val.annotations
    images = {image["id"] for image in json.loads(annotations.read_text())["images"]}
    assert {d["image_id"] for d in detections} <= images
    boxes = evaluate_boxes(annotations, detections, job.dataset.classes)
    assert 0 <= average_precision(boxes) < 100

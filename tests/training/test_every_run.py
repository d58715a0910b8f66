"""Every declared run builds, takes a training step and predicts; none is named here.

Runs that take their weights from a file are not trained, and there are none without the file:
``test_taken_weights.py`` is about these.
"""

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.runner import Runner

from tsd.experiments.compile import dictionaries
from tsd.experiments.load import MMDET, load_experiments
from tsd.training.build import inference_parameters, runtime_config
from tsd.training.check import check_optimizer

RUNS = load_experiments(Path("experiments")).runs.values()
EVERY_RUN = sorted(run.id for run in RUNS if run.checkpoint is None)

ROIS, DETECTIONS = 32, 10
"""Of an image, in mmdet's own detectors: at full size their heads take seconds for each hundred."""


def with_little_for_the_heads(config):
    """Leave a full-size detector of mmdet's as it is, but for how many RoIs its heads are given."""
    for part in dictionaries(config.model.get("train_cfg") or {}):
        if "num" in part:
            part["num"] = min(part["num"], ROIS)
    for part in dictionaries(config.model.test_cfg):
        if "score_thr" in part and "max_per_img" in part:
            part["max_per_img"] = DETECTIONS
    return config


@pytest.fixture
def unset_memory_is_nan():
    """Fill memory that is taken without being set, which otherwise holds what was there."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("run", EVERY_RUN)
def test_a_step_and_a_prediction(run, smoke_grid, unset_memory_is_nan):
    job = smoke_grid.jobs_of(run)[0]
    config, most = runtime_config(job), 100
    if job.run.base.startswith(MMDET):
        config, most = with_little_for_the_heads(config), DETECTIONS
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    check_optimizer(model, config, run)
    model.init_weights()
    for name, values in model.state_dict().items():
        assert values.isfinite().all(), name
    batch = next(iter(Runner.build_dataloader(config.train_dataloader, seed=0)))
    model.train()
    data = model.data_preprocessor(batch, training=True)
    loss, terms = model.parse_losses(model(**data, mode="loss"))
    assert loss.isfinite()
    loss.backward()
    without_gradient = [
        name for name, p in model.named_parameters() if p.requires_grad and p.grad is None
    ]
    assert not without_gradient
    assert "loss" in terms
    assert len(terms) > 2
    if hasattr(model, "rpn_head"):
        assert {"loss_rpn_cls", "loss_rpn_bbox"} < set(terms)

    model.eval()
    batch = next(iter(Runner.build_dataloader(config.test_dataloader)))
    with torch.inference_mode():
        samples = model.test_step(batch)
    assert len(samples) == 4
    for sample in samples:
        assert sample.pred_instances.bboxes.isfinite().all()
        assert len(sample.pred_instances) <= most
    assert 0 < inference_parameters(model) <= sum(p.numel() for p in model.parameters())

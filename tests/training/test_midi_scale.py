"""The networks of the scale midi fit together: a step and a prediction, without training any."""

from dataclasses import replace

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.runner import Runner

from tsd.data.embedded import EmbeddedSpec, make_embedded
from tsd.experiments.settings import open_grid
from tsd.training.build import runtime_config
from tsd.training.check import check_optimizer

IMAGES = 1
RUNS = ("tsd_pc", "cascade_r50_tsd", "mask_r50_tsd", "r101_dcn_tsd", "x101_tsd")
"""One for each entry of the scale's that changes a network of ours."""


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "midi"
    make_embedded(root, EmbeddedSpec(train_images=IMAGES, val_images=IMAGES, size=320))
    grid = open_grid({"scale": "midi"}, tmp_path_factory.mktemp("results"))
    return replace(grid, dataset=grid.dataset.model_copy(update={"root": str(root)}))


@pytest.mark.parametrize("run", RUNS)
def test_a_step_and_a_prediction(run, grid):
    config = runtime_config(grid.jobs_of(run)[0])
    for loader in (config.train_dataloader, config.test_dataloader):
        loader.update(batch_size=IMAGES, num_workers=0, persistent_workers=False)
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    check_optimizer(model, config, run)
    model.init_weights()
    batch = next(iter(Runner.build_dataloader(config.train_dataloader, seed=0)))
    data = model.train().data_preprocessor(batch, training=True)
    assert data["inputs"].shape == (IMAGES, 3, 320, 320)
    loss, _ = model.parse_losses(model(**data, mode="loss"))
    assert loss.isfinite()
    loss.backward()
    assert not [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    batch = next(iter(Runner.build_dataloader(config.test_dataloader)))
    with torch.inference_mode():
        assert len(model.eval().test_step(batch)) == IMAGES

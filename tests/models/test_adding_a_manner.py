"""The worked example in the documents, followed to the letter."""

import importlib.util
from dataclasses import replace

import pytest
import torch
import yaml
from mmdet.registry import MODELS
from mmengine.runner import Runner

from tests.models import test_manners
from tests.projects import ROOT, blocks
from tsd.experiments.schema import Run
from tsd.models.manners import registered_manners
from tsd.training.build import runtime_config

HEADING = "A manner of derived proposal"


def block(language):
    """The one block of a language in the worked example."""
    (source,) = blocks(ROOT / "CONTRIBUTING.md", language, HEADING)
    return source


@pytest.fixture
def registered(tmp_path, monkeypatch):
    """The class of the document, in a module of its own; forgotten after the test.

    Somebody who has followed the document has its class already; theirs is put aside.
    """
    others = {name: kind for name, kind in MODELS.module_dict.items() if name != "row-wise"}
    monkeypatch.setattr(MODELS, "_module_dict", others)
    before = set(registered_manners())
    path = tmp_path / "row_wise.py"
    path.write_text(block("python"))
    spec = importlib.util.spec_from_file_location("row_wise", path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    (name,) = set(registered_manners()) - before
    return name


def test_the_class_keeps_to_what_every_manner_has_to(registered):
    for test in (
        test_manners.test_a_manner_starts_at_the_shared_proposal,
        test_manners.test_what_a_manner_learns_reaches_the_features_it_pools,
        test_manners.test_a_box_is_where_the_points_are_and_as_large_as_p,
        test_manners.test_a_translation_is_the_way_from_p_to_the_box,
    ):
        test(registered)


def test_a_row_of_bins_moves_as_one_and_rows_move_apart(registered):
    offsets = registered_manners()[registered](8, 3)(torch.randn(2, 8))
    assert offsets.shape == (2, 3, 3, 2)
    assert offsets.equal(offsets[:, :, :1].expand_as(offsets))
    assert not offsets[:, 0].equal(offsets[:, 1])


def test_the_declared_run_trains_the_new_layers(registered, smoke_grid):
    run = Run.model_validate(yaml.safe_load(block("yaml"))[0])
    assert registered in run.set.values()
    known = smoke_grid.job("tsd_pc", 0)
    job = replace(known, run=run)
    assert job.digest != known.digest

    config = runtime_config(job)
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    batch = next(iter(Runner.build_dataloader(config.train_dataloader, seed=0)))
    model.train()
    data = model.data_preprocessor(batch, training=True)
    loss, _ = model.parse_losses(model(**data, mode="loss"))
    assert loss.isfinite()
    loss.backward()
    manner = model.roi_head.derived_proposals.cls_manner
    assert type(manner).__name__ == "RowWise"
    assert manner.last_layer.out_features == 2 * manner.bins
    assert manner.last_layer.weight.grad.abs().sum() > 0

    model.eval()
    with torch.inference_mode():
        samples = model.test_step(next(iter(Runner.build_dataloader(config.test_dataloader))))
    assert samples
    assert all(sample.pred_instances.bboxes.isfinite().all() for sample in samples)

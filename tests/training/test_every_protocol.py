"""Under every protocol the networks of all own runs can be built, and their images are resized."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules

from tsd.experiments.load import MMDET
from tsd.experiments.settings import open_grid
from tsd.training.build import runtime_config

PROTOCOLS = sorted(path.stem for path in Path("experiments/protocols").glob("*.yaml"))


@pytest.fixture(scope="module")
def built():
    """The parts of networks that were built already: their settings as text."""
    return set()


def own_jobs(protocol):
    """A job of each run over an own base that is trained, at the paper's scale."""
    grid = open_grid({"scale": "paper", "protocol": protocol, "only": "all"})
    return [job for job in grid.jobs if not job.run.base.startswith(MMDET)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_network_can_be_built(protocol, built):
    jobs = own_jobs(protocol)
    assert {"bells_senet154_dcn_tsd", "oi_senet154_dcn"} <= {job.run.id for job in jobs}
    faults = {}
    for job in jobs:
        model = job.config.to_dict()["model"]
        (model["roi_head"].get("progressive_constraint") or {}).update(m_c=0.2, m_r=0.2)
        parts = {json.dumps(part, sort_keys=True, default=str) for part in model.items()}
        if parts <= built:
            continue
        built |= parts
        try:
            with torch.device("meta"):  # no memory is given to it, and no time to random numbers
                MODELS.build(runtime_config(job).model)
        except Exception as error:  # whatever it is, the run cannot be trained
            faults[job.run.id] = repr(error)
    assert faults == {}


def test_the_released_multi_scale_training_draws_a_side_between_its_two():
    register_all_modules()
    (job,) = (job for job in own_jobs("released") if job.run.id == "bells_x101_64x4d_dcn_tsd")
    resize = Compose([job.config.train_dataloader.dataset.pipeline[2]])
    np.random.seed(0)
    shapes = [resize({"img": np.zeros((40, 60, 3), np.uint8)})["img_shape"] for _ in range(20)]
    shorter = [min(shape) for shape in shapes]
    assert 400 <= min(shorter) < 600
    assert 900 < max(shorter) <= 1067  # 1,600 pixels of the longer side are the bound
    assert max(max(shape) for shape in shapes) <= 1600

"""Parameter counts of Table 1, of the models that the paper scale declares."""

from pathlib import Path

import pytest
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules

from tsd.experiments.compile import dictionaries
from tsd.experiments.load import load_experiments
from tsd.experiments.settings import open_grid
from tsd.training.build import inference_parameters

PUBLISHED = [
    (row.run, row.published["params"])
    for table in load_experiments(Path("experiments")).tables.values()
    for row in table.rows
    if row.run is not None and row.published.get("params") is not None
]


def count(run):
    register_all_modules()
    config = open_grid({"scale": "paper"}).jobs_of(run)[0].config.model
    for part in dictionaries(config):
        part.pop("init_cfg", None)
    return inference_parameters(MODELS.build(config))


@pytest.mark.parametrize(("run", "millions"), PUBLISHED)
def test_parameters_are_the_papers(run, millions):
    assert count(run) / 1e6 == pytest.approx(millions, abs=0.2)


def test_at_least_the_spine_of_table_1_is_checked():
    assert {"r50", "d_s8", "d_s16", "d_s32", "d_head", "tsd_wo_pc"} == {run for run, _ in PUBLISHED}


def test_the_sibling_head_does_not_count():
    assert count("tsd_pc") == count("tsd_wo_pc")


def test_resnet_152_has_the_parameters_that_section_3_3_gives():
    assert count("r152") / 1e6 == pytest.approx(76.39, abs=0.01)

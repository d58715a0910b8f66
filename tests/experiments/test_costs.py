"""Every declared training has a price at full size."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tsd.experiments.costs import (
    Factor,
    UnknownCostError,
    cost_table,
    load_costs,
    without_factors,
)
from tsd.experiments.reading import DeclarationError
from tsd.experiments.settings import open_grid
from tsd.reporting.training_hours import Prices, Source

COSTS = load_costs(Path("experiments"))


@pytest.fixture(scope="module")
def paper():
    return open_grid({"scale": "paper"})


def test_every_run_of_the_papers_scale_has_a_price(paper):
    for job in paper.jobs:
        hours, kind = COSTS.gpu_hours(job)
        assert hours > 1, job.run.id
        assert kind in ("published", "assumed"), job.run.id


def test_the_baseline_costs_what_was_published(paper):
    hours, kind = COSTS.gpu_hours(paper.job("r50", 0))
    assert hours == pytest.approx(0.3530 / 2 * 117266 * 13 / 3600)
    assert kind == "published"


def test_the_least_sure_factor_decides_what_a_price_is(paper):
    assert COSTS.gpu_hours(paper.job("r101_tsd", 0))[1] == "published"
    assert COSTS.gpu_hours(paper.job("r152_tsd", 0))[1] == "assumed"


def test_the_table_counts_a_training_that_stands_twice_once(paper):
    lines = {line.split("|")[1].strip(): line for line in cost_table(paper, COSTS).splitlines()}
    of_all = float(lines["all"].split("|")[3].replace(",", ""))
    new = [line.split("|")[4].strip() for name, line in lines.items() if name not in ("", "---")]
    assert sum(float(n.replace(",", "")) for n in new) == pytest.approx(of_all, abs=10)


def test_a_scale_that_counts_iterations_has_no_price():
    with pytest.raises(DeclarationError, match="is not trained in epochs"):
        COSTS.gpu_hours(open_grid({"scale": "mini"}).job("r50", 0))


def test_such_a_scale_has_one_where_its_trainings_cost_is_told():
    midi = open_grid({"scale": "midi"})
    hours, kind = COSTS.gpu_hours(midi.job("r50", 0))
    assert hours == pytest.approx(300 / 3600)
    assert kind == "assumed"
    assert COSTS.gpu_hours(midi.job("tsd_pc", 0))[0] == pytest.approx(1.33 * 300 / 3600)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": {}}, "key images: coco2017 is not told"),
        ({"imagse": {}}, "unknown key 'imagse'; did you mean 'images'?"),
    ],
)
def test_faulty_costs_are_explained(tmp_path, paper, change, message):
    content = yaml.safe_load(Path("experiments/costs.yaml").read_text())
    (tmp_path / "costs.yaml").write_text(yaml.safe_dump({**content, **change}))
    with pytest.raises(DeclarationError) as caught:
        load_costs(tmp_path).gpu_hours(paper.job("r50", 0))
    assert message in str(caught.value)


def _of_unknown_network(paper, **changes):
    """A training whose run differs from the baseline's in its base or its backbone."""
    job = paper.job("r50", 0)
    run = job.run.model_copy(update=changes)
    named = changes.get("backbone")
    backbone = named and paper.experiments.backbones["r101"].model_copy(update={"id": named})
    changed = replace(job, run=run, backbone=backbone)
    vars(changed)["compiled"] = job.compiled  # a price does not depend on what is in the base
    return changed


@pytest.mark.parametrize("changes", [{"backbone": "r34"}, {"base": "own_r50_fpn"}])
def test_a_network_that_nothing_is_said_of_is_not_priced_like_a_resnet_50(paper, changes):
    job = _of_unknown_network(paper, **changes)
    ((key, name),) = changes.items()
    message = f"costs.yaml: key factors: no entry fits the {key} '{name}'; add one"
    with pytest.raises(UnknownCostError, match=re.escape(message)):
        COSTS.gpu_hours(job)
    assert Prices([job], COSTS).of(job).source is Source.UNKNOWN
    (text,) = without_factors([job, paper.job("r50", 0)], COSTS)
    assert "run r50 costs: " in text
    factor = Factor(**changes, factor=0.8, kind="assumed", source="guessed")
    told = COSTS.model_copy(update={"factors": [factor, *COSTS.factors]})
    hours, kind = told.gpu_hours(job)
    assert hours == pytest.approx(0.8 * COSTS.gpu_hours(paper.job("r50", 0))[0])
    assert kind == "assumed"


def test_the_table_says_what_has_no_price_and_adds_up_the_rest(paper):
    factors = [factor for factor in COSTS.factors if factor.backbone != "r101*"]
    costs = COSTS.model_copy(update={"factors": factors})
    lines = cost_table(paper.asking_for(["r50", "r101"]), costs).splitlines()
    cells = {words[1].strip(): words for line in lines if len(words := line.split("|")) > 4}
    assert cells["all"][2:4] == [" 2 ", cells["r50"][3]]
    assert cells["r101"][5] == " —, 1 unknown "
    assert "no entry fits the backbone 'r101'" in lines[-1]

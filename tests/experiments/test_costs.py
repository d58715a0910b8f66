"""Every declared training has a price at full size."""

from pathlib import Path

import pytest
import yaml

from tsd.experiments.costs import cost_table, load_costs
from tsd.experiments.reading import DeclarationError
from tsd.experiments.settings import open_grid

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

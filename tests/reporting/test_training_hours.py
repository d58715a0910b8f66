"""What trainings took and may take, and where that is known from."""

from pathlib import Path

import pytest

from tests.reporting.conftest import train_record
from tsd.experiments.costs import load_costs
from tsd.experiments.settings import open_grid
from tsd.reporting.training_hours import Price, Prices, Source, measured_price

COSTS = load_costs(Path("experiments"))


@pytest.fixture
def mini(tmp_path):
    return open_grid({"scale": "mini", "seeds": "3"}, tmp_path)


def finish(job, **changes):
    record = {"seconds": 1800.0, "device": "cpu", "threads": 1, "processes": 1, **changes}
    train_record(key=job.key, **record).write(job.folder.trained)


def test_a_training_that_has_ended_costs_what_it_took(mini):
    job = mini.job("r50", 0)
    assert measured_price(job) is None
    finish(job)
    price = Prices([job], COSTS).of(job)
    assert (price.hours, price.unit, price.source) == (0.5, "core", Source.MEASURED)


@pytest.mark.parametrize(
    ("changes", "hours", "unit"),
    [
        ({"threads": 4}, 2.0, "core"),
        ({"threads": 4, "processes": 2}, 4.0, "core"),
        ({"device": "NVIDIA V100", "threads": 4, "processes": 16}, 8.0, "GPU"),
        ({"seconds": None, "seconds_last_attempt": 3600.0}, 1.0, "core"),
    ],
)
def test_hours_are_those_of_every_core_or_gpu(mini, changes, hours, unit):
    job = mini.job("r50", 0)
    finish(job, **changes)
    price = measured_price(job)
    assert (price.hours, price.unit) == (hours, unit)


def test_other_seeds_of_the_run_tell_what_a_training_may_take(mini):
    finish(mini.job("r50", 0))
    finish(mini.job("r50", 1), seconds=5400.0)
    finish(mini.job("tsd_pc", 0), seconds=36000.0)
    price = Prices(mini.jobs_of("r50"), COSTS).of(mini.job("r50", 2))
    assert (price.hours, price.source) == (1.0, Source.OTHER_SEEDS)


def test_other_runs_tell_it_where_nothing_better_does(mini):
    job = mini.job("tsd_pc", 0)
    assert Prices(mini.jobs_of("r50"), COSTS).of(job).source is Source.UNKNOWN
    finish(mini.job("r50", 0))
    price = Prices(mini.jobs_of("r50"), COSTS).of(job)
    assert (price.hours, price.source) == (0.5, Source.OTHER_RUNS)


def test_the_same_training_of_a_published_report_is_surer_than_other_runs(mini):
    job = mini.job("tsd_pc", 0)
    finish(mini.job("r50", 0))
    price = Price(2.0, "core", Source.PUBLISHED)
    published = {("tsd_pc", job.digest): price}
    assert Prices(mini.jobs_of("r50"), COSTS, published).of(job) == price
    declared_otherwise = {("tsd_pc", "0123456789"): price}
    found = Prices(mini.jobs_of("r50"), COSTS, declared_otherwise).of(job)
    assert found.source is Source.OTHER_RUNS


def test_the_declared_costs_are_surer_than_other_runs(tmp_path):
    paper = open_grid({"scale": "paper"}, tmp_path)
    finish(paper.job("r50", 0), device="NVIDIA V100", processes=16)
    job = paper.job("r101", 0)
    price = Prices(paper.jobs_of("r50"), COSTS).of(job)
    assert price.source is Source.DECLARED
    assert price.hours == pytest.approx(COSTS.gpu_hours(job)[0])
    assert Prices(paper.jobs_of("r50"), None).of(job).source is Source.OTHER_RUNS

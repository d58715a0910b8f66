"""What the trainings of a run say together is what the report says of them."""

import pytest

from tests.reporting import claims
from tests.reporting.conftest import make_results, row, run, table, training
from tsd.experiments.baselines import baselines_of
from tsd.experiments.settings import open_grid
from tsd.reporting.cells import fill
from tsd.reporting.run_summaries import run_summaries


def of(results):
    return {one.run: one for one in run_summaries(results)}


def test_a_summary_has_the_cells_of_the_tables(results):
    found = of(results)
    compared = 0
    for declared in results.tables:
        for filled in fill(results, declared):
            for cell in filled.cells:
                if filled.row.run not in found or cell.measured.mean is None:
                    continue
                one = found[filled.row.run].metrics[cell.metric]
                assert one.measured == cell.measured
                if cell.gain is not None:
                    gain = one.gains[filled.row.baseline]
                    assert (gain.value, gain.sd) == (cell.gain, cell.gain_sd)
                    compared += 1
    assert compared >= 3
    assert {"failing", "waiting", "absent"}.isdisjoint(found), "they have no value"
    better = found["better"]
    assert better.seeds == (0, 1)
    assert better.baselines == ("base", "single")
    assert better.metrics["AP"].gains["base"].published == pytest.approx(2.5)
    assert better.metrics["AP"].gains["single"].published is not None


def test_the_interval_of_a_gain_is_the_one_that_decides_the_claim():
    values = {"a": claims.BETTER, "b": claims.BASE, "c": claims.WORSE, "d": [31.0, 30.5]}
    shown = table("t", row("A", "a", "b"), row("C", "c", "b"), row("D", "d", "b"), metrics=["AP"])
    results = claims.results(claims.measured(**values), tables=[shown])
    verdict = claims.verdict(results, claims.UP)
    (evidence,) = verdict.evidence
    one = of(results)["a"].metrics["AP"]
    assert one.gains["b"].interval == evidence.measured.interval
    assert one.gains["b"].value == pytest.approx(3.0)
    assert one.is_moderated, "four runs tell of each other's spread"
    low, high = one.interval
    assert low < one.measured.mean < high
    assert high - low < one.gains["b"].interval[1] - one.gains["b"].interval[0]


def test_one_training_has_a_mean_and_no_interval():
    shown = table("t", row("A", "a", "b"), metrics=["AP"])
    results = claims.results(claims.measured(a=[3.0], b=[1.0]), tables=[shown])
    one = of(results)["a"].metrics["AP"]
    assert (one.measured.mean, one.measured.sd, one.interval) == (3.0, None, None)
    assert one.gains["b"].value == 2.0
    assert one.gains["b"].interval is None


def test_a_run_gains_nothing_over_the_same_training_under_another_name():
    one, other = run(training(AP=1.0)), run(training(AP=1.0))
    other.digest = one.digest
    shown = table("t", row("A", "a", "b"), metrics=["AP"])
    results = make_results([shown], {"a": one, "b": other})
    assert of(results)["a"].metrics["AP"].gains == {}


def test_the_baseline_that_is_meant_is_the_one_that_most_of_the_papers_tables_count_from():
    tables = open_grid({"scale": "mini"}).experiments.tables.values()
    assert next(iter(baselines_of("tsd_pc", tables))) == "r50"
    assert set(baselines_of("tsd_pc", tables)) == {"r50", "tsd_joint", "tsd_prop_prop_pc"}
    assert baselines_of("r50", tables) == {}
    mine = table("mine", row("A", "a", "x"), row("A", "a", "y"), paper=False)
    assert list(baselines_of("a", [mine, table("t", row("A", "a", "y"))])) == ["y", "x"]

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reporting.conftest import make_results, row, run, table, training
from tsd.reporting.cells import fill, measure, run_state, training_id
from tsd.reporting.tables import failure_reasons
from tsd.reporting.wording import legend
from tsd.results.collected import State

VALUES = st.lists(st.floats(0, 100), min_size=1, max_size=6)


def cell(results, label, metric="AP", table_id="options"):
    filled = next(f for f in fill(results, results.table(table_id)) if label in f.row.label)
    return next(cell for cell in filled.cells if cell.metric == metric)


def test_mean_sd_difference_and_gain_over_two_seeds(results):
    better = cell(results, "A|B")
    assert better.measured.mean == 33.0
    assert better.measured.sd == pytest.approx(math.sqrt(2))
    assert better.gain == pytest.approx(33.0 - 30.5)
    assert better.gain_sd == pytest.approx(math.sqrt(2 / 2 + 0.5 / 2))
    assert better.published_gain == pytest.approx(2.5)


@pytest.mark.parametrize("comparable", [True, False])
def test_there_is_a_difference_only_where_the_numbers_may_be_compared(results, comparable):
    results.runs["better"].is_comparable = comparable
    better = cell(results, "A|B")
    assert better.difference == (pytest.approx(33.0 - 38.5) if comparable else None)
    assert better.gain == pytest.approx(33.0 - 30.5)


def test_a_run_about_other_data_fills_no_row_and_is_no_baseline(results):
    results.runs["base"].is_about_these_data = False
    assert run_state(results, "base") is State.NOT_ON_THESE_DATA
    assert cell(results, "Baseline").measured.state is State.NOT_ON_THESE_DATA
    assert cell(results, "Baseline").measured.mean is None
    assert cell(results, "A|B").gain is None
    results.runs["base"].at_scale = False
    assert run_state(results, "base") is State.NOT_ON_THESE_DATA


def test_nothing_is_gained_over_a_baseline_that_is_the_same_training(results):
    assert cell(results, "A|B").gain is not None
    results.runs["better"].digest = results.runs["base"].digest
    assert cell(results, "A|B").gain is None
    assert cell(results, "A|B").measured.mean == 33.0


def test_runs_without_a_digest_are_told_apart_by_their_ids(results):
    results.runs["base"].digest = results.runs["better"].digest = None
    assert training_id(results, "base") != training_id(results, "better")
    assert training_id(results, "absent") == "absent"


def test_one_seed_has_no_spread_and_gives_no_gain_one(results):
    single = cell(results, "One seed")
    assert single.measured.mean == 29.0
    assert single.measured.sd is None
    assert single.gain == pytest.approx(-1.5)
    assert single.gain_sd is None


@pytest.mark.parametrize(
    ("label", "state"),
    [
        ("Baseline", State.EVALUATED),
        ("Fails", State.FAILED),
        ("Half fails", State.PARTIAL),
        ("Waits", State.NOT_RUN),
        ("Stopped", State.INTERRUPTED),
        ("Runs", State.RUNNING),
        ("Only published", State.NOT_DECLARED),
        ("Left out", State.NOT_COLLECTED),
    ],
)
def test_state(results, label, state):
    assert cell(results, label).measured.state is state


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("base", State.EVALUATED),
        ("failing", State.FAILED),
        ("half", State.PARTIAL),
        ("waiting", State.NOT_RUN),
        ("absent", State.NOT_COLLECTED),
    ],
)
def test_state_of_a_run_needs_no_metric(results, name, state):
    assert run_state(results, name) is state


def test_state_of_a_run_that_the_scale_does_not_have(results):
    results.runs["base"] = results.runs["base"].model_copy(update={"at_scale": False, "seeds": {}})
    assert run_state(results, "base") is State.NOT_AT_SCALE
    assert cell(results, "Baseline").measured.state is State.NOT_AT_SCALE


def test_state_of_a_run_that_cannot_be_made(results):
    changes = {"mistake": "runs/x.yaml: run base: no such path\nmore", "digest": None, "seeds": {}}
    results.runs["base"] = results.runs["base"].model_copy(update=changes)
    assert run_state(results, "base") is State.NOT_POSSIBLE
    assert cell(results, "Baseline").measured.state is State.NOT_POSSIBLE
    table = results.table("options")
    assert failure_reasons(fill(results, table))[0] == (
        "base, cannot be made: runs/x.yaml: run base: no such path"
    )
    assert any(text.startswith("not possible: ") for text in legend(fill(results, table)))


def test_partial_mean_is_over_the_finished_seeds(results):
    half = cell(results, "Half fails")
    assert half.measured.values == {1: 33.0}
    assert half.measured.declared == 2


@pytest.mark.parametrize("label", ["Baseline", "One seed"])
def test_nothing_measured_is_missing(results, label):
    found = cell(results, label, "APl")
    assert found.measured.state is State.MISSING
    assert found.measured.mean is None
    assert found.difference is None
    assert found.gain is None


def test_failure_is_told_before_other_states():
    runs = {"a": run(training("not run"), training("failed", "why"), training("running"))}
    assert measure(make_results([], runs), "a", "AP").state is State.FAILED


def test_row_without_run_keeps_its_published_gain(results):
    published = cell(results, "Only published")
    assert published.published_gain == pytest.approx(-6.0)
    assert published.gain is None


def test_published_baseline_is_found_in_another_table(results):
    assert cell(results, "Elsewhere", table_id="others").published_gain == pytest.approx(2.0)


def test_published_baseline_of_the_same_table_comes_first():
    first = table("first", row("b", "base", AP=10.0), metrics=["AP"])
    second = table(
        "second", row("b", "base", AP=20.0), row("c", "c", "base", AP=21.0), metrics=["AP"]
    )
    runs = {"base": run(training(AP=1.0)), "c": run(training(AP=2.0))}
    results = make_results([first, second], runs)
    assert cell(results, "c", table_id="second").published_gain == pytest.approx(1.0)


def test_published_gain_needs_both_values(results):
    assert cell(results, "A|B", "params").published_gain is None


def test_unknown_table_is_named_with_those_there_are(results):
    with pytest.raises(KeyError, match=r"nothing.*options, others"):
        results.table("nothing")


@given(a=VALUES, b=VALUES)
def test_statistics_agree_with_numpy(a, b):
    runs = {
        "a": run(*(training(AP=value) for value in a)),
        "b": run(*(training(AP=value) for value in b)),
    }
    results = make_results([table("t", row("a", "a", "b"), metrics=["AP"])], runs)
    found = cell(results, "a", table_id="t")
    close = {"rel": 1e-9, "abs": 1e-9}
    assert found.measured.mean == pytest.approx(np.mean(a), **close)
    assert found.gain == pytest.approx(np.mean(a) - np.mean(b), **close)
    if len(a) < 2:
        assert found.measured.sd is None
    else:
        assert found.measured.sd == pytest.approx(np.std(a, ddof=1), **close)
    if len(set(a)) < 2 or len(set(b)) < 2:
        assert found.gain_sd is None
    else:
        variance = np.var(a, ddof=1) / len(a) + np.var(b, ddof=1) / len(b)
        assert found.gain_sd == pytest.approx(np.sqrt(variance), **close)


def test_seeds_that_agree_do_not_show_that_there_is_no_spread():
    runs = {"a": run(*(training(AP=x, params=3.0) for x in (30.3, 30.2, 30.25)))}
    runs["b"] = run(*(training(AP=30.0, params=2.0) for _ in range(3)))
    found = make_results([table("t", row("a", "a", "b"), metrics=["AP", "params"])], runs)
    assert cell(found, "a", "AP", "t").gain_sd is None
    assert cell(found, "a", "AP", "t").gain == pytest.approx(0.25)
    assert cell(found, "a", "params", "t").gain_sd is None

"""Times of one device are compared with each other, and with no others."""

from tests.reporting.claims import claim
from tests.reporting.conftest import make_results, row, run, table, training
from tsd.experiments.claims_schema import Claim
from tsd.reporting.cells import fill, measure
from tsd.reporting.comparability import runtime_remarks
from tsd.reporting.table_view import not_timed
from tsd.reporting.verdicts import Outcome, judge
from tsd.results.collected import State
from tsd.results.records import LatencyRecord

DEARER = {
    "kind": "ratio",
    "pairs": [{"run": "tsd", "baseline": "base"}],
    "metric": "runtime",
    "direction": "up",
}


def timed(milliseconds, device="a CPU", threads=1):
    """An evaluated training whose runtime was measured."""
    made = training(AP=1.0, runtime=milliseconds)
    times = dict.fromkeys(("median_ms", "p10_ms", "p90_ms"), milliseconds)
    made.latency = LatencyRecord(key="", **times, calls=1, images=1, device=device, threads=threads)
    return made


def results_of(base, tsd):
    rows = (row("base", "base"), row("TSD", "tsd", baseline="base"))
    declared = table("table5", *rows, metrics=("AP", "runtime"))
    results = make_results([declared], {"base": run(*base), "tsd": run(*tsd)})
    results.claims = [Claim.model_validate(claim(DEARER))]
    return results


ALIKE = results_of([timed(10.0), timed(10.1), timed(10.2)], [timed(15.0), timed(15.1), timed(15.3)])
SLOW = [timed(t, device="a slower CPU") for t in (15.0, 15.1, 15.3)]
APART = results_of([timed(10.0), timed(10.1), timed(10.2), timed(10.1)], SLOW)


def judged(results):
    (verdict,) = judge(results)
    return verdict


def test_times_of_one_device_are_compared_and_the_device_is_named():
    assert judged(ALIKE).outcome is Outcome.HOLDS
    (text,) = runtime_remarks(ALIKE, ALIKE.tables[0])
    assert text == "Runtimes were measured on a CPU, 1 thread."


def test_times_of_another_device_decide_nothing():
    assert measure(APART, "tsd", "runtime").state is State.NOT_MEASURED
    assert measure(APART, "tsd", "AP").state is State.EVALUATED
    (evidence,) = judged(APART).evidence
    assert evidence.measured is None
    assert judged(APART).outcome is Outcome.NO_RESULTS
    *_, cell = fill(APART, APART.tables[0])[1].cells
    assert cell.measured.mean is None
    assert cell.gain is None


def test_what_is_left_out_is_named_with_the_remedy():
    (text,) = runtime_remarks(APART, APART.tables[0])
    assert "tsd with seed 0 (a slower CPU, 1 thread)" in text
    assert "delete the file latency.json" in text
    assert not_timed(APART, APART.tables[0], fill(APART, APART.tables[0])) == []


def test_another_number_of_threads_is_another_device():
    seeds = [timed(10.0), timed(10.1), timed(5.0, threads=2)]
    found = measure(results_of(seeds, [timed(15.0)]), "base", "runtime")
    assert found.values == {0: 10.0, 1: 10.1}
    assert found.state is State.PARTIAL


def test_a_table_without_runtimes_says_nothing_of_them():
    assert runtime_remarks(ALIKE, table("other", row("base", "base"))) == []

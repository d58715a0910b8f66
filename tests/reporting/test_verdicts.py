import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.reporting.conftest import NASTY, row, run, table, training
from tsd.experiments.claims_schema import load_claims, load_inconsistencies
from tsd.experiments.load import load_experiments
from tsd.experiments.metrics import METRICS
from tsd.reporting import page
from tsd.reporting.paper_numbers import disagreements, paper_number
from tsd.reporting.verdict_texts import SYMBOLS, expectation, measured_text, published_text
from tsd.reporting.verdicts import Outcome, Range, half_width, judge

DECLARED = Path("experiments")
SAMPLE = st.lists(st.integers(10, 1000).map(lambda n: n / 10), min_size=2, max_size=6)
ABOUT = {
    "AP": {"title": "AP", "unit": "%", "decimals": 1, "higher_is_better": True},
    "AP50": {"title": "AP.5", "unit": "%", "decimals": 1, "higher_is_better": True},
    "runtime": {"title": "runtime", "unit": "ms", "decimals": 1, "higher_is_better": False},
    "params": {"title": "#param", "unit": "M", "decimals": 1, "higher_is_better": None},
}


def results(runs, is_paper=False, tables=(), figures=()):
    return {
        "scale": {"id": "mini", "title": "minutes", "is_paper": is_paper},
        "metrics": ABOUT,
        "tables": list(tables),
        "figures": list(figures),
        "runs": runs,
    }


def measured(metric="AP", **values):
    """Runs with the given values of a metric over seeds."""
    return {n: run(*(training(**{metric: v}) for v in vs)) for n, vs in values.items()}


def claim(test, **changes):
    entry = {"id": "one", "quote": "q", "source": "Section 1", "statement": "s", "test": test}
    return {**entry, **changes}


def pairs(*names):
    return [dict(zip(("run", "baseline"), name.split("/"), strict=True)) for name in names]


def gain(*names, metrics=("AP",), **expected):
    return {"kind": "gain", "pairs": pairs(*names), "metrics": list(metrics), **expected}


def verdict(found, test, **changes):
    (only,) = judge(found, [claim(test, **changes)])
    return only


UP = gain("a/b", direction="up")


@pytest.mark.parametrize(
    ("a", "b", "outcome"),
    [
        ([33.0, 33.2, 33.1], [30.0, 30.2, 30.1], Outcome.HOLDS),
        ([30.0, 30.2, 30.1], [33.0, 33.2, 33.1], Outcome.DOES_NOT),
        ([30.0, 33.0, 31.0], [30.1, 31.0, 32.0], Outcome.UNDECIDED),
        ([33.0], [30.0], Outcome.UNDECIDED),
        ([33.0, 33.1], [30.0], Outcome.UNDECIDED),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], Outcome.UNDECIDED),
        ([], [30.0, 30.1], Outcome.NOT_RUN),
    ],
)
def test_a_direction_is_judged_by_the_interval(a, b, outcome):
    assert verdict(results(measured(a=a, b=b)), UP).outcome is outcome


def test_a_single_seed_shows_its_number_and_says_that_the_spread_is_unknown():
    found = verdict(results(measured(a=[33.0], b=[30.0])), UP)
    assert measured_text(found.evidence[0]) == "+3.0, 1 seed each"
    assert "Spread unknown in 1 of 1" in found.remarks[-1]


def test_a_run_that_was_not_collected_is_not_run():
    assert verdict(results(measured(b=[30.0, 30.1])), UP).outcome is Outcome.NOT_RUN


def test_a_run_that_the_scale_does_not_have_is_named():
    runs = measured(a=[], b=[30.0, 30.1])
    runs["a"]["at_scale"] = False
    found = verdict(results(runs), UP)
    assert found.outcome is Outcome.NOT_RUN
    assert "Not at this scale: a." in found.remarks


THREE = gain("a/b", direction="up", size={"about": 3, "within": 0.5})


@pytest.mark.parametrize(
    ("a", "is_paper", "outcome"),
    [
        ([33.0, 33.1, 32.9], True, Outcome.HOLDS),
        ([31.0, 31.1, 30.9], True, Outcome.DOES_NOT),
        ([31.0, 31.1, 30.9], False, Outcome.HOLDS),
        ([29.0, 29.1, 28.9], False, Outcome.DOES_NOT),
    ],
)
def test_a_size_counts_at_the_papers_scale_only(a, is_paper, outcome):
    found = verdict(results(measured(a=a, b=[30.0, 30.1, 29.9]), is_paper), THREE)
    assert found.outcome is outcome
    assert ("Direction only at this scale." in found.remarks) != is_paper


def test_hardly_any_difference_is_a_finding_at_the_papers_scale_and_none_elsewhere():
    same = gain("a/b", size={"about": 0, "within": 0.5})
    runs = measured(a=[30.0, 30.1, 29.9], b=[30.0, 30.1, 30.0])
    assert verdict(results(runs, is_paper=True), same).outcome is Outcome.HOLDS
    elsewhere = verdict(results(runs), same)
    assert elsewhere.outcome is Outcome.UNDECIDED
    assert "Only the paper’s scale can decide it." in elsewhere.remarks


def test_noise_does_not_pass_for_hardly_any_difference():
    same = gain("a/b", size={"about": 0, "within": 0.5})
    runs = measured(a=[28.0, 32.0, 30.0], b=[30.0, 27.0, 33.0])
    assert verdict(results(runs, is_paper=True), same).outcome is Outcome.UNDECIDED


EACH = gain("a/b", "c/b", direction="up")
BASE, BETTER, WORSE = [30.0, 30.1, 29.9], [33.0, 33.1, 32.9], [27.0, 27.1, 26.9]


@pytest.mark.parametrize(
    ("a", "c", "outcome"),
    [
        (BETTER, BETTER, Outcome.HOLDS),
        (BETTER, WORSE, Outcome.DOES_NOT),
        (BETTER, [29.0, 31.0, 30.5], Outcome.UNDECIDED),
        (BETTER, [], Outcome.PARTLY_RUN),
        (WORSE, [], Outcome.DOES_NOT),
        ([], [], Outcome.NOT_RUN),
    ],
)
def test_a_claim_of_several_comparisons_needs_all_of_them(a, c, outcome):
    found = verdict(results(measured(a=a, b=BASE, c=c)), EACH)
    assert found.outcome is outcome


def test_of_many_comparisons_one_has_to_be_clearer_to_refute():
    runs = measured(b=[30.0, 30.2, 30.4], a=[29.4, 29.6, 29.8])
    alone = verdict(results(runs), UP)
    assert alone.outcome is Outcome.DOES_NOT
    many = verdict(results(runs), gain(*["a/b"] * 10, direction="up"))
    assert many.outcome is Outcome.UNDECIDED


def test_parameters_need_no_second_training():
    test = {"kind": "ratio", "pairs": pairs("a/b"), "metric": "params", "size": {"at_most": 1.1}}
    runs = measured("params", a=[44.0], b=[40.0])
    found = verdict(results(runs, is_paper=True), test)
    assert found.outcome is Outcome.HOLDS
    assert measured_text(found.evidence[0]) == "1.10"
    fewer = gain("a/b", metrics=["params"], direction="down")
    assert verdict(results(runs), fewer).outcome is Outcome.DOES_NOT


def test_a_ratio_is_of_geometric_means():
    test = {"kind": "ratio", "pairs": pairs("a/b"), "metric": "runtime", "direction": "up"}
    runs = measured("runtime", a=[110.0, 112.0, 111.0], b=[100.0, 100.5, 99.5])
    found = verdict(results(runs), test)
    assert found.outcome is Outcome.HOLDS
    expected = stats.gmean([110.0, 112.0, 111.0]) / stats.gmean([100.0, 100.5, 99.5])
    assert found.evidence[0].measured.value == pytest.approx(expected)


def test_a_larger_gain_is_compared_within_each_training():
    """AP.5 gains 2 more than AP in each seed, though both scatter by tens over seeds."""
    runs = {
        "a": run(
            *(training(AP=x + 1, AP50=x + 13 + e) for x, e in ((10, 0.1), (30, 0), (50, 0.1)))
        ),
        "b": run(*(training(AP=x, AP50=x + 10 + e) for x, e in ((20, 0), (40, 0.1), (0, 0.1)))),
    }
    test = {"kind": "larger_gain", "pairs": pairs("a/b"), "quantities": [["AP50"]], "than": ["AP"]}
    found = verdict(results(runs), test)
    assert found.outcome is Outcome.HOLDS
    assert found.evidence[0].measured.value == pytest.approx(2.0)


def with_grid(*rows):
    """A run whose AP at IoU 0.5, 0.6 and 0.7 is as given for each seed."""
    grids = [{"iou": [0.5, 0.6, 0.7], "area": ["small", "all"]} for _ in rows]
    return run(
        *(
            {**training(AP=1.0), "grid": {**grid, "AP": [[None, value] for value in values]}}
            for grid, values in zip(grids, rows, strict=True)
        )
    )


@pytest.mark.parametrize(
    ("rows", "outcome"),
    [
        ([[51.0, 43.0, 25.0], [51.1, 43.2, 25.1]], Outcome.HOLDS),
        ([[51.0, 43.0, 20.0], [51.1, 43.2, 20.1]], Outcome.DOES_NOT),
        ([[51.0, 43.0, None], [51.1, 43.2, None]], Outcome.PARTLY_RUN),
    ],
)
def test_a_growing_gain_grows_at_every_step(rows, outcome):
    runs = {"a": with_grid(*rows), "b": with_grid([50.0, 40.0, 20.0], [50.1, 40.0, 20.1])}
    test = {"kind": "increasing", "pairs": pairs("a/b"), "iou": [0.5, 0.6, 0.7]}
    assert verdict(results(runs), test).outcome is outcome


PUBLISHED = table("table1", row("b", "b", AP=36.1), row("a", "a", "b", AP=38.2), metrics=["AP"])


def test_the_papers_numbers_are_put_to_the_same_test():
    found = results({}, tables=[PUBLISHED])
    held = verdict(found, gain("a/b", direction="up", size={"about": 2, "within": 0.5}))
    assert (held.outcome, held.paper) == (Outcome.NOT_RUN, Outcome.HOLDS)
    assert published_text(held.evidence[0]) == "+2.1"
    assert verdict(found, THREE).paper is Outcome.DOES_NOT
    assert verdict(found, gain("a/b", "c/b", direction="up")).paper is Outcome.PARTLY_RUN
    assert verdict(found, gain("c/b", direction="up")).paper is Outcome.NOT_RUN


def test_a_number_of_the_prose_comes_before_tables_and_other_sources_do_not_count():
    other = table("table_authors", row("b", "b", AP=10.0), metrics=["AP"])
    found = results({}, tables=[other, PUBLISHED])
    assert verdict(found, UP).evidence[0].published == pytest.approx(2.1)
    told = verdict(found, UP, published={"a": {"AP": 40.1}})
    assert told.evidence[0].published == pytest.approx(4.0)


def test_a_size_around_what_the_tables_print():
    near = gain("a/b", direction="up", size={"within": 0.5})
    runs = measured(a=[32.0, 32.1, 31.9], b=BASE)
    assert verdict(results(runs, True, [PUBLISHED]), near).outcome is Outcome.HOLDS
    runs = measured(a=[33.0, 33.1, 32.9], b=BASE)
    assert verdict(results(runs, True, [PUBLISHED]), near).outcome is Outcome.DOES_NOT


@pytest.mark.parametrize(
    ("where", "values", "outcome"),
    [
        ({}, [49.0, 49.1, 48.9], Outcome.DOES_NOT),
        ({"backbone": ["ResNet"]}, [49.0, 49.1, 48.9], Outcome.HOLDS),
    ],
)
def test_rivals_are_the_others_of_the_kind_asked_for(where, values, outcome):
    others = table(
        "table8",
        row("A", attributes={"backbone": "ResNet"}, AP=48.0),
        row("B", attributes={"backbone": "Other"}, AP=50.0),
        row("Ours", "a", attributes={"backbone": "ResNet"}, AP=60.0),
        row("Unknown", attributes={"backbone": "ResNet"}, AP=None),
        metrics=["AP"],
        attributes=["backbone"],
    )
    test = {"kind": "above_published", "run": "a", "metric": "AP", "table": "table8"}
    test |= {"ours": ["a"], "where": where}
    runs = measured(a=values)
    assert verdict(results(runs, True, [others]), test).outcome is outcome
    assert verdict(results(runs, False, [others]), test).outcome is Outcome.UNDECIDED


def test_a_level_is_around_what_is_printed():
    test = {"kind": "level", "runs": ["a"], "metric": "AP", "size": {"within": 0.5}}
    runs = measured(a=[38.3, 38.1, 38.2])
    found = verdict(results(runs, True, [PUBLISHED]), test)
    assert found.outcome is Outcome.HOLDS
    assert expectation(found) == "37.7 to 38.7 %"
    assert measured_text(found.evidence[0]).endswith("3 seeds")


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ({"direction": "up"}, "above 0 %"),
        ({"direction": "down"}, "below 0 %"),
        (
            {"direction": "up", "size": {"at_least": 3}},
            "above 0 here, at least +3 % at the paper’s",
        ),
        ({"size": {"about": 0, "within": 0.5}}, "−0.5 to +0.5 % at the paper’s scale"),
    ],
)
def test_what_is_expected_is_written_out(expected, text):
    assert expectation(verdict(results({}), gain("a/b", **expected))).startswith(text)


@pytest.mark.filterwarnings("ignore:Precision loss")
@given(a=SAMPLE, b=SAMPLE)
def test_intervals_are_welchs(a, b):
    half = half_width([a, b], 0.05)
    if len(set(a)) == 1 and len(set(b)) == 1:
        assert half is None
        return
    theirs = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert 2 * half == pytest.approx(theirs.high - theirs.low, rel=1e-5, abs=1e-9)


@given(a=SAMPLE)
def test_the_interval_of_one_mean_is_students(a):
    half = half_width([a], 0.05)
    if half is not None:
        assert half == pytest.approx(
            stats.sem(a) * stats.t.ppf(0.975, len(a) - 1), rel=1e-6, abs=1e-12
        )


@given(a=SAMPLE, b=SAMPLE)
def test_a_claim_and_its_contrary_never_both_hold(a, b):
    found = results(measured(a=a, b=b))
    up = verdict(found, UP).outcome
    down = verdict(found, gain("a/b", direction="down")).outcome
    contrary = {Outcome.HOLDS: Outcome.DOES_NOT, Outcome.DOES_NOT: Outcome.HOLDS}
    assert down is contrary.get(up, Outcome.UNDECIDED)
    assert verdict(found, gain("b/a", direction="up")).outcome is down


@given(a=SAMPLE, b=SAMPLE, shift=st.floats(-50, 50))
def test_a_verdict_does_not_depend_on_where_the_metric_starts(a, b, shift):
    moved = measured(a=[x + shift for x in a], b=[x + shift for x in b])
    first, second = (
        verdict(results(runs), UP).evidence[0].measured.value
        for runs in (measured(a=a, b=b), moved)
    )
    assert first == pytest.approx(second, abs=1e-9)


BOUND = st.floats(-10, 10)


@given(low=BOUND, high=BOUND, ends=st.tuples(BOUND, BOUND), without_ends=st.booleans())
def test_an_interval_is_never_both_inside_and_outside(low, high, ends, without_ends):
    where = Range(min(low, high), max(low, high), without_ends)
    lower, upper = sorted(ends)
    assert not (where.contains(lower, upper) and where.misses(lower, upper))
    if lower == upper and where.low < where.high:
        assert where.contains(lower, upper) or where.misses(lower, upper)


@pytest.fixture(scope="module")
def declared():
    """The declared claims and inconsistencies as they are collected, with nothing run."""
    experiments = load_experiments(DECLARED)
    tables, figures = experiments.tables, experiments.figures
    claims = load_claims(DECLARED / "claims.yaml", experiments.runs, METRICS, tables)
    found = load_inconsistencies(DECLARED / "inconsistencies.yaml", tables, figures)
    content = {
        **results({}),
        "metrics": {name: vars(metric) for name, metric in METRICS.items()},
        "tables": [table.model_dump() for table in tables.values()],
        "figures": [figure.model_dump() for figure in figures.values()],
        "claims": [claim.model_dump() for claim in claims.values()],
        "inconsistencies": [entry.model_dump() for entry in found.values()],
    }
    return json.loads(json.dumps(content))


def test_every_declared_claim_is_judged(declared):
    judged = judge(declared, declared["claims"])
    assert {v.outcome for v in judged} == {Outcome.NOT_RUN}
    assert len(judged) == len(declared["claims"])
    assert all(v.evidence and expectation(v) for v in judged)


def test_what_the_paper_claims_of_its_tables_follows_from_them_or_is_listed(declared):
    """A claim that the paper's own numbers refute is among the inconsistencies."""
    refuted = {
        v.claim.id for v in judge(declared, declared["claims"]) if v.paper is Outcome.DOES_NOT
    }
    text = json.dumps(declared["inconsistencies"])
    assert refuted
    assert not {name for name in refuted if name not in text}


def test_numbers_that_are_said_to_disagree_do(declared):
    """Recomputed from the published values of the tables and figures."""
    recomputed = 0
    for found in disagreements(declared, declared["inconsistencies"]):
        entry = found.inconsistency
        here = paper_number(declared, entry.here)
        for number, (_, text) in zip(entry.there, found.there, strict=True):
            there = paper_number(declared, number)
            if here is None or there is None:
                assert text != found.here[1], entry.id
                continue
            assert here[1] < there[0] or there[1] < here[0], (entry.id, number.where)
            recomputed += 1
            assert all(map(math.isfinite, there))
    assert recomputed >= 15


def test_an_inconsistency_is_written_with_the_numbers_of_the_tables():
    entry = {
        "id": "one",
        "what": "w",
        "unit": "AP",
        "here": {"where": "Section 1", "words": "∼4%", "printed": [3.5, 4.5]},
        "there": [
            {"where": "Table 1", "table": "table1", "run": "a", "baseline": "b", "metric": "AP"},
            {"where": "Figure 6", "figure": "figure6", "run": "b", "position": 1},
        ],
        "handling": "h",
    }
    series = [{"label": "b", "run": "b", "points": {}, "published": [58.1, 53.0]}]
    figure = {"id": "figure6", "kind": "iou", "series": series}
    (found,) = disagreements(results({}, tables=[PUBLISHED], figures=[figure]), [entry])
    assert found.here == ("Section 1", "“∼4%”")
    assert found.there == [("Table 1", "+2.1 AP"), ("Figure 6", "53.0 AP")]


def rendered(suffix, found, *claims):
    environment = page._environment()
    content = {"results": found, "judged": judge(found, claims), "differing": []}
    return environment.get_template(f"claims.{suffix}.j2").render(content)


@pytest.mark.parametrize("suffix", ["html", "md"])
def test_a_section_says_the_verdict_in_words_and_by_a_sign(suffix):
    found = results(measured(a=BETTER, b=BASE, c=[30.0]))
    text = rendered(
        suffix,
        found,
        claim(UP),
        claim(gain("b/a", direction="up")),
        claim(gain("c/b", size={"about": 0, "within": 1})),
    )
    for outcome in (Outcome.HOLDS, Outcome.DOES_NOT, Outcome.UNDECIDED):
        assert outcome in text.lower()
        assert SYMBOLS[outcome] in text
    assert "+3.0 (95%: " in text
    assert "1 does not" in text


def test_the_page_escapes_and_links_only_to_runs_that_have_a_card():
    text = rendered("html", results(measured(a=BETTER)), claim(UP, statement=NASTY, note=NASTY))
    assert "<script>" not in text
    assert 'href="#run-a"' in text
    assert "#run-b" not in text

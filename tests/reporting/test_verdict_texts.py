from pathlib import Path

import pytest

from tests.reporting.claims import BASE, BETTER, UP, claim, gain, measured, pairs, results, verdict
from tests.reporting.conftest import NASTY, counted, row, table
from tsd.experiments.comparisons import Alone, Difference, Quantity, Quotient
from tsd.experiments.metrics import METRICS
from tsd.reporting import page, verdict_texts
from tsd.reporting.verdict_texts import (
    SYMBOLS,
    expectation,
    groups,
    measured_text,
    networks_behind,
    published_text,
    remarks,
    statement,
    tally,
    title,
)
from tsd.reporting.verdicts import Outcome, judge

PUBLISHED = table(
    "table1",
    row("b", "b", AP=36.1, AP50=58.0),
    row("a", "a", "b", AP=38.2, AP50=60.5),
    metrics=["AP", "AP50"],
)
SAME = gain("a/b", size={"about": 0, "within": 0.5})
RATIO = {"kind": "ratio", "pairs": pairs("a/b"), "metric": "params", "size": {"at_most": 1.1}}
LEVEL = {"kind": "level", "runs": ["a"], "metric": "AP", "size": {"within": 0.5}}


@pytest.mark.parametrize(
    ("comparison", "text"),
    [
        (Difference("a", Quantity(("AP",)), "b"), "a − b: AP (%)"),
        (Alone("a", Quantity(("AP60",))), "a: AP.6 (%)"),
        (Quotient("a", Quantity(("params",)), "b"), "a / b: #param"),
        (
            Difference("a", Quantity(("APm50", "APm55", "APm60"), ("APs50",)), "b"),
            "a − b: mean of AP medium .5 to AP medium .6 less AP small .5 (%)",
        ),
    ],
)
def test_a_comparison_is_named_by_its_runs_and_its_quantity(comparison, text):
    assert title(comparison, METRICS) == text


@pytest.mark.parametrize(
    ("metric", "values", "test", "text"),
    [
        ("AP", {"a": [33.0], "b": [30.0]}, UP, "+3.0, 1 seed each"),
        ("AP", {"a": [33.0], "b": [30.0, 30.0]}, UP, "+3.0, 1 and 2 seeds"),
        (
            "AP",
            {"a": [33.0, 34.0], "b": [30.0, 32.0]},
            UP,
            "+2.5 (95%: −4.4 to +9.4), 2 seeds each",
        ),
        ("AP", {"a": [33.0, 34.0], "b": [30.0, 30.0]}, UP, "+3.5, 2 seeds each"),
        ("AP", {"a": [38.3, 38.1, 38.2]}, LEVEL, "38.2 (95%: 38.0 to 38.4), 3 seeds"),
        ("params", {"a": [44.0], "b": [40.0]}, RATIO, "1.10"),
        ("AP", {"b": [30.0]}, UP, "no results"),
    ],
)
def test_a_measured_number_comes_with_its_interval_and_seeds(metric, values, test, text):
    found = verdict(results(measured(metric, **values)), test)
    assert measured_text(found.evidence[0], METRICS) == text


def test_the_papers_number_is_written_as_the_measured_one():
    found = results({}, tables=[PUBLISHED])
    assert published_text(verdict(found, UP).evidence[0], METRICS) == "+2.1"
    assert published_text(verdict(found, LEVEL).evidence[0], METRICS) == "38.2"
    assert published_text(verdict(results({}), UP).evidence[0], METRICS) == "—"


@pytest.mark.parametrize(
    ("test", "text"),
    [
        (UP, "The number should be above 0 %."),
        (gain("a/b", direction="down"), "The number should be below 0 %."),
        (gain("a/b", "c/b", direction="up"), "Each number should be above 0 %."),
        (
            gain("a/b", direction="up", size={"at_least": 3}),
            "Here the number should be above 0 %; "
            "under the paper’s conditions the number should be at least +3 %.",
        ),
        (SAME, "Under the paper’s conditions the number should be from −0.5 to +0.5 %."),
        (RATIO, "Under the paper’s conditions the number should be at most 1.1."),
        (LEVEL, "Under the paper’s conditions the number should be from 37.7 to 38.7 %."),
        (
            {**LEVEL, "runs": ["nobody"]},
            "Under the paper’s conditions the number should be near one that the paper does not "
            "print.",
        ),
        (
            gain("a/b", metrics=["AP", "AP50"], size={"within": 0.5}),
            "Under the paper’s conditions the numbers should be "
            "from +1.6 to +2.6 % and from +2 to +3 %, in this order.",
        ),
    ],
)
def test_what_is_expected_is_written_as_a_sentence(test, text):
    assert expectation(verdict(results({}, tables=[PUBLISHED]), test), METRICS) == text


def test_at_the_papers_scale_only_its_own_expectation_is_told():
    test = gain("a/b", direction="up", size={"at_least": 3})
    found = verdict(results({}, is_paper=True), test)
    assert expectation(found, METRICS) == "The number should be at least +3 %."


def said(found, test):
    return remarks(verdict(found, test), found)


def test_an_unknown_spread_is_told():
    assert said(results(measured(a=[33.0], b=[30.0])), UP) == [
        "The spread over seeds is unknown in 1 of 1 comparisons, because a run has fewer than two "
        "different values, and too few runs (fewer than 4) have a spread to go by."
    ]


@pytest.mark.parametrize(
    ("absent", "text"),
    [
        ("a", "This scale does not have the run a."),
        ("ab", "This scale does not have the runs b and a."),
        ("abc", "This scale does not have the runs b, a and c."),
    ],
)
def test_a_run_that_the_scale_does_not_have_is_named(absent, text):
    runs = measured(a=[], b=[], c=[])
    for name in absent:
        runs[name].at_scale = False
    assert said(results(runs), gain("a/b", "c/b", direction="up")) == [text]


def test_a_run_that_cannot_be_made_is_named():
    runs = measured(a=[], b=[])
    runs["a"].mistake = "no such path"
    assert said(results(runs), gain("a/b", direction="up")) == ["The run a cannot be made."]


def test_comparisons_without_results_are_counted():
    found = results(measured(a=BETTER, b=BASE))
    assert said(found, gain("a/b", "c/b", direction="up")) == [
        "There are results for 1 of 2 comparisons."
    ]


@pytest.mark.parametrize(
    ("is_paper", "test", "texts"),
    [
        (False, SAME, ["Only the paper’s conditions can decide this claim."]),
        (True, SAME, []),
        (False, {**SAME, "direction": "up"}, ["Only its direction is judged here."]),
        (True, {**SAME, "direction": "up"}, []),
    ],
)
def test_what_only_the_papers_scale_can_decide_is_told(is_paper, test, texts):
    assert said(results(measured(a=BETTER, b=BASE), is_paper), test) == texts


def on_other_data(runs, about_others=False):
    for one in runs.values():
        one.is_on_papers_data = False
        one.is_about_these_data = not about_others
    return runs


def test_a_statement_names_the_data_at_hand():
    found = results(measured(a=BETTER, b=BASE))
    assert statement(verdict(found, UP), found) == "On “Digits”: s"
    empty = results({})
    assert statement(verdict(empty, UP), empty) == "s"


def test_on_other_data_the_papers_are_named_beside_the_evidence():
    found = results(on_other_data(measured(a=BETTER, b=BASE)))
    assert statement(verdict(found, UP), found) == "On “Digits”: s"
    assert said(found, UP) == ["The paper’s sentence is about “COCO 2017”."]
    nothing = results(on_other_data(measured(a=[], b=[])))
    assert said(nothing, UP) == []


def test_a_claim_about_other_data_is_not_decided_and_says_so():
    found = results(on_other_data(measured(a=BETTER, b=BASE), about_others=True))
    assert verdict(found, UP).outcome is Outcome.NO_RESULTS
    assert statement(verdict(found, UP), found) == "On “COCO 2017”: s"
    assert said(found, UP) == [
        "The paper’s sentence is about “COCO 2017”, so that trainings on “Digits” do not decide it."
    ]


def test_the_networks_of_measured_numbers_are_named():
    runs = measured(a=BETTER, b=BASE, c=[])
    runs["c"].network = "MobileNetV2"
    found = results(runs)
    text = networks_behind(verdict(found, gain("a/b", "c/b", direction="up")), found)
    assert text == "The network of every run is ResNet-18, FPN-48, 160 px."
    assert networks_behind(verdict(found, gain("c/b", direction="up")), found) == ""


def test_repeated_evidence_says_what_it_repeats_and_is_not_counted():
    runs = measured(a=BETTER, b=BASE, c=BETTER)
    runs["c"].digest = runs["a"].digest
    found = verdict(results(runs), gain("a/b", "c/b", direction="up"))
    text = measured_text(found.evidence[1], METRICS)
    assert text == "the same trainings as a − b, which count once"
    assert not any("comparisons" in text for text in remarks(found, results(runs)))


@pytest.mark.parametrize(("objects", "warned"), [(29, True), (30, False)])
def test_numbers_of_few_objects_come_with_a_warning(objects, warned):
    found = results(measured(a=BETTER, b=BASE))
    found.data["embedded"].check = counted(found.dataset, {"one": objects})
    assert any("Fewer than 30 objects" in text for text in said(found, UP)) == warned


def test_claims_are_grouped_by_what_came_of_them():
    runs = measured(a=BETTER, b=BASE)
    judged = judge(results(runs, claims=[claim(gain("x/b", direction="up")), claim(UP)]))
    assert groups(judged) == {Outcome.HOLDS: [judged[1]], Outcome.NO_RESULTS: [judged[0]]}
    assert list(groups(judged)) == [Outcome.HOLDS, Outcome.NO_RESULTS]


def test_claims_are_counted_in_a_sentence():
    runs = measured(a=BETTER, b=BASE)
    up, down = claim(UP), claim(gain("b/a", direction="up"))
    assert tally(judge(results(runs, claims=[up]))) == "Of 1 claim, 1 holds."
    counted = tally(judge(results(runs, claims=[down, up, up, claim(SAME)])))
    assert counted == "Of 4 claims, 2 hold, 1 does not hold and 1 is undecided."


def test_every_outcome_has_its_words():
    for words in (SYMBOLS, verdict_texts.LEGEND, verdict_texts.COUNTED):
        assert set(words) == set(Outcome)


def rendered(suffix, found):
    environment = page._environment()
    content = {"results": found, "judged": judge(found), "differing": []}
    return environment.get_template(f"claims.{suffix}.j2").render(content)


@pytest.mark.parametrize("suffix", ["html", "md"])
def test_a_section_says_the_verdict_in_words_and_by_a_sign(suffix):
    claims = [
        claim(UP),
        claim(gain("b/a", direction="up")),
        claim(gain("c/b", size={"about": 0, "within": 1})),
    ]
    text = rendered(suffix, results(measured(a=BETTER, b=BASE, c=[30.0]), claims=claims))
    for outcome in (Outcome.HOLDS, Outcome.DOES_NOT, Outcome.UNDECIDED):
        assert outcome in text.lower()
        assert SYMBOLS[outcome] in text
        assert verdict_texts.LEGEND[outcome] in text
    assert verdict_texts.LEGEND[Outcome.PARTIAL_RESULTS] not in text
    assert "+3.0 (95%: " in text
    assert "Of 3 claims, 1 holds, 1 does not hold and 1 is undecided." in text


def test_the_page_escapes_and_links_only_to_runs_that_have_a_card():
    claims = [claim(UP, statement=NASTY, note=NASTY)]
    text = rendered("html", results(measured(a=BETTER), claims=claims))
    assert "<script>" not in text
    assert 'href="#run-a"' in text
    assert "#run-b" not in text


def test_each_verdict_has_a_style():
    styles = Path(page.__file__).with_name("templates").joinpath("report.css").read_text()
    for outcome in Outcome:
        assert f".verdict.{outcome.name.lower().replace('_', '-')}" in styles

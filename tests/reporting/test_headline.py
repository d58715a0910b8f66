"""A headline says what was measured, in one sentence, and finds its place in the README."""

from pathlib import Path

import pytest

from tests.reporting.claims import gain
from tests.reporting.conftest import make_results, row, run, table, training
from tsd.experiments.claims_schema import Claim, load_claims
from tsd.experiments.load import load_experiments
from tsd.reporting.headline import begin, headline, names_in, read_headline, with_headline

OTHER_GAIN = {
    "id": "a_claim",
    "quote": "It helps.",
    "source": "Abstract",
    "statement": "It raises AP.",
    "test": {
        "kind": "gain",
        "pairs": [{"run": "second", "baseline": "base"}],
        "metrics": ["AP"],
        "direction": "up",
    },
}


def measured(*values):
    return run(*(training(AP=value) for value in values))


def results_of(first=(31.0, 31.4), second=(29.0, 29.4), is_paper=False):
    rows = [
        row("Baseline", "base", AP=36.0),
        row("A*first", "first", "base", AP=38.0),
        row("Second", "second", "base", AP=39.0),
    ]
    runs = {"base": measured(30.0, 30.4)}
    if first:
        runs["first"] = measured(*first)
    if second:
        runs["second"] = measured(*second)
    return make_results([table("options", *rows, metrics=["AP"])], runs, is_paper)


def test_the_first_claims_gain_leads():
    results = results_of()
    assert r"A\*first (`first`) differs from `base` by +1.0 AP" in headline(results)
    results.claims = [Claim.model_validate(OTHER_GAIN)]
    said = headline(results)
    assert "Second (`second`) differs from `base` by −1.0 AP (standard error 0.3)" in said
    assert "the paper prints +3.0" in said
    assert "; of 2 measured gains none is beyond the noise (" in said
    assert said.endswith("(6 trainings, 2 seeds per run; of 1 claim 0 hold and 0 do not).")


def test_of_the_claims_the_first_one_with_a_measured_gain_leads_with_its_own_number():
    """Its pair stands in no table, and neither the claims before it nor the rows lead instead."""
    results = results_of()
    tests = [
        gain("absent/base", direction="up"),
        gain("first/base", metrics=["AP50"], direction="up"),
        gain("first/absent", "first/second", direction="up"),
        gain("first/base", direction="up"),
    ]
    results.claims = [
        Claim.model_validate({**OTHER_GAIN, "id": f"claim{number}", "test": test})
        for number, test in enumerate(tests)
    ]
    said = headline(results)
    assert r"A\*first (`first`) differs from `second` by +2.0 AP (standard error 0.3)" in said
    assert "for which the paper prints −1.0; of 2 measured gains" in said


def test_a_gain_that_the_paper_does_not_print_leads_too():
    results = results_of()
    results.runs["unprinted"] = measured(35.0, 35.4)
    test = gain("unprinted/base", direction="up")
    results.claims = [Claim.model_validate({**OTHER_GAIN, "test": test})]
    said = headline(results)
    assert "`unprinted` differs from `base` by +5.0 AP (standard error 0.3)" in said
    assert "for which the paper prints no number; " in said


def test_the_headline_of_the_five_runs_of_a_transfer_is_about_tsd():
    """The runs of a report on own data, whose first claim compares a pair that no row has."""
    values = {"r50": 30.0, "d_head": 31.0, "tsd_wo_pc": 33.0, "tsd_joint": 34.0, "tsd_pc": 35.0}
    runs = {name: measured(value, value + 0.4) for name, value in values.items()}
    experiments = load_experiments(Path("experiments"))
    results = make_results(list(experiments.tables.values()), runs)
    results.figures = list(experiments.figures.values())
    claims = load_claims(Path("experiments/claims.yaml"), experiments).values()
    results.claims = [claim for claim in claims if {*claim.runs} <= {*runs}]
    assert results.claims[0].id == "tsd_adds_three"
    said = headline(results)
    assert "ResNet-50 (TSD) (`tsd_joint`) differs from `r50` by +4.0 AP" in said
    assert "for which the paper prints +3.6" in said


def test_a_label_that_goes_on_from_the_row_above_is_no_name():
    rows = [row("Baseline", "base", AP=36.0), row("+ first", "first", "base", AP=38.0)]
    runs = {"base": measured(30.0, 30.4), "first": measured(31.0, 31.4)}
    results = make_results([table("options", *rows, metrics=["AP"])], runs)
    assert ", `first` differs from `base`" in headline(results)


def test_a_gain_that_was_not_measured_does_not_lead():
    results = results_of(second=())
    results.claims = [Claim.model_validate(OTHER_GAIN)]
    assert "(`first`) differs" in headline(results)


@pytest.mark.parametrize("first", [(31.0,), (31.0, 31.0)])
def test_without_a_known_spread_there_is_no_error(first):
    first_leads = {**OTHER_GAIN, "test": gain("first/base", direction="up")}
    for claims in ([], [first_leads]):
        known, unknown = results_of(), results_of(first=first)
        known.claims = unknown.claims = [Claim.model_validate(one) for one in claims]
        assert "standard error" in headline(known)
        assert "standard error" not in headline(unknown)


def test_whether_ap_is_the_papers_is_said():
    assert "whose AP is not the paper’s" in headline(results_of())
    assert "whose AP" not in headline(results_of(is_paper=True))


def test_without_gains_or_trainings_there_is_a_sentence_too():
    assert "no gain was measured" in headline(results_of((), ()))
    results = results_of((), ())
    results.runs = {"base": run(training("failed"))}
    assert headline(results).endswith("no training is evaluated yet.")


@pytest.mark.parametrize("sentence", ["New.", "", r"Back\1slash \g<0>."])
def test_it_goes_between_its_marks_and_nowhere_else(sentence):
    other = f"{begin('other')}Other.<!-- /headline -->"
    text = f"# T\n\n{begin('mini')}Old.\nOld.<!-- /headline -->\n\n{other}\nEnd\n"
    changed = with_headline(text, "mini", sentence)
    assert read_headline(changed, "mini") == sentence
    assert read_headline(changed, "other") == "Other."
    assert changed.replace(sentence, "Old.\nOld.", 1) == text or not sentence
    assert names_in(changed) == ["mini", "other"]


def test_a_new_report_comes_after_the_last_headline():
    text = f"# T\n\n{begin('mini')}Old.<!-- /headline -->\n\nEnd\n"
    changed = with_headline(text, "transfer", "New.")
    assert changed == text.replace(
        "\n\nEnd", f"\n\n{begin('transfer')}New.<!-- /headline -->\n\nEnd"
    )


def test_a_document_without_any_marks_takes_none():
    assert with_headline("# T\n", "mini", "New.") is None
    assert read_headline("# T\n", "mini") is None

"""A headline says what was measured, in one sentence, and finds its place in the README."""

import pytest

from tests.reporting.conftest import make_results, row, run, table, training
from tsd.experiments.claims_schema import Claim
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


def test_a_gain_that_was_not_measured_does_not_lead():
    results = results_of(second=())
    results.claims = [Claim.model_validate(OTHER_GAIN)]
    assert "(`first`) differs" in headline(results)


def test_a_single_seed_has_no_error():
    assert "standard error" in headline(results_of())
    assert "standard error" not in headline(results_of(first=(31.0,)))


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

"""The claims that the first screen names, and what a line says of a claim."""

import pytest

from tests.reporting.claims import BASE, BETTER, UP, WORSE, claim, gain, measured, results
from tests.reporting.conftest import row, table
from tsd.experiments.metrics import METRICS
from tsd.reporting.findings import (
    MOST,
    direction_note,
    limit,
    named,
    papers_value,
    value_text,
)
from tsd.reporting.verdicts import judge

PUBLISHED = table("table1", row("b", "b", AP=36.1), row("a", "a", "b", AP=38.2), metrics=["AP"])


def judged(runs, *claims, **more):
    return judge(results(runs, claims=claims, **more))


def ids(verdicts):
    return [verdict.claim.id for verdict in verdicts]


def test_marked_claims_come_first_and_those_without_results_never():
    claims = [
        claim(UP, id="plain"),
        claim(gain("b/a", direction="up"), id="refuted", headline=True),
        claim(gain("x/b", direction="up"), id="absent", headline=True),
        claim(UP, id="also", headline=True),
    ]
    found = named(judged(measured(a=BETTER, b=BASE), *claims))
    assert ids(found) == ["refuted", "also", "plain"]


@pytest.mark.parametrize("values", [BETTER, WORSE, [30.0, 31.0, 29.0]])
def test_the_choice_is_the_same_whatever_came_of_the_claims(values):
    claims = [claim(UP, id=f"c{number}", headline=number > 3) for number in range(9)]
    found = named(judged(measured(a=values, b=BASE), *claims))
    assert ids(found) == ["c4", "c5", "c6", "c7", "c8"]
    assert len(found) == MOST


def test_a_single_comparison_is_written_with_interval_and_seeds():
    (verdict,) = judged(measured(a=BETTER, b=BASE), claim(UP), tables=[PUBLISHED])
    assert value_text(verdict, METRICS) == "AP +3.0 (95%: +2.8 to +3.2), 3 seeds each"
    assert papers_value(verdict, METRICS) == "+2.1"


def test_several_comparisons_are_counted_and_taken_together():
    test = gain("a/b", "c/b", "x/b", direction="up")
    (verdict,) = judged(measured(a=BETTER, b=BASE, c=WORSE), claim(test))
    text = value_text(verdict, METRICS)
    assert text.startswith("mean over 2 pairs: AP 0.0 (95%: ")
    assert text.endswith("1 of 3 comparisons speak for it, 1 against it, 1 without results")
    assert papers_value(verdict, METRICS) == ""


def test_comparisons_of_different_metrics_are_not_taken_together():
    runs = measured(a=BETTER, b=BASE)
    for one in runs.values():
        for training in one.seeds.values():
            training.metrics["AP75"] = 2 * training.metrics["AP"]
    (verdict,) = judged(runs, claim(gain("a/b", metrics=["AP", "AP75"], direction="up")))
    text = value_text(verdict, METRICS)
    assert text.startswith("2 of 2 comparisons speak for it; the first: AP +3.0 (95%: ")


def test_nothing_is_written_where_nothing_was_measured():
    (verdict,) = judged(measured(b=BASE), claim(UP))
    assert (value_text(verdict, METRICS), limit(verdict)) == ("", "")


@pytest.mark.parametrize(
    ("expected", "is_paper", "text"),
    [
        ({"direction": "up"}, False, ""),
        (
            {"direction": "up", "size": {"about": 9, "within": 1}},
            False,
            "judged by its direction alone; the size that it states was not found",
        ),
        (
            {"direction": "up", "size": {"about": 3, "within": 1}},
            False,
            "judged by its direction alone",
        ),
        ({"direction": "up", "size": {"about": 9, "within": 1}}, True, ""),
        ({"size": {"at_least": 2}}, False, "only the paper’s conditions can decide it"),
    ],
)
def test_a_line_says_what_of_the_sentence_was_not_judged(expected, is_paper, text):
    runs = measured(a=BETTER, b=BASE)
    (verdict,) = judged(runs, claim(gain("a/b", **expected)), is_paper=is_paper)
    assert limit(verdict) == text


def test_claims_that_hold_in_their_direction_alone_are_counted():
    sizes = [{"about": 9, "within": 1}, {"about": 3, "within": 1}]
    claims = [claim(gain("a/b", direction="up", size=size)) for size in sizes]
    found = judged(measured(a=BETTER, b=BASE), claim(UP), *claims)
    assert direction_note(found) == (
        "Of the claims that hold, 2 were judged by their direction alone; in 1 of these all "
        "intervals lie outside of the size that the claim states."
    )
    assert direction_note(found[:1]) == ""
    (one,) = judged(measured(a=BETTER, b=BASE), claims[1])
    assert direction_note([one]) == (
        "Of the claims that hold, 1 was judged by its direction alone."
    )


def test_of_comparisons_without_a_mean_one_that_refutes_is_shown():
    runs = measured(a=BETTER, b=BASE)
    for name, one in runs.items():
        for training in one.seeds.values():
            training.metrics["AP75"] = 30.0 + training.metrics["AP"] * (1 if name == "b" else -1)
    test = gain("a/b", metrics=["AP", "AP75"], direction="up")
    (verdict,) = judged(runs, claim(test))
    assert verdict.outcome == "does not hold"
    assert "against it: AP.75" in value_text(verdict, METRICS)

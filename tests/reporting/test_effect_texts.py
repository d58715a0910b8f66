"""Effects beside verdicts, in words."""

import pytest

from tests.reporting.claims import (
    BASE,
    BETTER,
    UP,
    claim,
    gain,
    measured,
    pairs,
    results,
    verdict,
)
from tests.reporting.test_verdict_texts import rendered
from tsd.experiments.metrics import METRICS
from tsd.reporting.effect_texts import (
    detectable_text,
    effort_text,
    interval_note,
    pooled_text,
)
from tsd.reporting.verdict_texts import measured_text
from tsd.reporting.verdicts import judge
from tsd.reporting.wording import level

UNSURE = {"a": [30.0, 31.0, 32.0], "b": [29.0, 30.0, 31.0]}
OTHERS = {"c": [31.0, 31.6], "d": [32.0, 32.7], "e": [33.0, 33.8], "f": [34.0, 34.6]}
RATIO = {"kind": "ratio", "pairs": pairs("a/b"), "metric": "runtime", "direction": "up"}


@pytest.mark.parametrize(("error", "text"), [(0.05, "95%"), (0.01, "99%"), (0.0294, "97.06%")])
def test_a_level_is_what_an_interval_contains(error, text):
    assert level(error) == text


def test_the_interval_of_a_look_says_its_level():
    made = results(measured(a=BETTER, b=BASE), claims=[claim(UP)])
    (found,) = judge(made, error=0.01)
    assert "(99%: +2." in measured_text(found.evidence[0], METRICS)
    assert "their 99% interval" in interval_note(made, [found]).replace("its", "their")


def test_an_effect_that_can_be_found_is_a_difference_or_a_factor():
    found = verdict(results(measured(**UNSURE)), UP)
    value = found.evidence[0].measured.detectable
    assert detectable_text(found.evidence[0], METRICS) == f"detectable: {value:.1f}"
    runs = measured("runtime", a=[110.0, 112.0], b=[100.0, 101.0])
    text = detectable_text(verdict(results(runs), RATIO).evidence[0], METRICS)
    assert text.startswith("detectable: a factor of 1.")


def test_what_can_be_found_is_not_told_where_it_is_unknown_or_told_already():
    assert detectable_text(verdict(results(measured(b=BASE)), UP).evidence[0], METRICS) == ""
    single = verdict(results(measured(a=[33.0], b=[30.0])), UP)
    assert detectable_text(single.evidence[0], METRICS) == ""
    runs = measured(a=BETTER, b=BASE, c=BETTER)
    runs["c"].digest = runs["a"].digest
    again = verdict(results(runs), gain("a/b", "c/b", direction="up"))
    assert detectable_text(again.evidence[1], METRICS) == ""


def test_an_undecided_claim_says_what_would_decide_it():
    found = verdict(results(measured(**UNSURE)), UP)
    count = found.effort.seeds["a"]
    assert effort_text(found) == (
        f"At the present estimate, {count} seeds each of a and b would show that it holds with a "
        "chance of 80%."
    )
    against = verdict(results(measured(a=UNSURE["b"], b=UNSURE["a"])), UP)
    assert "would refute it" in effort_text(against)


def test_the_hours_of_further_trainings_are_told():
    runs = measured(**UNSURE)
    for one in runs.values():
        for training in one.seeds.values():
            training.train = training.train.model_copy(update={"seconds": 7200.0})
    found = verdict(results(runs), UP)
    hours = sum(2 * (count - 3) for count in found.effort.seeds.values())
    assert effort_text(found).endswith(f", which takes another {hours} core-hours.")


def test_too_many_seeds_are_not_counted():
    near = verdict(results(measured(a=[30.0, 31.0, 32.01], b=[30.0, 31.0, 32.0])), UP)
    assert effort_text(near) == (
        "At the present estimate, more than 20 seeds of a run would be needed to show that it "
        "holds."
    )


def test_an_unknown_spread_asks_for_second_trainings():
    text = effort_text(verdict(results(measured(a=[33.0], b=[30.0])), UP))
    assert text.startswith("How many seeds would decide it can be said when")


@pytest.mark.parametrize(
    ("runs", "test"),
    [
        ({"a": BETTER, "b": BASE}, UP),
        ({"b": BASE}, UP),
        (UNSURE, gain("a/b", size={"about": 0, "within": 0.5})),
    ],
)
def test_what_is_decided_absent_or_not_for_this_scale_says_nothing(runs, test):
    assert effort_text(verdict(results(measured(**runs)), test)) == ""


def test_pairs_are_told_together():
    found = verdict(
        results(measured(a=BETTER, b=BASE, c=[29.0, 29.2], d=[30.0, 30.3])),
        gain("a/b", "c/d", direction="up"),
    )
    text = pooled_text(found, METRICS)
    assert text.startswith("Together, the 2 measured pairs have +1.0 (95%: ")
    assert "In 1 of them the run is above its baseline" in text
    assert "and so it is in 50% of the pairs that its trainings make" in text
    assert text.endswith("This does not change the verdict.")
    assert pooled_text(verdict(results(measured(a=BETTER, b=BASE)), UP), METRICS) == ""


def test_what_the_intervals_rest_on_is_told():
    def note(**runs):
        found = results(measured(**runs), claims=[claim(UP)])
        return interval_note(found, judge(found))

    assert "which are Welch’s" in note(a=BETTER, b=BASE)
    lent = note(a=BETTER, b=BASE, **OTHERS)
    assert lent.endswith("use the spread of all runs that have several seeds.")
    alone = note(a=[33.0], b=[30.0], x=[33.0], **OTHERS)
    assert alone.endswith(
        "That spread is of c, d, e and f. 3 other runs were trained once, and that they scatter as "
        "much is taken for granted."
    )
    assert note(a=[33.0], b=[30.0]).endswith("with a chance of 80%.")
    mixed = results(
        measured(a=BETTER, b=BASE, **OTHERS) | measured("AP50", x=BETTER, y=BASE),
        claims=[claim(UP), claim(gain("x/y", metrics=["AP50"], direction="up"))],
    )
    assert "Of 2 intervals, 1 use" in interval_note(mixed, judge(mixed))


@pytest.mark.parametrize("suffix", ["html", "md"])
def test_the_section_shows_effects_beside_verdicts(suffix):
    runs = measured(**UNSURE, c=[29.0, 31.0, 30.5], d=[30.0, 30.1, 29.0])
    claims = [claim(gain("a/b", "c/d", direction="up"))]
    text = rendered(suffix, results(runs, claims=claims))
    assert text.count("detectable: ") == 2
    assert text.count("At the present estimate") == 1
    assert text.count("Together, the 2 measured pairs") == 1
    assert "95% interval" in text

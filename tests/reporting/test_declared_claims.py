"""The declared claims and inconsistencies, put to the numbers that the paper prints."""

import itertools
import json
import math
import re
from pathlib import Path

import pytest

from tests.reporting.claims import measured, results, verdict
from tests.reporting.conftest import make_results
from tsd.experiments.claims_schema import load_claims
from tsd.experiments.inconsistencies import load_inconsistencies
from tsd.experiments.load import load_experiments
from tsd.experiments.metrics import METRICS
from tsd.reporting.disagreements import disagreements, paper_number
from tsd.reporting.verdict_texts import expectation, title
from tsd.reporting.verdicts import Outcome, judge
from tsd.results.collected import Results

DECLARED = Path("experiments")


@pytest.fixture(scope="module")
def declared():
    """Everything declared, as it is read back after it was collected, with nothing run."""
    experiments = load_experiments(DECLARED)
    claims = load_claims(DECLARED / "claims.yaml", experiments)
    found = load_inconsistencies(DECLARED / "inconsistencies.yaml", experiments)
    results = make_results(list(experiments.tables.values()), {})
    results.figures = list(experiments.figures.values())
    results.claims = list(claims.values())
    results.inconsistencies = list(found.values())
    return Results.model_validate_json(results.model_dump_json())


def test_every_declared_claim_is_judged_and_worded(declared):
    judged = judge(declared)
    assert {v.outcome for v in judged} == {Outcome.NO_RESULTS}
    assert [v.claim for v in judged] == declared.claims
    for v in judged:
        assert expectation(v, declared.metrics).endswith(".")
        assert all(title(e.comparison, declared.metrics) for e in v.evidence)


def test_no_statement_names_a_data_set(declared):
    """The report says on which data a statement was put to the test."""
    experiments = load_experiments(DECLARED)
    names = [dataset.name.split()[0] for dataset in experiments.datasets.values()]
    assert "COCO" in names
    for one in declared.claims:
        assert not re.search(r"\b(COCO|Open ?Images?)\b", one.statement), one.id


def test_the_claim_of_figure_6_is_put_to_the_numbers_of_figure_6(declared):
    (found,) = (v for v in judge(declared) if v.claim.id == "gain_grows_with_iou")
    gains = [61.7 - 58.1, 57.3 - 53.3, 49.9 - 45, 36.8 - 30.8, 15.2 - 8.1]
    steps = [later - earlier for earlier, later in itertools.pairwise(gains)]
    assert [e.published for e in found.evidence] == pytest.approx([*steps, gains[0]])
    assert found.paper is Outcome.HOLDS


def test_what_the_paper_claims_of_its_tables_follows_from_them_or_is_listed(declared):
    """A claim that the paper's own numbers refute is among the inconsistencies."""
    refuted = {v.claim.id for v in judge(declared) if v.paper is Outcome.DOES_NOT}
    text = json.dumps([entry.model_dump() for entry in declared.inconsistencies])
    assert refuted
    assert not {name for name in refuted if name not in text}


def test_no_claim_holds_in_direction_by_what_its_author_would_call_a_failure(declared):
    """A direction is that in which the metric is the better, but for the claim about a loss."""
    about_losses = {"backbone_split_degrades"}
    for one in declared.claims:
        expected = one.test.expected_range()
        if expected is None or one.id in about_losses:
            continue
        neutral, rises = (
            (expected.low, True) if math.isfinite(expected.low) else (expected.high, False)
        )
        assert math.isfinite(neutral), one.id
        better = {METRICS[name].higher_is_better for name in one.test.metrics_compared}
        assert better == {rises}, one.id


def test_a_doubled_runtime_does_not_confirm_that_it_is_a_tenth_more(declared):
    (test,) = (one.test for one in declared.claims if one.id == "ten_percent_time")
    slow, fast = [200.0, 202.0, 201.0], [100.0, 100.5, 99.5]
    runs = {pair.run: slow for pair in test.pairs} | {pair.baseline: fast for pair in test.pairs}
    for is_paper, outcome in ((False, Outcome.UNDECIDED), (True, Outcome.DOES_NOT)):
        found = results(measured("runtime", **runs), is_paper)
        assert verdict(found, test.model_dump()).outcome is outcome


def test_numbers_that_are_said_to_disagree_do(declared):
    """Recomputed from the published values of the tables and figures."""
    recomputed = 0
    for found in disagreements(declared):
        entry = found.inconsistency
        here = paper_number(declared, entry.here)
        for number, (_, text) in zip(entry.there, found.there, strict=True):
            there = paper_number(declared, number)
            if here is None or there is None:
                assert text != found.here[1], entry.id
                continue
            assert here[1] < there[0] or there[1] < here[0], (entry.id, number.where)
            recomputed += 1
    assert recomputed >= 15

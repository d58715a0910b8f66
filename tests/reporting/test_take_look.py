"""A look at a grid: whose runs get more seeds, and what the budget leaves out."""

from dataclasses import replace

import pytest

from tests.reporting.claims import claim, gain
from tests.reporting.conftest import train_record
from tsd.experiments.claims_schema import Claim
from tsd.experiments.metrics import EVALUATION_VERSION
from tsd.experiments.reading import DeclarationError
from tsd.experiments.settings import open_grid
from tsd.reporting.collect import collect_all
from tsd.reporting.take_look import take_look
from tsd.reporting.verdicts import Outcome
from tsd.reporting.verdicts_by_look import judge_by_look
from tsd.results.records import EvaluationRecord
from tsd.run_folder import update_status

RUNS = ("tsd_wo_pc", "tsd_joint", "tsd_pc_cls", "tsd_pc")

VALUES = {
    "tsd_wo_pc": [30.0, 31.0, 30.2, 30.8, 30.5],
    "tsd_joint": [70.0, 71.0, 70.4, 70.6, 70.5],
    "tsd_pc_cls": [70.1, 71.2, 70.6, 70.9, 70.2],
    "tsd_pc": [74.0, 75.0, 74.6, 74.2, 74.5],
}
"""So that tsd_joint is clearly above tsd_wo_pc, tsd_pc is above tsd_joint as more seeds show, and
nothing shows whether tsd_pc_cls is."""

CLAIMS = {
    "clear": "tsd_joint/tsd_wo_pc",
    "close": "tsd_pc/tsd_joint",
    "lost": "tsd_pc_cls/tsd_joint",
}


@pytest.fixture
def grid(tmp_path):
    return grid_with(tmp_path)


def grid_with(results, budget=None, looks=(2, 3, 5)):
    settings = {"scale": "mini", "seeds": "auto", "only": ",".join(RUNS)}
    grid = open_grid(settings, results)
    declared = [claim(gain(pair, direction="up"), id=name) for name, pair in CLAIMS.items()]
    scale = grid.scale.model_copy(update={"budget_hours": budget, "looks": list(looks)})
    return replace(grid, scale=scale, claims=tuple(map(Claim.model_validate, declared)))


def evaluate(grid, run, *seeds, hours=1.0):
    """Leave what trainings leave that were evaluated."""
    for seed in seeds:
        job = grid.job(run, seed)
        record = train_record(
            key=job.key, run=run, seed=seed, seconds=3600 * hours, threads=1, device="cpu"
        )
        job.folder.path.mkdir(parents=True, exist_ok=True)
        job.folder.weights.touch()
        record.write(job.folder.trained)
        record.write(job.folder.train)
        EvaluationRecord(
            key=job.key,
            version=EVALUATION_VERSION,
            metrics={"AP": VALUES[run][seed]},
            per_class={},
        ).write(job.folder.metrics)
        update_status(job.folder, state="done", error=None)


def all_looks(grid, most=3):
    """Take one look after another, training for each what the one before asks for."""
    for run in RUNS:
        evaluate(grid, run, 0, 1)
    looks = []
    while not looks or (looks[-1].next and len(looks) < most):
        looks.append(take_look(grid, looks, None))
        for run, count in looks[-1].next.items():
            evaluate(grid, run, *range(count))
    return looks


def test_the_runs_of_undecided_claims_alone_get_more_seeds(grid):
    first, second, third = all_looks(grid)
    assert first.trained == dict.fromkeys(RUNS, 2)
    assert first.decided == {"clear": 1}
    assert first.next == {"tsd_pc": 3, "tsd_joint": 3, "tsd_pc_cls": 3}
    assert first.may_decide == ["close", "lost"]
    assert second.trained == first.next
    assert second.decided == {"clear": 1, "close": 2}
    assert second.next == {"tsd_pc_cls": 5, "tsd_joint": 5}
    assert third.decided == second.decided
    assert third.outcomes["lost"] == "undecided"
    assert third.next == {}
    assert third.end == "no claim is left that another look could decide"


def test_the_hours_are_those_after_the_first_look(grid):
    first, second, third = all_looks(grid)
    assert (first.hours, first.next_hours) == (0, 3)
    assert (second.hours, second.next_hours) == (3, 4)
    assert (third.hours, third.next_hours) == (7, 0)


def test_a_look_that_is_taken_again_finds_what_it_found(grid):
    looks = all_looks(grid)
    for number, one in enumerate(looks):
        again = take_look(grid, looks[:number], None)
        assert again.next == one.next
        assert again.decided == one.decided
        assert again.may_decide == one.may_decide


def test_the_budget_ends_the_looks(tmp_path):
    grid = grid_with(tmp_path, budget=2.5)
    first, second = all_looks(grid)
    assert first.may_decide == ["close"]
    assert first.too_dear == ["lost"]
    assert first.next == {"tsd_pc": 3, "tsd_joint": 3}
    # tsd_pc_cls has not come as far as the second look, so that nothing more can be asked for it.
    assert second.next == {}
    assert second.outcomes["lost"] == "undecided"
    assert second.too_dear == ["lost"]
    assert "the budget" in second.end


def test_a_budget_that_allows_nothing_leaves_the_first_look(tmp_path):
    (first,) = all_looks(grid_with(tmp_path, budget=0.5))
    assert first.next == {}
    assert first.too_dear == ["close", "lost"]
    assert first.end == "the budget has no hours left for the claims that are undecided"


def test_a_budget_is_not_exceeded_by_taking_a_look_again(tmp_path):
    grid = grid_with(tmp_path, budget=2.5)
    first, _ = all_looks(grid)
    again = take_look(grid, [], None)
    assert again.next == first.next
    assert again.too_dear == ["lost"]


def test_trainings_that_are_there_cost_nothing(tmp_path):
    grid = grid_with(tmp_path, budget=0.5)
    for run in RUNS:
        evaluate(grid, run, *range(3))
    first = take_look(grid, [], None)
    assert first.may_decide == ["close", "lost"]
    assert first.next_hours == 0


def test_a_look_waits_for_all_of_its_trainings(grid):
    for run in RUNS[:-1]:
        evaluate(grid, run, 0, 1)
    with pytest.raises(DeclarationError, match="not yet: tsd_pc with seed 0, tsd_pc with seed 1"):
        take_look(grid, [], None)
    evaluate(grid, "tsd_pc", 0, 1)
    grid.job("tsd_pc", 1).folder.metrics.write_text("{")
    with pytest.raises(
        DeclarationError, match=r"not yet: tsd_pc with seed 1 \(refused: .*metrics\.json: key"
    ):
        take_look(grid, [], None)


def test_a_run_with_seeds_of_its_own_gets_no_others(grid):
    own = grid.experiments.runs["tsd_pc"].model_copy(update={"seeds": [0, 1]})
    runs = {**grid.experiments.runs, "tsd_pc": own}
    grid = replace(grid, experiments=replace(grid.experiments, runs=runs))
    for run in RUNS:
        evaluate(grid, run, 0, 1)
    assert take_look(grid, [], None).may_decide == ["lost"]


def test_the_report_judges_as_the_looks_did(grid):
    looks = all_looks(grid)
    for one in looks:
        one.write(grid.looks.path(one.number))
    results = collect_all(grid)
    assert {name: len(results.runs[name].seeds) for name in RUNS} == {
        "tsd_wo_pc": 2,
        "tsd_joint": 5,
        "tsd_pc_cls": 5,
        "tsd_pc": 3,
    }
    verdicts = {verdict.claim.id: verdict for verdict in judge_by_look(results)}
    decided = {name: v.look for name, v in verdicts.items() if v.outcome.is_decision}
    assert decided == looks[-1].decided
    assert verdicts["lost"].outcome is Outcome.UNDECIDED
    assert verdicts["lost"].look == 3
    assert results.looks.taken == 3
    assert results.looks.end == looks[-1].end

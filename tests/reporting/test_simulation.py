"""How often verdicts err: the simulation, its tie to the judgement, and the rates it shows."""

from pathlib import Path

import numpy
import pytest
from scipy import stats

from tests.reporting.claims import gain, pairs, results, verdict
from tests.reporting.conftest import run, training
from tsd.experiments.claim_tests import Gain, LargerGain
from tsd.experiments.claims_schema import load_claims
from tsd.experiments.comparisons import Alone, Quantity
from tsd.experiments.load import load_experiments
from tsd.reporting.intervals import ERROR
from tsd.reporting.moderation import FEWEST
from tsd.reporting.simulated_claims import world_of
from tsd.reporting.simulation import EFFECTS, Question, World, simulate, train, typical
from tsd.reporting.simulation_page import SMALL, rows, situations
from tsd.reporting.verdicts import Outcome

DECLARED = Path("experiments")
REPLICATIONS = 300


@pytest.fixture(scope="module")
def experiments():
    return load_experiments(DECLARED)


@pytest.fixture(scope="module")
def world(experiments):
    return world_of(load_claims(DECLARED / "claims.yaml", experiments), experiments)


@pytest.fixture(scope="module")
def small(experiments):
    named = [row.run for name in SMALL for row in experiments.tables[name].rows if row.run]
    claims = load_claims(DECLARED / "claims.yaml", experiments)
    return world_of(claims, experiments, named)


@pytest.fixture(scope="module")
def found(world, small):
    return {name: rows(one, REPLICATIONS) for name, one in (("all", world), ("few", small))}


def test_every_claim_that_chance_can_touch_is_simulated(world, experiments):
    claims = load_claims(DECLARED / "claims.yaml", experiments)
    directed = {q.claim for q in world.questions if numpy.isinf(q.width)}
    assert directed == {
        claim.id
        for claim in claims.values()
        if claim.test.expected_range() is not None and "params" not in claim.metrics
    }
    assert {q.claim for q in world.questions if not numpy.isinf(q.width)} >= {
        "pc_at_50",
        "three_to_five",
        "ten_percent_time",
    }
    assert max(len(q.comparisons) for q in world.questions) == 15


@pytest.mark.parametrize("grid", ["all", "few"])
def test_no_outcome_errs_more_often_than_promised(found, grid):
    """The mean over the claims is at most 5%, and so is each claim's rate.

    A rate of 5% that is counted in so many replications exceeds the bound for the worst claim once
    in 10,000 claims.
    """
    worst = stats.binom.ppf(1 - 1e-4, REPLICATIONS, ERROR) / REPLICATIONS
    for row in found[grid]:
        for rates in (row.rates.held_falsely, row.rates.refuted_falsely):
            assert rates.mean() <= ERROR, (row.seeds, row.interval)
            assert rates.max() <= worst, (row.seeds, row.interval)


def test_intervals_miss_about_as_often_as_they_say(found):
    """The claims about few runs share so much that their mean is worth little more than one."""
    for row in found["all"]:
        assert row.rates.missed.mean() <= 1.1 * ERROR, (row.seeds, row.interval)
    bound = stats.binom.ppf(1 - 1e-4, REPLICATIONS, 1.2 * ERROR) / REPLICATIONS
    for row in found["few"]:
        assert row.rates.missed.mean() <= bound, (row.seeds, row.interval)


def test_two_moderated_seeds_beat_three_of_welchs(found):
    power = {(row.seeds, row.is_moderated): row.power(2.0) for row in found["all"]}
    assert power["2", True] > power["3", False]
    for seeds in ("2", "3", "5"):
        assert power[seeds, True] > power[seeds, False]


def test_single_trainings_decide_where_others_have_several(found):
    power = {(row.seeds, row.is_moderated): row.power(4.0) for row in found["few"]}
    name = "3 of baselines, 1 of others"
    assert power[name, False] == 0
    assert power[name, True] > 0.3


def tiny(runs, width=numpy.inf):
    """A world with one claim: the first run is above each of the others in AP."""
    test = Gain(**gain(*(f"{runs[0]}/{name}" for name in runs[1:]), direction="up"))
    question = Question("one", tuple(test.comparisons()), width)
    return World([question], dict.fromkeys(runs, ""))


def test_runs_borrow_from_the_fewest_on():
    for runs, lends in ((FEWEST, True), (FEWEST - 1, False)):
        world = tiny([f"r{number}" for number in range(runs)])
        seeds = dict.fromkeys(world.runs, 2)
        moderated, welch = (simulate(world, seeds, kind, 200).missed for kind in (True, False))
        assert (moderated != welch).any() == lends


@pytest.mark.parametrize("trainings", [2, 3, 5])
def test_the_fewest_runs_lose_nothing_by_borrowing(trainings):
    world = tiny([f"r{number}" for number in range(FEWEST)])
    alone = World(
        [Question(str(n), (one,), numpy.inf) for n, one in enumerate(world.comparisons)],
        world.families,
    )
    seeds = dict.fromkeys(world.runs, trainings)
    moderated, welch = (simulate(alone, seeds, kind, 4000) for kind in (True, False))
    at_two = EFFECTS.index(2.0)
    assert moderated.holds[:, at_two].mean() > welch.holds[:, at_two].mean()
    assert moderated.missed.mean() < 1.2 * ERROR


def test_an_effect_that_is_not_there_is_found_less_often_than_a_large_one(found):
    for row in found["all"]:
        chances = row.rates.holds.mean(0)
        assert (numpy.diff(chances) >= -0.01).all()


def test_a_typical_training_has_a_spread_of_one():
    quantities = [
        Quantity(("AP",)),
        Quantity(("AP75",), ("AP50",)),
        Quantity(("APs", "APm"), ("APl",)),
    ]
    comparisons = tuple(Alone("a", quantity) for quantity in quantities)
    world = World([Question("one", comparisons, numpy.inf)], {"a": ""}, unlikeness=0.0)
    values = train(world, 1, 20000, numpy.random.default_rng(0))
    for quantity in quantities:
        read = numpy.mean([values[name] for name in quantity.metrics], axis=0)
        if quantity.less:
            read = read - numpy.mean([values[name] for name in quantity.less], axis=0)
        assert read.std() == pytest.approx(typical(quantity), rel=0.03)


@pytest.mark.parametrize("is_moderated", [True, False])
@pytest.mark.parametrize("kind", ["gain", "larger_gain"])
def test_the_simulation_judges_as_claims_are_judged(kind, is_moderated):
    """The outcomes of the simulation are those of the judgement, training for training."""
    runs = ["a", "b", "c", "d", "e"] if is_moderated else ["a", "b", "c"]
    named = [f"a/{name}" for name in runs[1:]]
    if kind == "gain":
        entry = gain(*named, direction="up")
        test = Gain(**entry)
    else:
        entry = {"kind": kind, "pairs": pairs(*named), "quantities": [["AP"]], "than": ["AP50"]}
        test = LargerGain(**entry)
    world = World([Question("one", tuple(test.comparisons()), numpy.inf)], dict.fromkeys(runs, ""))
    seeds = {name: 2 + number % 2 for number, name in enumerate(runs)}
    once = [simulate(world, seeds, is_moderated, 1, seed) for seed in range(25)]
    outcomes = []
    for seed, rates in enumerate(once):
        values = train(world, 3, 1, numpy.random.default_rng(seed))
        for effect, chance in zip(EFFECTS, rates.holds[0], strict=True):
            lifts = {"AP": effect}
            if kind == "larger_gain":  # as far as the difference of the two is to be lifted less
                lifts["AP50"] = effect * (1 - typical(Quantity(("AP",), ("AP50",))))
            made = {
                name: run(
                    *(
                        training(
                            **{
                                metric: float(values[metric][0, number, n])
                                + (lifts.get(metric, 0.0) if name == "a" else 0.0)
                                for metric in world.metrics
                            }
                        )
                        for n in range(seeds[name])
                    )
                )
                for number, name in enumerate(world.runs)
            }
            if effect not in (0.0, 3.0):
                continue
            outcome = verdict(results(made), entry).outcome
            outcomes.append(outcome)
            assert (outcome is Outcome.HOLDS) == (chance == 1)
            if effect == 0:
                assert (outcome is Outcome.DOES_NOT) == (rates.refuted_falsely[0] == 1)
    assert Outcome.HOLDS in outcomes


def test_situations_name_every_run(world):
    for seeds in situations(world).values():
        assert seeds.keys() == set(world.runs)

"""A look at the results of a grid whose seeds are chosen by need (:mod:`tsd.experiments.looks`)."""

from collections.abc import Sequence

from tsd.experiments.costs import Costs
from tsd.experiments.grid import Grid
from tsd.experiments.job import Job
from tsd.experiments.look_files import Look, cheapest_first
from tsd.experiments.looks import jobs_of_look
from tsd.experiments.reading import DeclarationError
from tsd.experiments.spending import errors_of_looks
from tsd.reporting.collect import collect
from tsd.reporting.intervals import ERROR
from tsd.reporting.training_hours import Prices, measured_price
from tsd.reporting.verdicts import Outcome, Verdict
from tsd.reporting.verdicts_by_look import judge_by_look
from tsd.results.collected import EXPLAINED, CollectedLooks, State


def take_look(grid: Grid, before: Sequence[Look], costs: Costs | None) -> Look:
    """Judge the claims, and choose whose runs get the seeds of the next look.

    Args:
        grid: A grid with seeds by need.
        before: The looks before this one, from the first.
        costs: What trainings cost that nothing is measured of; None where nothing is declared.

    Returns:
        What the look found.

    Raises:
        DeclarationError: A training of this look is not evaluated, or is refused.
        RecordError: The record of a training is malformed that its costs follow from.
    """
    seeds = grid.scale.looks
    number, errors = len(before) + 1, errors_of_looks(seeds, ERROR)
    jobs = jobs_of_look(grid, before)
    results = collect(grid, jobs)
    missing = [
        f"{name} with seed {seed}"
        + (f" ({training.state}: {training.error})" if training.state in EXPLAINED else "")
        for name, run in results.runs.items()
        for seed, training in run.seeds.items()
        if training.state is not State.EVALUATED
    ]
    if missing:
        raise DeclarationError(
            f"look {number} at grid {grid.name} has to wait until all of its trainings are "
            f"evaluated; not yet: {', '.join(missing)}"
        )
    results.looks = CollectedLooks(
        runs=list(dict.fromkeys(job.run.id for job in grid.wanted)),
        seeds=seeds[:number],
        errors=errors[:number],
        taken=number,
        hours=0,
        budget_hours=None,
        end=None,
    )
    verdicts = judge_by_look(results)
    claims = _that_seeds_may_decide(grid, verdicts, number, jobs)
    spent = _spent(grid, number, jobs)
    prices = _prices_of_next(grid, claims, number, Prices(jobs, costs))
    budget = grid.scale.budget_hours
    left = None if budget is None else budget - spent
    chosen = cheapest_first(claims, prices, left)
    chosen_runs = list(dict.fromkeys(run for claim in chosen for run in claims[claim]))
    return Look(
        number=number,
        asked_for=grid.wanted_targets,
        trained=before[-1].next if before else {job.run.id: seeds[0] for job in jobs},
        error=errors[number - 1],
        outcomes={verdict.claim.id: verdict.outcome.value for verdict in verdicts},
        decided={
            verdict.claim.id: verdict.look
            for verdict in verdicts
            if verdict.outcome.is_decision and verdict.look is not None
        },
        next=dict.fromkeys(chosen_runs, seeds[number] if chosen_runs else 0),
        may_decide=chosen,
        too_dear=[
            *(before[-1].too_dear if before else ()),
            *(claim for claim in claims if claim not in chosen),
        ],
        hours=spent,
        next_hours=sum(prices[run] for run in chosen_runs),
    )


def _that_seeds_may_decide(
    grid: Grid, verdicts: Sequence[Verdict], number: int, jobs: Sequence[Job]
) -> dict[str, list[str]]:
    """The claims that another look may decide, each with the runs that it rests on.

    Such a claim was put to the test at this very look and is undecided, it has a comparison that
    this scale can decide and that does not speak for it, and its runs can all have more seeds.
    """
    if number == len(grid.scale.looks):
        return {}
    count = grid.scale.looks[number]
    found = {}
    for verdict in verdicts:
        if verdict.outcome is not Outcome.UNDECIDED or verdict.look != number:
            continue
        open_ones = [e for e in verdict.counted if e.expected is not None and not e.speaks_for]
        runs = list(dict.fromkeys(run for e in verdict.counted for run in e.comparison.runs))
        declared = [grid.experiments.run(run) for run in runs]
        can_grow = all(
            run.checkpoint is None and len(grid.seeds_at(run.id, count)) >= count
            for run in declared
        )
        if open_ones and can_grow:
            found[verdict.claim.id] = runs
    return found


def _spent(grid: Grid, number: int, jobs: Sequence[Job]) -> float:
    """The hours of the trainings after the first look, and of those of the next one that are there.

    With the latter a look that is taken again, after the next one has begun, finds no more left of
    the budget than it did before.
    """
    first, count = grid.scale.looks[0], grid.scale.looks[min(number, len(grid.scale.looks) - 1)]
    later = [
        grid.job(run, seed)
        for run in dict.fromkeys(job.run.id for job in jobs)
        for seed in grid.seeds_at(run, count)
        if seed not in grid.seeds_at(run, first)
    ]
    return sum(price.hours or 0 for job in later if (price := measured_price(job)) is not None)


def _prices_of_next(
    grid: Grid, claims: dict[str, list[str]], number: int, prices: Prices
) -> dict[str, float]:
    """Run → hours of those of its trainings of the next look that are not there."""
    found = {}
    for run in {run for runs in claims.values() for run in runs}:
        seeds = grid.seeds_at(run, grid.scale.looks[number])
        jobs = [job for seed in seeds if not (job := grid.job(run, seed)).folder.is_trained]
        found[run] = sum(prices.of(job).hours or 0 for job in jobs)
    return found

"""What a selection of the grid costs before it is trained, and the looks that choose its seeds."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from tsd.cli.job_step import grid_of
from tsd.data.coco_format import counted
from tsd.experiments.costs import Costs, load_costs, without_factors
from tsd.experiments.grid import Grid, possible
from tsd.experiments.job import Job
from tsd.experiments.look_files import Look
from tsd.experiments.looks import decidable, jobs_of_look, looks_of
from tsd.experiments.planning import about_other_data, absent, impossible
from tsd.experiments.reading import DeclarationError
from tsd.reporting.collect import collect_job
from tsd.reporting.take_look import take_look
from tsd.reporting.training_hours import Prices, Source, published_prices, sum_text
from tsd.results.collected import State

COLUMNS = 120
"""The width of the table; run ids are not broken."""


def look(options: Namespace) -> None:
    """Take a look: judge the claims by what is measured so far, and write what is next."""
    grid = grid_of(options)
    before = looks_of(grid).taken()[: options.number - 1]
    if len(before) < options.number - 1:
        raise DeclarationError(f"look {options.number} has to wait until the ones before are taken")
    found = take_look(grid, before, costs_of(options))
    found.write(options.out)
    print(_summary(found))


def plan(options: Namespace) -> None:
    """Print which trainings are there, which are to be made, and what these cost.

    Raises:
        DeclarationError: If a name does not exist, or nothing of what is asked for can be trained.
    """
    if options.targets:
        if options.only:
            raise DeclarationError("say what is meant as TARGET or by --only, not both")
        options.only = ",".join(options.targets)
    grid, costs = grid_of(options), costs_of(options)
    before = _looks_at_hand(grid, costs)
    jobs = possible(grid.wanted) if grid.looks is None else jobs_of_look(grid, before)
    published = published_prices(grid.published_report_folder)
    unpriced: list[str] = []
    if jobs:
        prices = Prices(jobs, costs, published)
        _print_costs(jobs, prices)
        unknown = [job for job in jobs if prices.of(job).source is Source.UNKNOWN]
        unpriced = without_factors(unknown, costs) if costs else []
    for text in [*unpriced, *impossible(grid.wanted), *absent(grid), *about_other_data(grid)]:
        print(text)
    if not jobs:
        raise DeclarationError("nothing of what is asked for can be trained, for the reasons above")
    if grid.looks is not None:
        print("\n" + _outlook(grid, before, jobs))


def costs_of(options: Namespace) -> Costs | None:
    """The declared costs; None where the declarations have none."""
    folder = Path(options.experiments)
    return load_costs(folder) if (folder / "costs.yaml").is_file() else None


def _looks_at_hand(grid: Grid, costs: Costs | None) -> list[Look]:
    """The looks that are taken, or would be at once since all of their trainings are evaluated."""
    looks: list[Look] = []
    if grid.looks is None:
        return looks
    while len(looks) < len(grid.scale.looks) and (not looks or looks[-1].next):
        jobs = jobs_of_look(grid, looks)
        if any(collect_job(job).state is not State.EVALUATED for job in jobs):
            break
        looks.append(take_look(grid, looks, costs))
    return looks


def _print_costs(jobs: Sequence[Job], prices: Prices) -> None:
    """Print a line for each run, and the sum."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE, show_footer=True)
    missing = {job.key: job for job in jobs if not job.folder.is_trained}
    for heading, footer in (
        ("run", f"all {len({job.run.id for job in jobs})} runs"),
        ("there", str(len(jobs) - len(missing))),
        ("to make", str(len(missing))),
        ("hours each", ""),
        ("hours to make", sum_text([prices.of(job) for job in missing.values()])),
        ("known from", ""),
    ):
        table.add_column(
            heading,
            footer,
            no_wrap=True,
            justify="left" if heading in ("run", "known from") else "right",
        )
    for run in dict.fromkeys(job.run.id for job in jobs):
        own = [job for job in jobs if job.run.id == run]
        waiting = [job for job in own if job.key in missing]
        price = prices.of((waiting or own)[0])
        table.add_row(
            run,
            str(len(own) - len(waiting)),
            str(len(waiting)),
            "?" if price.hours is None else f"{price.hours:.2f}",
            sum_text([prices.of(job) for job in waiting]),
            price.source.value,
        )
    console = Console(width=COLUMNS, file=sys.stdout, color_system=None)
    console.print(table)


def _outlook(grid: Grid, before: Sequence[Look], jobs: Sequence[Job]) -> str:
    """What the next look is, what it trains and which claims it can decide."""
    looks = grid.scale.looks
    number = len(before) + 1
    if before and not before[-1].next:
        return f"{_summary(before[-1])}"
    missing = [job for job in jobs if not job.folder.is_trained]
    runs = {job.run.id for job in missing}
    can = before[-1].may_decide if before else [claim.id for claim in decidable(grid)]
    budget = grid.scale.budget_hours
    limit = "no budget" if budget is None else f"a budget of {budget:g} hours after the first"
    so_far = f"{_summary(before[-1])}\n" if before else ""
    return (
        f"{so_far}Next is look {number} of {len(looks)}, at {looks[number - 1]} seeds, with "
        f"{limit}. It makes {counted(len(missing), 'training', 'trainings')}, of "
        f"{counted(len(runs), 'run', 'runs')}.\n"
        f"It can decide {counted(len(can), 'claim', 'claims')}: {', '.join(can)}"
    )


def _summary(taken: Look) -> str:
    """What a look found, in a few sentences."""
    here = sum(number == taken.number for number in taken.decided.values())
    text = (
        f"Look {taken.number} decided {counted(here, 'claim', 'claims')}, and "
        f"{counted(len(taken.decided), 'is', 'are')} decided so far. The trainings after the first "
        f"look took {taken.hours:.2f} hours."
    )
    if taken.next:
        return (
            f"{text} {counted(len(taken.next), 'run gets', 'runs get')} more seeds for the sake of "
            f"{counted(len(taken.may_decide), 'claim', 'claims')}, in about "
            f"{taken.next_hours:.2f} hours."
        )
    return f"{text} No look follows: {taken.end}."

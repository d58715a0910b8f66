"""Seeds by need: more trainings of just those runs on which an undecided claim rests.

With the setting ``seeds=auto`` every run that is asked for is trained with as many seeds as the
first of the scale's ``looks`` says. Then the claims are judged. Those that are undecided have their
runs trained up to the seeds of the next look and are judged again, until each claim is decided, the
looks are used up, or the scale's ``budget_hours`` are. A claim that is decided stays as it is. What
the looks do to the error of the verdicts is in :mod:`tsd.experiments.spending`.

A look is a checkpoint of the workflow. It is a function of the measured results and of the looks
before it, and of nothing else: a look that is taken again finds what it found before.
"""

from collections.abc import Sequence

from tsd.experiments.claims_schema import Claim
from tsd.experiments.grid import Grid, possible
from tsd.experiments.job import Job
from tsd.experiments.look_files import Look, LookFiles
from tsd.experiments.metrics import METRICS, Step
from tsd.experiments.reading import DeclarationError


def decidable(grid: Grid) -> list[Claim]:
    """The claims that trainings of what is asked for can decide, as far as declarations tell.

    All of their runs are asked for and trained, on the data that the claim is about, and in a table
    with runtimes if it is about these; the scale can tell what is claimed; and there is chance in
    it. Nothing is compiled.
    """
    wanted = {job.run.id for job in grid.wanted}
    timed = {job.run.id for name in grid.timed_tables for job in grid.jobs_for(name)}
    found = []
    for claim in grid.claims:
        steps = {METRICS[name].step for name in claim.metrics}
        if {*claim.runs} <= (timed if Step.LATENCY in steps else wanted):
            found.append(claim)
    return [claim for claim in found if _is_decidable(grid, claim)]


def _is_decidable(grid: Grid, claim: Claim) -> bool:
    runs = [grid.experiments.run(name) for name in claim.runs]
    protocols = {protocol.id for run in runs if (protocol := grid.protocol_of(run)) is not None}
    is_comparable = grid.scale.comparable and all(map(grid.is_on_papers_data, runs))
    return (
        all(grid.is_about_these_data(run) and run.checkpoint is None for run in runs)
        and (claim.protocol is None or protocols == {claim.protocol})
        and (is_comparable or claim.test.expected_range() is not None)
        and not all(comparison.is_exact(METRICS) for comparison in claim.test.comparisons())
    )


def require_decidable(grid: Grid) -> None:
    """Refuse to choose seeds where no claim could say how many.

    Raises:
        DeclarationError: If no claim rests on what is asked for, or none that the scale can decide.
    """
    if grid.looks is None or decidable(grid):
        return
    asked = "everything" if grid.only is None else ", ".join(grid.only)
    raise DeclarationError(
        f"setting seeds: 'auto' needs claims, and at scale {grid.scale.id} none of them can be "
        f"decided by trainings of what is asked for alone ({asked}); ask for more by `only`, or "
        "say how many seeds, such as seeds=3"
    )


def looks_of(grid: Grid) -> LookFiles:
    """The looks of a grid.

    Raises:
        DeclarationError: If its numbers of seeds are fixed.
    """
    if grid.looks is None:
        raise DeclarationError("setting seeds: a look at the results needs seeds=auto")
    return grid.looks


def jobs_of_look(grid: Grid, before: Sequence[Look]) -> list[Job]:
    """The trainings that the look after some others rests on; they are compiled.

    Args:
        grid: A grid with seeds by need.
        before: The looks before, from the first.

    Returns:
        All that are asked for and can be made, of each run with its seeds up to this look.
    """
    looks, jobs = looks_of(grid), []
    for run in dict.fromkeys(job.run.id for job in grid.wanted):
        count = looks.count(run, before)
        jobs += [grid.job(run, seed) for seed in grid.seeds_at(run, count)]
    return possible(jobs)


def files_of_look(grid: Grid, before: Sequence[Look]) -> list[str]:
    """The files that the look after some others waits for: what is measured, and where it is kept.

    Of those that are asked for; a claim about runtimes needs a table with runtimes to be one.
    """
    asked = set(grid.wanted_files)
    files = [
        str(path)
        for folder in (job.folder for job in jobs_of_look(grid, before))
        for path in (folder.metrics, folder.latency, folder.tracking, folder.retracking)
    ]
    return [file for file in files if file in asked]

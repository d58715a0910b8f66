"""Verdicts where the results grow look by look, and stop growing for a claim that is decided.

**What a look sees.** Look k judges by the first n(k) seeds of each run and by nothing else, with
intervals at the level that :mod:`tsd.experiments.spending` gives it. It says nothing of a claim
whose runs do not all have these seeds; such runs only tell how far runs scatter. A run of whose
seeds some are not evaluated yet counts as not measured, and a look that is not over is not judged.
Therefore neither a grid that is half trained nor seeds that were trained for the sake of another
claim give chance another try.

**The verdict** on a claim is that of the first look that decides it. Where none does, it is that of
the last look at which the claim has as many results as at any other.
"""

from collections.abc import Sequence
from dataclasses import replace

from tsd.reporting.verdicts import Verdict, judge
from tsd.reporting.wording import level
from tsd.results.collected import CollectedRun, Results, State

UNDECLARED = (
    "Some runs have more seeds than others, and no looks were declared. If seeds were added to the "
    "runs of open claims after a look at their results, the verdicts on these claims err more "
    "often than their intervals say; seeds=auto has looks that are accounted for."
)
"""What is said where the numbers of seeds may have followed from the results."""


def judge_by_look(results: Results) -> list[Verdict]:
    """Judge the collected claims by the looks, or all at once where the number of seeds is fixed.

    Args:
        results: What was collected.
    """
    if results.looks is None:
        return judge(results)
    taken = max(results.looks.taken, 1)
    looks = list(zip(results.looks.seeds, results.looks.errors, strict=True))[:taken]
    at_looks = [_judge_at(results, seeds, error) for seeds, error in looks]
    return [_first_decision(verdicts) for verdicts in zip(*at_looks, strict=True)]


def _judge_at(results: Results, seeds: int, error: float) -> list[Verdict | None]:
    """Judge at one look; None for a claim whose runs were not trained for it.

    The runs that are asked for tell of each other's spread. Where others are in the report, the
    claims on these are judged beside them.
    """
    runs = {name: _first_seeds(run, seeds) for name, run in results.runs.items()}
    asked = {name: run for name, run in runs.items() if _is_asked_for(results, name)}
    all_verdicts = judge(results.model_copy(update={"runs": runs}), error)
    own_verdicts = judge(results.model_copy(update={"runs": asked}), error)
    verdicts = [
        own if all(_is_asked_for(results, run) for run in own.claim.runs) else other
        for own, other in zip(own_verdicts, all_verdicts, strict=True)
    ]
    is_first = results.looks is not None and seeds == results.looks.seeds[0]
    return [
        verdict if is_first or _is_trained_for(verdict, seeds) else None for verdict in verdicts
    ]


def _is_asked_for(results: Results, run: str) -> bool:
    return results.looks is not None and run in results.looks.runs


def _is_trained_for(verdict: Verdict, seeds: int) -> bool:
    """Tell whether all that was measured for a claim has as many seeds as a look asks for."""
    found = [evidence.measured for evidence in verdict.evidence if evidence.measured]
    return bool(found) and all(count == seeds for one in found for count in one.seeds)


def _first_decision(verdicts: Sequence[Verdict | None]) -> Verdict:
    """Choose among the verdicts of the looks on one claim, of which the first has one."""
    numbered = [replace(verdict, look=look) for look, verdict in enumerate(verdicts, 1) if verdict]
    for verdict in numbered:
        if verdict.outcome.is_decision:
            return verdict
    return max(numbered, key=lambda verdict: (_measured(verdict), verdict.look))


def _measured(verdict: Verdict) -> int:
    """Count the comparisons that have results."""
    return sum(evidence.measured is not None for evidence in verdict.evidence)


def _first_seeds(run: CollectedRun, seeds: int) -> CollectedRun:
    """Keep the first seeds of a run, and their values if all of them are evaluated."""
    kept = dict(sorted(run.seeds.items())[:seeds])
    if any(training.state is not State.EVALUATED for training in kept.values()):
        kept = {
            seed: training.model_copy(update={"metrics": {}}) for seed, training in kept.items()
        }
    return run.model_copy(update={"seeds": kept})


def remark(results: Results, verdict: Verdict) -> str:
    """Say in a sentence at which look a claim was decided; empty where seeds are fixed.

    Args:
        results: What was collected.
        verdict: A claim, judged.
    """
    if results.looks is None or verdict.look is None or not _measured(verdict):
        return ""
    seeds = results.looks.seeds[verdict.look - 1]
    place = f"look {verdict.look} of {len(results.looks.seeds)}, with {seeds} seeds of each run"
    if verdict.outcome.is_decision:
        return f"This was decided at {place}."
    return f"This is not decided at {place}."


def overview(results: Results) -> str:
    """Say how the looks chose the seeds and how far they are, or that nothing says how.

    Args:
        results: What was collected.

    Returns:
        The empty text where all runs have as many seeds as each other, without looks.
    """
    looks = results.looks
    if looks is None:
        seeds = {run.evaluated for run in results.runs.values() if run.evaluated}
        return UNDECLARED if len(seeds) > 1 else ""
    plan = ", ".join(
        f"look {number} with {seeds} seeds at {level(error)}"
        for number, (seeds, error) in enumerate(zip(looks.seeds, looks.errors, strict=True), 1)
    )
    budget = "" if looks.budget_hours is None else f" of {looks.budget_hours:g} that they may take"
    so_far = (
        f"{looks.taken} of the looks {'is' if looks.taken == 1 else 'are'} over, and the trainings "
        f"after the first one took {looks.hours:.1f} hours{budget}."
    )
    then = "Another look follows." if looks.end is None else f"No look follows, since {looks.end}."
    return (
        "A run has as many seeds as the claims that rest on it need: only the runs of claims that "
        f"are undecided are trained with more. The claims are judged at several looks ({plan}), "
        "whose levels are such that all of them together err as rarely as a single one at "
        f"{level(sum(looks.errors))} would; these levels take the place of 95% in this section. A "
        "claim that is decided stays so, and is shown with the seeds of the look that decided it. "
        f"{so_far} {then}"
    )

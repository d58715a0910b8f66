"""What a report's trainings took, and what it would take to decide what is undecided."""

from collections.abc import Sequence

from tsd.reporting.effort import Effort, cost_of_training
from tsd.reporting.intervals import POWER
from tsd.reporting.provenance_file import DeviceUse, device_uses
from tsd.reporting.verdicts import Outcome, Verdict
from tsd.reporting.wording import count, number
from tsd.results.collected import Results

HELD = " (the time for which cores were held, whatever else these had to do)"


def spent(results: Results) -> str:
    """Say on which devices the evaluated trainings ran, and how long they took.

    Args:
        results: What was collected.

    Returns:
        The empty text where nothing was trained.
    """
    uses = device_uses(results)
    text = "; ".join(_use_text(use) for use in uses)
    if any(use.device == "cpu" for use in uses):
        text += HELD
    return text


def _use_text(use: DeviceUse) -> str:
    unit, device = ("core-hours", "CPU") if use.device == "cpu" else ("GPU-hours", use.device)
    text = f"{number(use.processor_hours, 1)} {unit} on {device}"
    if use.unmeasured:
        text += f", without {count(use.unmeasured, 'training')} whose time was not written down"
    return text


def to_decide(results: Results, verdicts: Sequence[Verdict]) -> str:
    """Say what further trainings may decide the undecided claims, as far as that can be told.

    A training that several claims need counts once.

    Args:
        results: What was collected.
        verdicts: The claims, judged.

    Returns:
        The empty text where no claim is undecided.
    """
    undecided = [verdict for verdict in verdicts if verdict.outcome is Outcome.UNDECIDED]
    if not undecided:
        return ""
    planned = [verdict.effort for verdict in undecided if _is_planned(verdict.effort)]
    wanted: dict[str, int] = {}
    for effort in planned:
        for run, seeds in ((effort and effort.seeds) or {}).items():
            wanted[run] = max(seeds, wanted.get(run, 0))
    if not wanted:
        return (
            f"for none of the {count(len(undecided), 'undecided claim')} can it be said how many "
            "seeds would decide it"
        )
    more = {run: seeds - results.runs[run].evaluated for run, seeds in wanted.items()}
    text = (
        f"{len(planned)} of {count(len(undecided), 'undecided claim')} may be by "
        f"{count(sum(more.values()), 'further training')}"
    )
    chance = f"each with a chance of {POWER:.0%} if the present estimates are right"
    return f"{text}{_price(results, more)}, {chance}"


def _is_planned(effort: Effort | None) -> bool:
    return effort is not None and bool(effort.seeds)


def _price(results: Results, more: dict[str, int]) -> str:
    """Write what further trainings of some runs take, from those that were timed."""
    costs = {run: cost_of_training(results.runs[run]) for run in more if run in results.runs}
    known = {run: cost for run, cost in costs.items() if cost is not None}
    kinds = {kind for kind, _ in known.values()}
    if known.keys() != more.keys() or len(kinds) != 1:
        return ""
    hours = sum(more[run] * each for run, (_, each) in known.items())
    unit = "core-hours" if kinds == {"cpu"} else "GPU-hours"
    return f", about {number(hours, 1 if hours < 10 else 0)} {unit}"

"""What a report's trainings took, and what it would take to decide what is undecided."""

from collections.abc import Sequence

from tsd.reporting.effort import Effort
from tsd.reporting.intervals import POWER
from tsd.reporting.provenance_file import DeviceUse, device_uses
from tsd.reporting.training_hours import price_of_another
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
    # A claim may be judged by fewer seeds than its runs have by now, which may be enough for it.
    more = {run: max(seeds - results.runs[run].evaluated, 0) for run, seeds in wanted.items()}
    return (
        f"{count(sum(more.values()), 'further training')}{_price(results, more)} may decide "
        f"{len(planned)} of {count(len(undecided), 'undecided claim')}, each with a chance of "
        f"{POWER:.0%} if the present estimates are right"
    )


def _is_planned(effort: Effort | None) -> bool:
    return effort is not None and bool(effort.seeds)


def _price(results: Results, more: dict[str, int]) -> str:
    """Write what further trainings of some runs take, from those that were timed."""
    prices = {run: price_of_another(results.runs[run]) for run in more if run in results.runs}
    hours = {run: one.hours for run, one in prices.items() if one is not None and one.hours}
    units = {one.unit for one in prices.values() if one is not None}
    if hours.keys() != more.keys() or len(units) != 1:
        return ""
    total = sum(more[run] * each for run, each in hours.items())
    return f" of about {number(total, 1 if total < 10 else 0)} {units.pop()}-hours"

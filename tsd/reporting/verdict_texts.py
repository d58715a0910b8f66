"""Verdicts on the paper's claims in words and numbers, for the report's pages."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from tsd.experiments.comparisons import Comparison, Range
from tsd.experiments.metrics import Metric
from tsd.reporting.verdicts import Evidence, Outcome, Verdict
from tsd.reporting.wording import number, own_decimals, signed

SYMBOLS = {
    Outcome.HOLDS: "✓",
    Outcome.DOES_NOT: "✗",
    Outcome.UNDECIDED: "?",
    Outcome.PARTLY_RUN: "◐",
    Outcome.NOT_RUN: "○",
}
"""So that a verdict can be told without its colour."""

PAPERS_OWN = {
    Outcome.HOLDS: "bear it out",
    Outcome.DOES_NOT: "do not bear it out",
    Outcome.PARTLY_RUN: "bear it out where printed",
    Outcome.NOT_RUN: "are not printed",
}
"""What is said of the paper's own numbers."""

LEGEND = {
    Outcome.HOLDS: "holds: every 95% interval lies where the claim puts the number",
    Outcome.DOES_NOT: "does not: at least one interval lies outside",
    Outcome.UNDECIDED: "undecided: within the noise of the seeds, or not decidable at this scale",
    Outcome.PARTLY_RUN: "partly run: some of its comparisons have no results yet, none speaks "
    "against it",
    Outcome.NOT_RUN: "not run: none of its comparisons has results at this scale",
}


def counts(verdicts: Iterable[Verdict]) -> dict[Outcome, int]:
    """Count verdicts by outcome, those without one left out."""
    outcomes = [verdict.outcome for verdict in verdicts]
    return {outcome: outcomes.count(outcome) for outcome in Outcome if outcome in outcomes}


def title(comparison: Comparison, metrics: Mapping[str, Metric]) -> str:
    """Name a comparison: its runs and its quantity.

    Args:
        comparison: What is compared.
        metrics: The collected metrics, by id.
    """
    names = comparison.run
    if comparison.baseline is not None:
        names += f" {comparison.operator} {comparison.baseline}"
    return f"{names}: {quantity(comparison, metrics)}"


def quantity(comparison: Comparison, metrics: Mapping[str, Metric]) -> str:
    """Name what is read of the runs, with the unit of the number.

    Args:
        comparison: What is compared.
        metrics: The collected metrics, by id.
    """
    text = _mean(comparison.quantity.metrics, metrics)
    if comparison.quantity.less:
        text += f" less {_mean(comparison.quantity.less, metrics)}"
    unit = comparison.unit(metrics)
    return f"{text} ({unit})" if unit else text


def _mean(names: Sequence[str], metrics: Mapping[str, Metric]) -> str:
    """Name the mean of several metrics, or the one metric there is."""
    first, last = metrics[names[0]].title, metrics[names[-1]].title
    return first if len(names) == 1 else f"mean of {first} to {last}"


def measured_text(evidence: Evidence, metrics: Mapping[str, Metric]) -> str:
    """Write what was measured: the number, its interval and the seeds behind it.

    Args:
        evidence: A comparison with what came of it.
        metrics: The collected metrics, by id.
    """
    found, comparison = evidence.measured, evidence.comparison
    if found is None:
        return "no results"
    write, decimals = _writer(comparison), comparison.decimals(metrics)
    text = write(found.value, decimals)
    if comparison.is_exact(metrics):
        return text
    if found.interval is not None:
        low, high = (write(end, decimals) for end in found.interval)
        text += f" (95%: {low} to {high})"
    numbers = list(dict.fromkeys(found.seeds))
    each = " each" if len(numbers) < len(found.seeds) else ""
    return f"{text}, {' and '.join(map(str, numbers))} seed{'s' * (numbers != [1])}{each}"


def published_text(evidence: Evidence, metrics: Mapping[str, Metric]) -> str:
    """Write what the paper's numbers give for a comparison.

    Args:
        evidence: A comparison with what came of it.
        metrics: The collected metrics, by id.
    """
    comparison = evidence.comparison
    return _writer(comparison)(evidence.published, comparison.decimals(metrics))


def expectation(verdict: Verdict, metrics: Mapping[str, Metric]) -> str:
    """Write where the claim puts its numbers, each range once, and what is asked at this scale."""
    units = {e.comparison.unit(metrics) for e in verdict.evidence} - {""}
    unit = f" {units.pop()}" if len(units) == 1 else ""
    claimed = _texts((e, e.claimed) for e in verdict.evidence)
    here = _texts((e, e.expected) for e in verdict.evidence)
    if not here:
        return f"{claimed}{unit} at the paper’s scale"
    return (
        f"{claimed}{unit}"
        if here == claimed
        else f"{here} here, {claimed}{unit} at the paper’s scale"
    )


def _texts(ranges: Iterable[tuple[Evidence, Range | None]]) -> str:
    return "; ".join(dict.fromkeys(_range_text(e.comparison, r) for e, r in ranges if r))


def _range_text(comparison: Comparison, where: Range) -> str:
    write = _writer(comparison)
    low, high = (
        write(end, own_decimals(end)) if math.isfinite(end) else ""
        for end in (where.low, where.high)
    )
    if low and high:
        return f"{low} to {high}"
    if low:
        return f"{'above' if where.without_ends else 'at least'} {low}"
    return f"{'below' if where.without_ends else 'at most'} {high}"


def _writer(comparison: Comparison) -> Callable[[float | None, int], str]:
    """Return how the numbers of a comparison are written: differences with their sign."""
    return signed if comparison.is_signed else number

"""Verdicts on the paper's claims in words and numbers, for the report's pages."""

import math
from collections.abc import Callable, Iterable

from tsd.reporting.verdicts import Evidence, Outcome, Range, Verdict
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


def measured_text(evidence: Evidence) -> str:
    """Write what was measured: the number, its interval and the seeds behind it."""
    found = evidence.measured
    if found is None:
        return "no results"
    write, decimals = _writer(evidence), evidence.comparison.decimals
    text = write(found.value, decimals)
    if not evidence.comparison.is_exact:
        if found.interval is not None:
            low, high = (write(end, decimals) for end in found.interval)
            text += f" (95%: {low} to {high})"
        counts = list(dict.fromkeys(found.seeds))
        each = " each" if len(counts) < len(found.seeds) else ""
        text += f", {' and '.join(map(str, counts))} seed{'s' * (counts != [1])}{each}"
    return text


def published_text(evidence: Evidence) -> str:
    """Write the paper's number."""
    return _writer(evidence)(evidence.published, evidence.comparison.decimals)


def expectation(verdict: Verdict) -> str:
    """Write where the claim puts its numbers, each range once, and what is asked at this scale."""
    units = {e.comparison.unit for e in verdict.evidence} - {""}
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
    return "; ".join(dict.fromkeys(_range_text(e, r) for e, r in ranges if r is not None))


def _range_text(evidence: Evidence, where: Range) -> str:
    write = _writer(evidence)
    low, high = (
        write(end, own_decimals(end)) if math.isfinite(end) else ""
        for end in (where.low, where.high)
    )
    if low and high:
        return f"{low} to {high}"
    if low:
        return f"{'above' if where.without_ends else 'at least'} {low}"
    return f"{'below' if where.without_ends else 'at most'} {high}"


def _writer(evidence: Evidence) -> Callable[[float | None, int], str]:
    """Return how a comparison's numbers are written: differences with their sign."""
    comparison = evidence.comparison
    return number if comparison.ratio or comparison.baseline is None else signed

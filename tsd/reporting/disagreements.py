"""The places where numbers of the paper disagree with each other, written out."""

from dataclasses import dataclass

from tsd.experiments.inconsistencies import Inconsistency, PaperNumber
from tsd.experiments.schema import Figure, Table
from tsd.reporting.wording import number, own_decimals, signed
from tsd.results.collected import Results


@dataclass(frozen=True)
class Disagreement:
    """Numbers of the paper that do not agree.

    Args:
        inconsistency: What was found.
        here: A place in the paper, and its number in writing.
        there: The other places, and their numbers in writing.
    """

    inconsistency: Inconsistency
    here: tuple[str, str]
    there: list[tuple[str, str]]


def disagreements(results: Results) -> list[Disagreement]:
    """Write out the inconsistencies, with the numbers of the tables and figures filled in.

    Args:
        results: What was collected.
    """
    found = []
    for inconsistency in results.inconsistencies:
        here, *there = (
            (source.where, _text(results, source, inconsistency.unit))
            for source in [inconsistency.here, *inconsistency.there]
        )
        found.append(Disagreement(inconsistency, here, there))
    return found


def paper_number(results: Results, source: PaperNumber) -> tuple[float, float] | None:
    """Return a number of the paper as a range, which leads from it to itself if it is one number.

    Args:
        results: What was collected.
        source: Where the number stands.

    Returns:
        None where the paper has words without a number.

    Raises:
        KeyError: The collected tables and figures do not have the number.
    """
    if source.printed is not None:
        return source.printed[0], source.printed[-1]
    if source.run is None:
        return None
    value = _printed(results, source, source.run)
    if source.baseline is not None:
        baseline = _printed(results, source, source.baseline)
        value = value / baseline if source.relative else value - baseline
    # A difference of decimal fractions is not exact in binary: 40.7 − 39.4 is 1.3000000000000043.
    return round(value, 9), round(value, 9)


def _printed(results: Results, source: PaperNumber, run: str) -> float:
    """Return what the table or figure of a number prints for a run."""
    holders: list[Table | Figure] = [*results.tables, *results.figures]
    for holder in holders:
        if holder.id in (source.table, source.figure) and source.metric is not None:
            value = holder.printed(run, source.metric)
            if value is not None:
                return value
    raise KeyError(f"{source.where}: nothing printed for {run}")


def _text(results: Results, source: PaperNumber, unit: str) -> str:
    """Write a number with its unit, or the words that stand for it."""
    value = paper_number(results, source)
    if source.words is not None or value is None:
        return f"“{source.words}”"
    write = signed if source.baseline is not None and not source.relative else number
    texts = list(dict.fromkeys(write(v, max(1, own_decimals(v))) for v in value))
    return f"{' to '.join(texts)} {unit}".strip()

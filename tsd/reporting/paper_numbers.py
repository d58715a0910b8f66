"""The numbers that the paper prints, and where they do not agree with each other."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tsd.experiments.claims_schema import Inconsistency, PaperNumber
from tsd.reporting.cells import Results
from tsd.reporting.wording import number, own_decimals, signed

PAPER_TABLE = re.compile(r"table\d+")
"""Ids of the tables that are the paper's; others may hold numbers from elsewhere."""

FIGURE_IOU = (0.5, 0.6, 0.7, 0.8, 0.9)
"""The thresholds of Figure 6."""


def paper_table_value(
    results: Results, run: str, metric: str, table_id: str | None = None
) -> float | None:
    """Return what a table of the paper prints for a run: the first that does, or the one named."""
    for table in results["tables"]:
        if table["id"] == table_id or (table_id is None and PAPER_TABLE.fullmatch(table["id"])):
            for row in table["rows"]:
                if row["run"] == run and row["published"].get(metric) is not None:
                    return float(row["published"][metric])
    return None


def paper_figure_value(results: Results, run: str, iou: float) -> float | None:
    """Return what the paper's figure of AP over IoU gives for a run."""
    for figure in results["figures"]:
        for series in figure["series"] if figure["kind"] == "iou" else []:
            if series["run"] == run and series["published"] and iou in FIGURE_IOU:
                return float(series["published"][FIGURE_IOU.index(iou)])
    return None


@dataclass(frozen=True)
class Disagreement:
    """Numbers of the paper that do not agree, written out.

    Args:
        inconsistency: What was found.
        here: A place in the paper and its number.
        there: The other places and theirs.
    """

    inconsistency: Inconsistency
    here: tuple[str, str]
    there: list[tuple[str, str]]


def disagreements(
    results: Results, inconsistencies: Iterable[dict[str, Any]]
) -> list[Disagreement]:
    """Write out the inconsistencies, numbers taken from tables and figures filled in.

    Args:
        results: The content of ``results.json``.
        inconsistencies: As dumped from
            :class:`~tsd.experiments.claims_schema.Inconsistency`.
    """
    found = []
    for content in inconsistencies:
        entry = Inconsistency.model_validate(content)
        here, *there = (
            (n.where, _paper_number_text(results, n, entry.unit))
            for n in [entry.here, *entry.there]
        )
        found.append(Disagreement(entry, here, there))
    return found


def paper_number(results: Results, source: PaperNumber) -> tuple[float, float] | None:
    """Return a number of the paper as a range, from it to itself if it is one number.

    Returns:
        None where it is words without a number.

    Raises:
        KeyError: The collected tables or figures do not have it.
    """
    if source.printed is not None:
        return source.printed[0], source.printed[-1]
    values = [_printed(results, source, run) for run in (source.run, source.baseline) if run]
    if not values:
        return None
    value = values[0]
    if source.baseline is not None:
        value = value / values[1] if source.relative else value - values[1]
    return round(value, 9), round(value, 9)


def _printed(results: Results, source: PaperNumber, run: str) -> float:
    if source.table is not None and source.metric is not None:
        value = paper_table_value(results, run, source.metric, source.table)
        if value is not None:
            return value
    for figure in results["figures"]:
        for series in figure["series"] if figure["id"] == source.figure else []:
            if series["run"] == run and source.position is not None:
                return float(series["published"][source.position])
    raise KeyError(f"{source.where}: nothing printed for {run}")


def _paper_number_text(results: Results, source: PaperNumber, unit: str) -> str:
    value = paper_number(results, source)
    if source.words is not None or value is None:
        return f"“{source.words}”"
    write = signed if source.baseline is not None and not source.relative else number
    texts = list(dict.fromkeys(write(v, max(1, own_decimals(v))) for v in value))
    return f"{' to '.join(texts)} {unit}".strip()

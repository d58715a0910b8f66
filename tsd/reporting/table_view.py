"""How a table is laid out on the page, and what is said once instead of in each of its cells."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tsd.experiments.metrics import Metric
from tsd.experiments.schema import Table
from tsd.reporting import tables
from tsd.reporting.agreement import agreement_remarks
from tsd.reporting.cells import Cell, FilledRow
from tsd.reporting.comparability import has_differences
from tsd.reporting.image_noise import gain_remarks
from tsd.reporting.object_counts import ALL, data_of, few_objects, objects_behind, size_of
from tsd.reporting.runtimes import clock_of, is_of_runtimes
from tsd.reporting.wording import LEGEND, count, legend, listed_once, row_name, state_word
from tsd.results.collected import UNFINISHED, Results, State

MARK = "○"
"""Stands beside the rows of runs that have not begun."""


MEASURED, PAPER, ELSEWHERE, DIFFERENCE, GAIN, PAPERS_GAIN = COLUMNS = (
    "measured",
    "paper",
    "elsewhere",
    "Δ",
    "gain",
    "paper’s gain",
)
"""What may stand in the columns of a metric."""


@dataclass(frozen=True)
class Head:
    """The head of the columns of a metric.

    Args:
        title: The metric's name.
        unit: Its unit.
        objects: On how many objects it rests; None where that is not known, or said elsewhere.
        columns: Its columns, from left to right: some of :data:`COLUMNS`.
    """

    title: str
    unit: str
    objects: int | None
    columns: list[str]

    @property
    def width(self) -> int:
        """Number of its columns."""
        return len(self.columns)


@dataclass(frozen=True)
class Line:
    """A line of a block: a row, or a size of objects of it.

    Args:
        filled: The row that it shows.
        size: The size of the objects that it is about; empty where a block has no sizes.
        cells: Those of its cells that the block shows.
    """

    filled: FilledRow
    size: str
    cells: list[Cell]


@dataclass(frozen=True)
class Block:
    """A part of a table that fits the width of a page.

    Args:
        heads: A head for each metric.
        lines: In the order of the rows.
        has_sizes: Whether each line is about one size of objects.
    """

    heads: list[Head]
    lines: list[Line]
    has_sizes: bool = False


def blocks(results: Results, table: Table, all_rows: Sequence[FilledRow]) -> list[Block]:
    """Part a table into blocks that fit a page.

    A table that has the same metrics for each of several sizes of objects is laid out as the paper
    lays out its Table 9: with a line for each size, not with a column.

    Args:
        results: What was collected.
        table: The table.
        all_rows: Its rows. Those that have no number at all are left out.
    """
    rows = shown_rows(all_rows)
    dataset = data_of(results, tables.runs_of(table))
    by_size = sizes(results, table)
    if by_size:
        first = next(iter(by_size.values()))
        columns = columns_of(rows, table.metrics)
        heads = [
            Head(
                _title_without_size(results.metrics[name]),
                results.metrics[name].unit,
                None,
                columns,
            )
            for name in first
        ]
        counts = {
            size: objects_behind(results, dataset, names[0]) for size, names in by_size.items()
        }
        words = {
            size: size if counts[size] is None else f"{size} ({count(counts[size])})"
            for size in by_size
        }
        lines = [
            Line(filled, words[size], [cell for cell in filled.cells if cell.metric in names])
            for size, names in by_size.items()
            for filled in rows
        ]
        return [Block(heads, lines, has_sizes=True)]
    columns_by_metric = {name: columns_of(rows, [name]) for name in table.metrics}
    widest = max(map(len, columns_by_metric.values()))
    return [
        Block(
            [
                Head(
                    metric.title,
                    metric.unit,
                    objects_behind(results, dataset, metric.id),
                    columns_by_metric[metric.id],
                )
                for metric in (results.metrics[name] for name in band)
            ],
            [
                Line(filled, "", [cell for cell in filled.cells if cell.metric in band])
                for filled in rows
            ],
        )
        for band in tables.bands(results, table, widest)
    ]


def columns_of(rows: Sequence[FilledRow], metrics: Sequence[str]) -> list[str]:
    """List the columns that some metrics of a table need.

    There is no column for what nobody has published, for differences where no two numbers may be
    compared, and for gains where no row has a baseline.

    Args:
        rows: The rows of the table.
        metrics: Ids of the metrics.
    """
    cells = [cell for filled in rows for cell in filled.cells if cell.metric in metrics]
    has_gains = any(filled.row.baseline for filled in rows)
    is_printed = any(cell.published is not None for cell in cells)
    needed = {
        MEASURED: True,
        PAPER: is_printed,
        ELSEWHERE: any(cell.elsewhere for cell in cells),
        DIFFERENCE: is_printed and has_differences(rows),
        GAIN: has_gains,
        PAPERS_GAIN: any(cell.published_gain is not None for cell in cells),
    }
    return [column for column in COLUMNS if needed[column]]


def network_of_all(filled: Sequence[FilledRow]) -> str:
    """Name the network of all rows with one; the empty text where rows differ or none has one.

    Args:
        filled: The rows of a table.
    """
    names = {one.run.network for one in filled if one.run is not None and one.run.is_shown}
    names.discard(None)
    return (names.pop() or "") if len(names) == 1 else ""


def sizes(results: Results, table: Table) -> dict[str, list[str]]:
    """Group the metrics of a table by the size of objects that they are about.

    Args:
        results: What was collected.
        table: The table.

    Returns:
        Size → ids of its metrics. Nothing where the sizes do not have the same metrics, or where
        there is one only.
    """
    found: dict[str, list[str]] = {}
    for name in table.metrics:
        found.setdefault(size_of(results.metrics[name]), []).append(name)
    alike = {
        tuple(_without_size(results.metrics[name]) for name in names) for names in found.values()
    }
    if ALL in found or len(found) < 2 or len(alike) > 1 or len(next(iter(alike))) < 2:
        return {}
    return found


def _without_size(metric: Metric) -> tuple[object, ...]:
    rest = {name: value for name, value in metric.arguments.items() if name != "size"}
    return metric.function, metric.of_masks, *sorted(rest.items())


def _title_without_size(metric: Metric) -> str:
    return metric.title.replace(f" {size_of(metric)} ", " ")


def has_values(rows: Sequence[FilledRow]) -> bool:
    """Tell whether anything of a table was measured."""
    return any(cell.measured.mean is not None for filled in rows for cell in filled.cells)


def row_word(filled: FilledRow) -> str:
    """Say once for a row what holds of all its cells: why they have no value, or how many seeds.

    Cells that nobody measured in finished trainings do not count.

    Args:
        filled: The row.

    Returns:
        The empty text where nothing holds of all, and for rows without a run.
    """
    if filled.run is None:
        return ""
    words = {_word(filled, cell) for cell in filled.cells} - {""}
    return words.pop() if len(words) == 1 else ""


def cell_word(filled: FilledRow, cell: Cell) -> str:
    """Say in a cell why it has no value, or not of all seeds, where the row does not say it.

    Args:
        filled: The row.
        cell: The cell.
    """
    return "" if row_word(filled) else _word(filled, cell)


def _word(filled: FilledRow, cell: Cell) -> str:
    """Say what a reader has to know of a cell; nothing where its value, or a dash, is enough."""
    state = _state(filled, cell)
    if state in (State.EVALUATED, State.NOT_MEASURED):
        return ""
    return MARK if state is State.NOT_RUN else state_word(cell)


def _state(filled: FilledRow, cell: Cell) -> State:
    """The state of a cell; that of what was measured, where a further seed is not ready."""
    state = cell.measured.state
    if filled.run is None or state not in UNFINISHED:
        return state
    evaluated = [one for one in filled.run.seeds.values() if one.state is State.EVALUATED]
    return State.NOT_MEASURED if evaluated else state


def shown_rows(rows: Sequence[FilledRow]) -> list[FilledRow]:
    """Pick the rows that have a number, whoever measured or published it.

    Args:
        rows: The rows of a table.
    """
    return [filled for filled in rows if _has_number(filled)]


def _has_number(filled: FilledRow) -> bool:
    return any(
        cell.measured.mean is not None or cell.published is not None or cell.elsewhere
        for cell in filled.cells
    )


def left_out(rows: Sequence[FilledRow]) -> list[str]:
    """Name the rows that :func:`shown_rows` leaves out.

    Args:
        rows: The rows of a table.

    Returns:
        One sentence or none.
    """
    by_word: dict[str, list[str]] = {}
    for filled in rows:
        if not _has_number(filled):
            word = listed_once(state_word(cell) for cell in filled.cells)
            by_word.setdefault(word, []).append(f"{row_name(filled.row)} ({filled.row.run})")
    if not by_word:
        return []
    named = "; ".join(f"{word}: {', '.join(names)}" for word, names in by_word.items())
    return [f"Rows are left out for which nobody has a number. {named[0].upper()}{named[1:]}."]


def not_timed(results: Results, table: Table, rows: Sequence[FilledRow]) -> list[str]:
    """Say once how to measure the runtimes that finished trainings lack.

    Args:
        results: What was collected.
        table: The table.
        rows: Its rows.

    Returns:
        One sentence or none.
    """
    is_absent = any(
        is_of_runtimes(results, cell.metric)
        and _state(filled, cell) is State.NOT_MEASURED
        and not _was_timed(filled)
        for filled in rows
        for cell in filled.cells
    )
    if not is_absent:
        return []
    return [
        "Runtimes were not measured of all finished trainings; “snakemake --config "
        f"scale={results.scale.id} -- {table.id}” measures them without training anything again."
    ]


def _was_timed(filled: FilledRow) -> bool:
    """Whether a runtime was measured, and is left out for what it was measured on."""
    return filled.run is not None and any(map(clock_of, filled.run.seeds.values()))


def state_legend(rows: Sequence[FilledRow]) -> list[str]:
    """Explain what ± means, the states that occur in some rows, and the dash.

    Args:
        rows: Of one table or of all.
    """
    said = {MARK: f"{MARK} {LEGEND[State.NOT_RUN]}"}
    return [said[MARK] if text == LEGEND[State.NOT_RUN] else text for text in legend(rows)]


def remarks(results: Results, table: Table, rows: list[FilledRow]) -> list[str]:
    """Say what limits the numbers of a table, and where they are from.

    Args:
        results: What was collected.
        table: The table.
        rows: Its rows.
    """
    few = few_objects(results, tables.runs_of(table), table.metrics)
    return [
        *tables.what_is_measured(results, table, rows),
        *([few] if few else []),
        *not_timed(results, table, rows),
        *left_out(rows),
        *gain_remarks(results, table),
        *agreement_remarks(results, table, rows),
        *tables.sources_remarks(results, rows),
    ]


def said_once(of_tables: Sequence[Sequence[str]]) -> list[str]:
    """List the remarks that several tables have in common, each once.

    Args:
        of_tables: The remarks of each table.
    """
    counts = Counter(text for texts in of_tables for text in dict.fromkeys(texts))
    return [text for text, number in counts.items() if number > 1]

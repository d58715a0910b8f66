"""What a report is about: the tables, figures and runs that were asked for, and no others.

The results of a grid hold every declared run, also those that nobody asked for. A reader who asked
for two runs wants to read of these two.
"""

from tsd.experiments.grid import Grid
from tsd.experiments.metrics import MAIN
from tsd.experiments.planning import absent_runs
from tsd.experiments.schema import Figure, Row, Table
from tsd.reporting.wording import count
from tsd.results.collected import CollectedSelection, Results


def selection_of(grid: Grid) -> CollectedSelection | None:
    """Say what a report of a grid is about; None where all that is declared is asked for.

    Args:
        grid: The grid, of which nothing is compiled.
    """
    if grid.only is None:
        return None
    behind = {run for target in grid.only for run in grid.experiments.runs_for(target)}
    behind |= {job.run.id for job in grid.selected}
    runs = [name for name in grid.experiments.runs if name in behind]
    at_scale = dict.fromkeys(job.run.id for job in grid.jobs)
    return CollectedSelection(
        asked=list(grid.only),
        runs=runs,
        left_out=[name for name in at_scale if name not in behind],
        absent=absent_runs(grid),
    )


def combined(
    first: CollectedSelection | None, other: CollectedSelection | None
) -> CollectedSelection | None:
    """Put together what two reports of one grid are about; None where one is about everything.

    Args:
        first: What the one is about.
        other: What the other is about.
    """
    if first is None or other is None:
        return None
    return CollectedSelection(
        asked=list(dict.fromkeys([*first.asked, *other.asked])),
        runs=list(dict.fromkeys([*first.runs, *other.runs])),
        left_out=[name for name in first.left_out if name in other.left_out],
        absent=first.absent | other.absent,
    )


def about(results: Results) -> Results:
    """Leave the runs and the claims out of collected results that nobody asked for.

    A claim stays if all of its runs are asked for. A run that was evaluated stays in any case,
    since it may be a baseline and tells how far runs scatter. The tables and figures all stay,
    since they hold the paper's numbers; :func:`tables` and :func:`figures` say which are shown.

    Args:
        results: The content of ``results.json``.
    """
    chosen = results.selection
    if chosen is None:
        return results
    shown = {table.id for table in tables(results)}
    runs = {
        name: run.model_copy(update={"tables": [name for name in run.tables if name in shown]})
        for name, run in results.runs.items()
        if name in chosen.runs or run.evaluated
    }
    claims = [claim for claim in results.claims if {*claim.runs} <= {*chosen.runs}]
    return results.model_copy(update={"runs": runs, "claims": claims})


def tables(results: Results) -> list[Table]:
    """List the tables that are shown.

    One that was asked for is whole. Another one has the rows of the runs that are asked for, and is
    left out where it has none of these.

    Args:
        results: The content of ``results.json``.
    """
    chosen = results.selection
    if chosen is None:
        return results.tables
    parts = (
        table
        if table.id in chosen.asked
        else _with_rows(table, [row for row in table.rows if row.run in chosen.runs])
        for table in results.tables
    )
    return [table for table in parts if table.rows]


def figures(results: Results) -> list[Figure]:
    """List the figures that are shown: those asked for, and those whose runs all are.

    Args:
        results: The content of ``results.json``.
    """
    chosen = results.selection
    if chosen is None:
        return results.figures
    return [
        figure
        for figure in results.figures
        if figure.id in chosen.asked or (figure.runs and {*figure.runs} <= {*chosen.runs})
    ]


def only_asked(results: Results) -> Results:
    """Leave out of collected results the runs that nobody asked for, evaluated or not.

    Args:
        results: The content of ``results.json``.
    """
    chosen = results.selection
    if chosen is None:
        return results
    runs = {name: run for name, run in results.runs.items() if name in chosen.runs}
    return results.model_copy(update={"runs": runs})


def _with_rows(table: Table, rows: list[Row]) -> Table:
    return table.model_copy(update={"rows": rows})


def each_run_once(results: Results) -> list[Table]:
    """List the tables that were asked for, and parts of others in which each other run stands once.

    Args:
        results: The content of ``results.json``.

    Returns:
        Whole tables first. Runs that stand in no table are listed in one of their own.
    """
    chosen, shown = results.selection, tables(results)
    if chosen is None:
        return shown
    listed = [table for table in shown if table.id in chosen.asked]
    others = [table for table in shown if table.id not in chosen.asked]
    seen = {row.run for table in listed for row in table.rows}
    waiting = [name for name in chosen.runs if name in results.runs and name not in seen]
    while waiting:
        part = max((_first_rows(table, waiting) for table in others), key=_wish, default=None)
        if part is None or not part.rows:
            break
        listed.append(part)
        there = {row.run for row in part.rows}
        waiting = [name for name in waiting if name not in there]
    if waiting:
        listed.append(
            Table(
                id="others",
                title="Runs that stand in no table",
                source="asked for by name or for a figure",
                paper=False,
                metrics=[MAIN],
                rows=[Row(label=name, run=name) for name in waiting],
            )
        )
    return listed


def _first_rows(table: Table, runs: list[str]) -> Table:
    """A table with the first row of each of some runs."""
    first: dict[str | None, Row] = {}
    for row in table.rows:
        if row.run in runs:
            first.setdefault(row.run, row)
    return _with_rows(table, list(first.values()))


def _wish(table: Table) -> tuple[bool, bool, int]:
    """Tell which table is the best to show runs in: one of the paper's, with many of them."""
    return bool(table.rows), table.paper, len(table.rows)


def remark(results: Results) -> str:
    """Say which runs cannot be made, and how many nobody asked for; empty where there are none.

    Args:
        results: The content of ``results.json``.
    """
    if results.selection is None:
        return ""
    absent = results.selection.absent.items()
    texts = [f"Run {name} cannot be made: {reason}." for name, reason in absent]
    number = len(results.selection.left_out)
    if number:
        verb = "was" if number == 1 else "were"
        texts.append(f"{count(number, 'further declared run')} {verb} not asked for.")
    return " ".join(texts)

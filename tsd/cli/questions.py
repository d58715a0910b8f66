"""Questions about a grid, answered on the terminal."""

import sys
from argparse import Namespace
from datetime import datetime
from pathlib import Path

from tsd.cli.job_step import grid_of
from tsd.cli.plan import costs_of
from tsd.experiments.reading import DeclarationError, suggest
from tsd.results.collected import Results

LOCKS = Path(".snakemake", "locks")


def status(options: Namespace) -> None:
    """Print how far each training is that is asked for; or show it until all are evaluated.

    What is not a terminal gets the text once, whatever is asked for.
    """
    from tsd.cli.overview import look_at

    grid, costs = grid_of(options), costs_of(options)
    if options.watch and sys.stdout.isatty():
        from tsd.cli.watch import watch

        watch(lambda: look_at(grid, costs))
        return
    overview = look_at(grid, costs)
    width = max((len(line.run) for line in overview.lines), default=0)
    for line in overview.lines:
        text = f"{line.run:<{width}}  seed {line.seed}  {line.state:<11} {line.details}"
        print(text.rstrip())
    print("\n".join(overview.summary))


def headline(options: Namespace) -> None:
    """Print what was measured of what is asked for, and where the report lies.

    Where nothing is named, that is what the report is about. Of a report from before ``--since``
    nothing is printed but where it is: what it says of a training's state may be past.
    """
    from tsd.reporting.page import headline as tables_as_text
    from tsd.reporting.selection import selection_of

    grid = grid_of(options)
    for folder in (grid.unfinished_report_folder, grid.report_folder):
        if (folder / "index.html").exists():
            results = Results.read(folder / "results.json")
            if datetime.fromisoformat(results.generated).timestamp() < (options.since or 0):
                print(
                    f"No report was written. An earlier one, of {results.generated}, is "
                    f"{folder / 'index.html'}; `python -m tsd status` says how far each training "
                    f"is.{_lock_text()}"
                )
                return
            if grid.is_named:
                results.selection = selection_of(grid)
            print(tables_as_text(results))
            print(f"Report: {folder / 'index.html'}")
            return
    sys.exit(
        f"tsd: there is no report in {grid.report_folder} yet; `snakemake` writes one when it has "
        f"trained, and `python -m tsd report` one of what there is.{_lock_text()}"
    )


def _lock_text() -> str:
    """Say how to go on where a Snakemake was killed, whose locks keep the next one out."""
    if not any(LOCKS.glob("*")):
        return ""
    return (
        " The folder is locked by a Snakemake. Unless that still works here, it was killed; "
        "`make unlock`, or `snakemake --unlock`, removes its lock, and the next call goes on."
    )


def cost(options: Namespace) -> None:
    """Print what the grid costs at a scale that is counted in epochs."""
    from tsd.experiments.costs import cost_table, load_costs

    print(cost_table(grid_of(options), load_costs(Path(options.experiments))))


def bench(options: Namespace) -> None:
    """Print speed and memory as ratios, and write them to a file."""
    from tsd.bench.rows import Bench
    from tsd.bench.run import ROWS, run_bench

    known = [row.id for row in ROWS]
    only = options.rows.split(",") if options.rows else None
    for name in only or ():
        if name not in known:
            raise DeclarationError(f"--rows: no row {name!r}" + suggest(name, known))
    run_bench(Bench(options.device, options.rounds), options.out, only)

"""Questions about a grid, answered on the terminal."""

import sys
from argparse import Namespace
from pathlib import Path

from tsd.cli.job_step import grid_of
from tsd.cli.plan import costs_of
from tsd.experiments.reading import DeclarationError, suggest
from tsd.results.collected import Results


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

    Where nothing is named, that is what the report is about.
    """
    from tsd.reporting.page import headline as tables_as_text
    from tsd.reporting.selection import selection_of

    grid = grid_of(options)
    for folder in (grid.unfinished_report_folder, grid.report_folder):
        if (folder / "index.html").exists():
            results = Results.read(folder / "results.json")
            if grid.is_named:
                results.selection = selection_of(grid)
            print(tables_as_text(results))
            print(f"Report: {folder / 'index.html'}")
            return
    sys.exit(
        f"tsd: there is no report in {grid.report_folder} yet; `snakemake` writes one when it has "
        "trained, and `python -m tsd report` one of what there is"
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

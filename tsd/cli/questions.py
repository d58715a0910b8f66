"""Questions about a grid, answered on the terminal."""

import sys
from argparse import Namespace
from collections import Counter
from pathlib import Path

from tsd.cli.job_step import grid_of
from tsd.run_folder import read_json


def status(options: Namespace) -> None:
    """Print each job's state and progress, and how many there are of each."""
    from tsd.reporting.collect import collect_job

    grid = grid_of(options)
    counts: Counter[str] = Counter()
    width = max(len(job.run.id) for job in grid.jobs)
    for job in grid.jobs:
        found = collect_job(job)
        counts[found["state"]] += 1
        progress = ""
        if found["state"] in ("running", "interrupted", "failed") and found["max_iterations"]:
            progress = f"{found['iteration']} / {found['max_iterations']}"
        if found["seconds_left"]:
            progress += f", {found['seconds_left'] / 60:.0f} min left"
        if found["state"] == "failed":
            progress += f"  {str(found['error']).splitlines()[0]}"
        if found["state"] == "done":
            measured = found["metrics"]["AP"]
            progress = "nothing to measure" if measured is None else f"AP {measured:.1f}"
        print(f"{job.run.id:<{width}}  seed {job.seed}  {found['state']:<11} {progress}")
    print(f"{grid.name}: " + ", ".join(f"{n} {state}" for state, n in sorted(counts.items())))


def headline(options: Namespace) -> None:
    """Print the report's tables and where it lies."""
    from tsd.reporting.page import headline as tables_as_text

    grid = grid_of(options)
    for folder in (grid.unfinished_report_folder, grid.report_folder):
        if (folder / "index.html").exists():
            print(tables_as_text(read_json(folder / "results.json")))
            print(f"Report: {folder / 'index.html'}")
            return
    sys.exit(f"tsd: there is no report in {grid.report_folder} yet")


def cost(options: Namespace) -> None:
    """Print what the grid costs at a scale that is counted in epochs."""
    from tsd.experiments.costs import cost_table, load_costs

    print(cost_table(grid_of(options), load_costs(Path(options.experiments))))


def bench(_options: Namespace) -> None:
    """Print speed and memory of the method as ratios."""
    from tsd.evaluation.bench import bench as run_bench

    run_bench()

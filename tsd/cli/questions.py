"""Questions about a grid, answered on the terminal."""

import sys
from argparse import Namespace
from collections import Counter
from pathlib import Path

from tsd.cli.job_step import grid_of
from tsd.experiments.job import Job
from tsd.experiments.metrics import METRICS, evaluated, leading
from tsd.experiments.planning import about_other_data, unused_weights
from tsd.experiments.reading import DeclarationError, suggest
from tsd.results.collected import Results, State, Training


def status(options: Namespace) -> None:
    """Print state and progress of each job that is asked for or has results, and their counts."""
    grid = grid_of(options)
    counts: Counter[State] = Counter()
    shown = grid.shown
    width = max((len(job.run.id) for job in shown), default=0)
    for job in shown:
        state, progress = _state(job)
        counts[state] += 1
        print(f"{job.run.id:<{width}}  seed {job.seed}  {state:<11} {progress}".rstrip())
    words = [f"{count} {state}" for state, count in sorted(counts.items())]
    if len(shown) < len(grid.jobs):
        words.append(f"{len(grid.jobs) - len(shown)} not asked for")
    print(f"{grid.name}: " + ", ".join(words))
    for text in [*about_other_data(grid), *unused_weights(grid, shown)]:
        print(text)


def _state(job: Job) -> tuple[State, str]:
    """The state of a job, and how far it is or why it cannot be made."""
    from tsd.reporting.collect import collect_job

    if job.mistake is not None:
        return State.NOT_POSSIBLE, job.mistake.splitlines()[0]
    training = collect_job(job)
    return training.state, _progress(training)


def _progress(training: Training) -> str:
    """How far a training is: its leading metric once there is one, else its iteration."""
    if training.state is State.EVALUATED:
        measured = {name: value for name, value in training.metrics.items() if value is not None}
        of_detections = measured.keys() & evaluated()
        if not of_detections:
            return "nothing to measure"
        metric = METRICS[leading(of_detections)]
        return f"{metric.title} {measured[metric.id]:.{metric.decimals}f}"
    words = []
    unfinished = (State.RUNNING, State.INTERRUPTED, State.FAILED)
    if training.state in unfinished and training.max_iterations:
        words.append(f"{training.iteration} / {training.max_iterations}")
    if training.seconds_left:
        words.append(f"{training.seconds_left / 60:.0f} min left")
    if training.state is State.FAILED:
        words.append((training.error or "no reason was recorded").splitlines()[0])
    return ", ".join(words)


def headline(options: Namespace) -> None:
    """Print the report's tables and where it lies."""
    from tsd.reporting.page import headline as tables_as_text

    grid = grid_of(options)
    for folder in (grid.unfinished_report_folder, grid.report_folder):
        if (folder / "index.html").exists():
            print(tables_as_text(Results.read(folder / "results.json")))
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

"""A report of far more runs than are declared, from made values.

Nothing here imports torch, which no report needs and whose memory would count.
"""

import tempfile
import time
from pathlib import Path

import numpy as np

from tsd.experiments.metrics import METRICS
from tsd.experiments.schema import Row, Table
from tsd.experiments.settings import open_grid
from tsd.reporting.collect import collect_all
from tsd.reporting.page import write_pages, write_parts
from tsd.results.collected import CollectedRun, Results, State, Training

TABLE_ROWS = 50
"""Rows of each table that is made beside the declared ones."""


def made_results(runs: int, seeds: int, folder: Path) -> Results:
    """The declared grid with made values, and further runs like its own, in tables of their own.

    Args:
        runs: How many runs there are, the declared ones included.
        seeds: How many trainings each of them has.
        folder: An empty folder of results.
    """
    results = collect_all(open_grid({"scale": "mini", "only": "all"}, folder))
    random = np.random.default_rng(0)
    declared = [name for name, run in results.runs.items() if run.is_shown][:runs]
    everything = {name: results.runs[name] for name in declared}
    for number in range(runs - len(declared)):
        like = declared[number % len(declared)]
        everything[f"{like}_like_{number}"] = results.runs[like].model_copy()
    for run in everything.values():
        _evaluate(run, seeds, random)
    results.runs |= everything
    added = list(everything)[len(declared) :]
    for start in range(0, len(added), TABLE_ROWS):
        rows = [
            Row(label=name, run=name, baseline=declared[0])
            for name in added[start : start + TABLE_ROWS]
        ]
        results.tables.append(
            Table(
                id=f"made{start // TABLE_ROWS}",
                title="Runs like those that are declared",
                source="of the bench",
                metrics=["AP", "AP50", "AP75"],
                rows=rows,
            )
        )
    return results


def _evaluate(run: CollectedRun, seeds: int, random: np.random.Generator) -> None:
    """Have a run's trainings measured, in place: each metric is noise around a mean of the run."""
    mean = random.uniform(20, 40)
    run.seeds = {
        seed: Training(
            state=State.EVALUATED,
            folder=f"results/mini/made/0123456789/seed{seed}",
            metrics={name: float(mean + random.normal(0, 0.3)) for name in METRICS},
        )
        for seed in range(seeds)
    }


def write_report(runs: int, seeds: int) -> float:
    """Write the whole report, figures included, and tell how many processor seconds it took.

    Args:
        runs: How many runs there are.
        seeds: How many trainings each of them has.
    """
    with tempfile.TemporaryDirectory() as folder:
        collected = Path(folder, "report", "results.json")
        collected.parent.mkdir()
        made_results(runs, seeds, Path(folder, "results")).write(collected)
        started = time.process_time()
        write_parts(collected)
        write_pages(collected)
        return time.process_time() - started

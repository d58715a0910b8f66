"""``python -m tsd diff``: how two runs differ, in their compiled configs and in their results."""

import json
import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tsd.cli.job_step import grid_of
from tsd.experiments.deviations import leaves
from tsd.experiments.grid import Grid
from tsd.experiments.job import Job
from tsd.experiments.metrics import METRICS
from tsd.experiments.reading import DeclarationError
from tsd.reporting.cells import Measured, gain_sd, minus
from tsd.reporting.collect import collect_job, seeds_found
from tsd.reporting.wording import NOTHING, count, metric_title, number, signed, spread
from tsd.results.collected import State, Training

COLUMNS = 120
"""The width of the tables; long values go over several lines."""


@dataclass(frozen=True)
class Side:
    """One of the two runs.

    Args:
        name: What the user calls it.
        job: A training of it, which is compiled.
        trainings: Its trainings that are compared, by seed.
    """

    name: str
    job: Job
    trainings: Mapping[int, Training]

    @property
    def evaluated(self) -> dict[int, Training]:
        """Its trainings that have results, by seed."""
        return {
            seed: training
            for seed, training in self.trainings.items()
            if training.state is State.EVALUATED
        }

    def measured(self, metric: str) -> Measured:
        """A metric over its seeds."""
        found = {seed: training.metrics.get(metric) for seed, training in self.evaluated.items()}
        values = {seed: value for seed, value in found.items() if value is not None}
        return Measured(State.EVALUATED, values, len(self.trainings))


def diff(options: Namespace) -> None:
    """Print how two runs differ, leaf by leaf of their configs and metric by metric."""
    grid = grid_of(options)
    first = _side(grid, options.first, options.seeds is not None)
    second = _side(grid, options.second, options.seeds is not None)
    print(f"{grid.name}: {_described(first)}; {_described(second)}\n")
    _print_config(first, second)
    _print_results(first, second)


def _side(grid: Grid, name: str, is_counted: bool) -> Side:
    """The run that a user names, as RUN or as RUN:SEED.

    Args:
        grid: The grid.
        name: What the user says.
        is_counted: Whether the user has said how many seeds a run has; otherwise all are meant that
            have been trained.

    Raises:
        DeclarationError: If there is no such run at this scale, or it cannot be compiled.
    """
    run, colon, seed = name.partition(":")
    if colon and not seed.isdecimal():
        raise DeclarationError(
            f"{name!r} is no training: RUN:SEED is one, such as {run}:0, and RUN all of its seeds"
        )
    jobs = [grid.job(run, int(seed))] if colon else grid.jobs_of(run) or [grid.job(run, 0)]
    if jobs[0].mistake is not None:
        raise DeclarationError(jobs[0].mistake)
    if colon or is_counted:
        trainings = {job.seed: collect_job(job) for job in jobs}
    else:
        trainings = seeds_found(jobs[0])
    return Side(name, jobs[0], trainings)


def _described(side: Side) -> str:
    """A run with its digest and the seeds whose results are compared."""
    seeds = ", ".join(map(str, side.evaluated)) or "none"
    return f"{side.name} has the digest {side.job.digest}, evaluated seeds: {seeds}"


def _print_config(first: Side, second: Side) -> None:
    """Print the leaves of the compiled configs that differ."""
    mine, other = (leaves(side.job.config.to_dict(), "") for side in (first, second))
    differing = [path for path in {**mine, **other} if not _same(mine, other, path)]
    if not differing:
        print("Their compiled configs are the same.")
        return
    rows = [[path, _text(mine, path), _text(other, path)] for path in sorted(differing)]
    _print_table(["config", first.name, second.name], rows)


def _same(mine: Mapping[str, Any], other: Mapping[str, Any], path: str) -> bool:
    """Whether both configs have the same at a path; 1, 1.0 and true are not the same."""
    return _text(mine, path) == _text(other, path)


def _text(values: Mapping[str, Any], path: str) -> str:
    """A leaf of a config as JSON; a dash where the config has none."""
    if path not in values:
        return NOTHING
    return json.dumps(values[path], ensure_ascii=False, default=str)


def _print_results(first: Side, second: Side) -> None:
    """Print the metrics of both, where both have been evaluated, and the differences."""
    lacking = [side.name for side in (first, second) if not side.evaluated]
    if lacking:
        print(f"No results to compare: no training of {' nor of '.join(lacking)} is evaluated.")
        return
    rows = []
    for metric in METRICS.values():
        mine, other = first.measured(metric.id), second.measured(metric.id)
        if metric.detail or not (mine.values or other.values):
            continue
        decimals = metric.decimals
        error = None if metric.exact else gain_sd(other, mine)
        gain = signed(minus(other.mean, mine.mean), decimals)
        values = [
            f"{number(one.mean, decimals)} {spread(None if metric.exact else one.sd, decimals)}"
            for one in (mine, other)
        ]
        cells = [*values, f"{gain} {spread(error, decimals)}"]
        rows.append([metric_title(metric), *map(str.strip, cells)])
    _print_table(["metric", first.name, second.name, f"{second.name} − {first.name}"], rows)
    print(_remark(first, second))


def _remark(first: Side, second: Side) -> str:
    """Say what the numbers of seeds allow to conclude."""
    seeds = [len(side.evaluated) for side in (first, second)]
    counted = f"{count(seeds[0], 'seed')} and {count(seeds[1], 'seed')}"
    if min(seeds) < 2:
        return (
            f"The results are of {counted}: how far seeds scatter is unknown, so that not even the "
            "direction of a difference is reliable."
        )
    return (
        f"The results are of {counted}. ±: after a value stands its standard deviation over seeds, "
        "after a difference its standard error."
    )


def _print_table(heads: list[str], rows: list[list[str]]) -> None:
    """Print a table whose long cells go over several lines, and whose words are all shown."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, pad_edge=False)
    for head in heads:
        table.add_column(Text(head), overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console(width=COLUMNS, file=sys.stdout, color_system=None).print(table)

"""How far each training of a grid is, which ``python -m tsd status`` prints or shows as it changes.

All of it is read from the folder of results, so that a login node says the same as the machine that
trains.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tsd.cluster.slurm_logs import is_queued
from tsd.experiments.costs import Costs
from tsd.experiments.grid import Grid, possible
from tsd.experiments.job import Job
from tsd.experiments.metrics import METRICS, evaluated, leading
from tsd.experiments.planning import about_other_data, absent, unused_weights
from tsd.reporting.collect import collect_job
from tsd.reporting.training_hours import Prices, Source, published_prices, sum_text
from tsd.reporting.wording import duration, first_line
from tsd.results.collected import State, Training
from tsd.results.status import read_status

STOPPED = (State.FAILED, State.INTERRUPTED)
"""States in which a reader wants to know why, and where the log is."""


@dataclass(frozen=True)
class Line:
    """How far one training is.

    Args:
        run: Id of its run.
        seed: Its seed.
        state: Its state.
        said: What there is to say of the state: a metric, a reason, a cost.
        iteration: The iterations that are done; None where nothing is known of them.
        max_iterations: The iterations in all; None likewise.
        seconds_left: The seconds until it ends; None unless it runs.
        log: The log of the step that failed or was interrupted; None where there is none.
    """

    run: str
    seed: int
    state: State
    said: str = ""
    iteration: int | None = None
    max_iterations: int | None = None
    seconds_left: float | None = None
    log: Path | None = None

    @property
    def counted(self) -> str:
        """The iterations done of all; empty where nothing is known or nothing left to do."""
        if self.state not in (State.RUNNING, *STOPPED) or not self.max_iterations:
            return ""
        return f"{self.iteration} / {self.max_iterations}"

    @property
    def left(self) -> str:
        """How long it may take yet, in words; empty where that is not known."""
        return "" if not self.seconds_left else f"{duration(self.seconds_left)} left"

    @property
    def details(self) -> str:
        """All there is to say of the state, on one line."""
        words = ", ".join(word for word in (self.counted, self.left, self.said) if word)
        return f"{words} (log: {self.log})".strip() if self.log else words


@dataclass(frozen=True)
class Overview:
    """How far a grid is.

    Args:
        name: Name of the grid.
        lines: The trainings that are asked for, in the order of their declaration.
        not_asked_for: The number of the others.
        to_come: What the trainings cost that have not begun, in words.
        remarks: What else somebody has to know.
    """

    name: str
    lines: Sequence[Line]
    not_asked_for: int
    to_come: str
    remarks: Sequence[str]

    @property
    def counts(self) -> str:
        """How many trainings are in which state."""
        states = Counter(line.state for line in self.lines)
        words = [f"{number} {state}" for state, number in sorted(states.items())]
        if self.not_asked_for:
            words.append(f"{self.not_asked_for} not asked for")
        return f"{self.name}: {', '.join(words)}"

    @property
    def summary(self) -> list[str]:
        """What stands below the trainings."""
        cost = [f"The trainings that have not begun take about {self.to_come}."]
        return [self.counts, *(cost if self.to_come else []), *self.remarks]

    @property
    def is_over(self) -> bool:
        """Whether all trainings that can be made are evaluated."""
        return all(line.state in (State.EVALUATED, State.NOT_POSSIBLE) for line in self.lines)


def look_at(grid: Grid, costs: Costs | None) -> Overview:
    """See how far the trainings of a grid are that are asked for.

    Args:
        grid: The grid.
        costs: The declared costs; None where there are none.
    """
    jobs = grid.selected
    published = published_prices(grid.published_report_folder)
    prices = Prices(possible(grid.shown), costs, published)
    lines = [_line(job, prices) for job in jobs]
    waiting = [
        prices.of(job) for job, line in zip(jobs, lines, strict=True) if line.state is State.NOT_RUN
    ]
    return Overview(
        grid.name,
        lines,
        len(grid.jobs) - len(jobs),
        sum_text(waiting, "hours") if any(price.hours is not None for price in waiting) else "",
        [*absent(grid), *about_other_data(grid), *unused_weights(grid, jobs)],
    )


def _line(job: Job, prices: Prices) -> Line:
    """How far a training is."""
    if job.mistake is not None:
        return Line(job.run.id, job.seed, State.NOT_POSSIBLE, job.mistake.splitlines()[0])
    training = collect_job(job)
    if training.state is State.REFUSED:
        return Line(job.run.id, job.seed, State.REFUSED, first_line(training.error))
    written = read_status(job.folder)
    said, log = "", None
    if training.state is State.EVALUATED:
        said = _measured(training)
    elif training.state in STOPPED:
        said, log = first_line(training.error), _log(job, written)
    elif training.state is State.NOT_RUN:
        said = _cost(job, prices)
    left = training.seconds_left
    if left is not None:
        left = max(0.0, left - (time.time() - written.get("updated", time.time())))
    return Line(
        job.run.id,
        job.seed,
        training.state,
        said,
        training.iteration,
        training.max_iterations,
        left,
        log,
    )


def _measured(training: Training) -> str:
    """The leading metric of an evaluated training."""
    measured = {name: value for name, value in training.metrics.items() if value is not None}
    of_detections = measured.keys() & evaluated()
    if not of_detections:
        return "nothing to measure"
    metric = METRICS[leading(of_detections)]
    return f"{metric.title} {measured[metric.id]:.{metric.decimals}f}"


def _cost(job: Job, prices: Prices) -> str:
    """What a training costs that has not begun, and whether it waits in SLURM's queue."""
    price = prices.of(job)
    words = ["submitted to SLURM, which has not started it"] if is_queued(job) else []
    if price.source is not Source.UNKNOWN:
        words.append(f"about {sum_text([price], 'hours')} ({price.source})")
    return ", ".join(words)


def _log(job: Job, written: dict[str, Any]) -> Path | None:
    """The log of the step that failed, or else that of the training; None if it is not there."""
    for path in (written.get("log"), job.folder.log):
        if path and Path(path).is_file():
            return Path(path)
    return None

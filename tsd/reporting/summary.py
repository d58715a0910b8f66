"""What can be said of a whole report: caveats, counts, and how the gains compare."""

from collections import Counter
from dataclasses import dataclass

from tsd.experiments.metrics import MAIN, Metric
from tsd.experiments.schema import Row, Table
from tsd.reporting.cells import fill, measure
from tsd.reporting.wording import commit_text
from tsd.results.collected import Results, State


@dataclass(frozen=True)
class ComparedGain:
    """A row whose gain was both measured and published.

    Args:
        table: The row's table.
        row: Its declaration.
        measured: The gain over the row's baseline run.
        sd: Its standard error; None unless run and baseline have two each.
        published: The paper's gain.
    """

    table: Table
    row: Row
    measured: float
    sd: float | None
    published: float

    @property
    def agrees(self) -> bool:
        """Whether both gains point the same way."""
        return self.measured * self.published > 0


def compared_gains(results: Results) -> list[ComparedGain]:
    """Find the rows of all tables whose gain in the main metric can be held against the paper’s."""
    return [
        ComparedGain(table, filled.row, cell.gain, cell.gain_sd, cell.published_gain)
        for table in results.tables
        for filled in fill(results, table)
        for cell in filled.cells
        if cell.metric == MAIN and cell.gain is not None and cell.published_gain is not None
    ]


def agreement(results: Results) -> str:
    """Count the gains that point the paper's way, one in several tables once; empty for none."""
    distinct: dict[tuple[str | None, str | None], ComparedGain] = {}
    for gain in compared_gains(results):
        distinct.setdefault((gain.row.run, gain.row.baseline), gain)
    if not distinct:
        return ""
    agreeing = sum(gain.agrees for gain in distinct.values())
    return f"{agreeing} of {len(distinct)} measured gains point the same way as the paper’s."


def state_counts(results: Results) -> dict[State, int]:
    """Count the trainings by state, in the order of :class:`State`, states without one left out."""
    counts = Counter(training.state for training in results.trainings())
    return {state: counts[state] for state in State if counts[state]}


def metrics_of(results: Results, run: str) -> dict[str, Metric]:
    """Return the metrics that a run has values of, the details only where its tables show them."""
    in_tables = {
        metric
        for table in results.tables
        if table.id in results.runs[run].tables
        for metric in table.metrics
    }
    return {
        name: metric
        for name, metric in results.metrics.items()
        if (not metric.detail or name in in_tables) and measure(results, run, name).values
    }


def finished_seeds(results: Results) -> tuple[int, int] | None:
    """Return the least and the greatest number of finished seeds of the runs that have any."""
    counts = [
        sum(training.state is State.EVALUATED for training in run.seeds.values())
        for run in results.runs.values()
    ]
    finished = [count for count in counts if count]
    return (min(finished), max(finished)) if finished else None


def seeds_phrase(results: Results) -> str:
    """Say how many seeds stand behind the numbers."""
    match finished_seeds(results):
        case None:
            return "no run finished"
        case (1, 1):
            return "1 seed per run"
        case (least, most) if least == most:
            return f"{least} seeds per run"
        case (least, most):
            return f"{least} to {most} seeds per run"


def seed_caveat(results: Results) -> str:
    """Say what the number of seeds allows to conclude."""
    span = finished_seeds(results)
    if span is None:
        return "No run has finished: there are no measured numbers yet."
    phrase = seeds_phrase(results)
    if span[0] > 1:
        return (
            f"With {phrase}, a gain that is not clearly larger than its ± says nothing, "
            "not even in which direction."
        )
    if span[1] == 1:
        return (
            f"With {phrase}, not even the direction of a gain is reliable: its spread is unknown."
        )
    return (
        f"With {phrase}, the direction of a gain is not reliable where a run has one seed: "
        "its spread is unknown there."
    )


def scale_caveat(results: Results) -> str:
    """Say whether numbers may be compared with the paper’s."""
    scale = results.scale
    if scale.is_paper:
        return f"Scale {scale.id} ({scale.title}): numbers may be compared with the paper’s."
    return (
        f"Scale {scale.id} ({scale.title}): its AP is not the paper’s AP. "
        "Only the direction of a gain may be compared with the paper’s."
    )


def provenance(results: Results) -> str:
    """Say what a table was made from, in a line."""
    commit = commit_text(results.commit, results.dirty)
    return f"grid {results.name}, {seeds_phrase(results)}, {commit}, {results.generated}"


def training_commits(results: Results) -> list[tuple[str, int]]:
    """Count the finished trainings by the commit they ran at, most frequent first."""
    return Counter(
        commit_text(training.train.commit, training.train.dirty)
        for training in results.trainings()
        if training.state is State.EVALUATED and training.train
    ).most_common()

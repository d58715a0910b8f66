"""What can be said of a whole report: caveats, counts, and how the gains compare."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

from tsd.experiments.metrics import MAIN, METRICS, Metric
from tsd.experiments.schema import Row, Table
from tsd.reporting.cells import FilledRow, fill, training_id
from tsd.reporting.comparability import data_remark, networks_text
from tsd.reporting.convergence import length_phrase
from tsd.reporting.gain_intervals import GainIntervals
from tsd.reporting.moderation import FEWEST
from tsd.reporting.selection import tables
from tsd.reporting.wording import commit_text, count, is_zero, listed
from tsd.results.collected import CollectedRun, Results, State

INTRODUCTION = (
    "This report sets what was measured here beside what the paper printed. A run is one of the "
    "models that the paper compares, trained once for each seed, which fixes its random numbers. "
    "A gain is how far a run is above its baseline, another run. A training is evaluated when it "
    "has ended and its detections on the validation set are measured."
)


MOST_GAINS = 40
"""So many gains are drawn in a figure, the first ones of the tables; more would not fit a page."""


@dataclass(frozen=True)
class ComparedGain:
    """A gain that was both measured and published.

    Args:
        tables: Ids of the tables with a row of this gain.
        row: The first of these rows.
        trainings: What is trained for the run and for its baseline, so that gains can be told
            apart.
        measured: The gain over the row's baseline run.
        sd: Its standard error; None unless run and baseline have two different values each.
        published: The gain that is printed for it; several where tables print different ones.
    """

    tables: tuple[str, ...]
    row: Row
    trainings: tuple[str, str]
    measured: float
    sd: float | None
    published: tuple[float, ...]

    def shown_also(self, other: Self) -> Self:
        """Return the gain with the tables and the printed values of another row that shows it."""
        tables = dict.fromkeys([*self.tables, *other.tables])
        # A difference of decimal fractions is not exact in binary.
        printed = dict.fromkeys(round(value, 9) for value in (*self.published, *other.published))
        return replace(self, tables=tuple(tables), published=tuple(printed))

    @property
    def agrees(self) -> bool:
        """Whether both gains point the same way; one that is written as zero points nowhere."""
        is_zero_here = is_zero(self.measured, METRICS[MAIN].decimals)
        return not is_zero_here and self.measured * self.published[0] > 0


def compared_gains(results: Results) -> list[ComparedGain]:
    """Find the gains in the main metric, of all tables, that can be held against the paper’s.

    The gain of one pair of trainings over the other is there once, however many rows show it.
    """
    found: dict[tuple[str, str], ComparedGain] = {}
    for table in tables(results):
        for filled in fill(results, table):
            for gain in _gains_of(results, table, filled):
                same = found.get(gain.trainings)
                found[gain.trainings] = gain if same is None else same.shown_also(gain)
    return list(found.values())


def _gains_of(results: Results, table: Table, filled: FilledRow) -> Iterator[ComparedGain]:
    """Yield the gain of a row in the main metric, if it was both measured and published."""
    row = filled.row
    if row.run is None or row.baseline is None:
        return
    trainings = (training_id(results, row.run), training_id(results, row.baseline))
    for cell in filled.cells:
        if cell.metric == MAIN and cell.gain is not None and cell.published_gain is not None:
            yield ComparedGain(
                (table.id,), row, trainings, cell.gain, cell.gain_sd, (cell.published_gain,)
            )


def agreement(results: Results) -> str:
    """Count the gains that point the paper's way, each pair of trainings once; empty for none.

    A gain whose interval holds zero, or is not known, points nowhere.
    """
    return _agreement_of(results, compared_gains(results))


def _agreement_of(results: Results, gains: list[ComparedGain]) -> str:
    if not gains:
        return ""
    intervals = GainIntervals(results)
    clear = [
        gain
        for gain in gains
        if intervals.tone(gain.row, MAIN) and not is_zero(gain.measured, METRICS[MAIN].decimals)
    ]
    unknown = sum(intervals.of(gain.row, MAIN) is None for gain in gains)
    noisy = len(gains) - len(clear) - unknown
    total = count(len(gains), "measured gain")
    for part, words in ((unknown, "none has an interval"), (noisy, "none is beyond the noise")):
        if part == len(gains):
            return f"Of {total} {words}."
    rest = []
    if noisy:
        rest.append(f"{noisy} {'is' if noisy == 1 else 'are'} within the noise")
    if unknown:
        rest.append(f"{unknown} {'has' if unknown == 1 else 'have'} no interval")
    if not clear:
        return f"Of {total} {listed(rest)}."
    agreeing = sum(gain.agrees for gain in clear)
    first = [f"{agreeing} of {total} point{'s' * (agreeing == 1)} the paper’s way"]
    if agreeing < len(clear):
        first.append(f"{len(clear) - agreeing} the other way")
    return f"{listed([*first, *rest])}."


def gains_caption(results: Results) -> str:
    """Write the caption of the figure that shows all gains."""
    gains = compared_gains(results)
    names = [name for gain in gains for name in (gain.row.run, gain.row.baseline)]
    said = [
        "Each row shows the gain in AP of a run over its baseline, as it was measured here (dot) "
        "and as the paper prints it (diamond). A row’s name is the paper’s.",
        networks_text(results, names),
        data_remark(results, names),
        f"The first {MOST_GAINS} of {len(gains)} gains are drawn."
        if len(gains) > MOST_GAINS
        else "",
        _agreement_of(results, gains),
        seed_caveat(results),
    ]
    return " ".join(text for text in said if text)


def state_counts(results: Results) -> dict[State, int]:
    """Count the trainings by state, in the order of :class:`State`, states without one left out."""
    counts = Counter(training.state for training in results.trainings())
    return {state: counts[state] for state in State if counts[state]}


def runs_phrase(results: Results) -> str:
    """Say how many runs there are, and how many of them have no results."""
    empty = sum(not run.evaluated for run in results.runs.values())
    runs = count(len(results.runs), "run")
    return f"{runs}, {empty} without results" if empty else runs


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
        if (not metric.detail or name in in_tables) and _is_measured(results.runs[run], name)
    }


def _is_measured(run: CollectedRun, metric: str) -> bool:
    """Tell whether any training of a run has a value of a metric."""
    values = (training.metrics.get(metric) for training in run.seeds.values())
    return any(value is not None and math.isfinite(value) for value in values)


def evaluated_seeds(results: Results) -> tuple[int, int] | None:
    """Return the least and the greatest number of evaluated seeds of the runs that have any."""
    evaluated = _counts_of_seeds(results)
    return (min(evaluated), max(evaluated)) if evaluated else None


def _counts_of_seeds(results: Results) -> list[int]:
    """Number of evaluated seeds of each run that has any."""
    return [run.evaluated for run in results.runs.values() if run.evaluated]


def seeds_phrase(results: Results) -> str:
    """Say how many seeds stand behind the numbers."""
    match evaluated_seeds(results):
        case None:
            return "no run evaluated"
        case (1, 1):
            return "1 seed per run"
        case (least, most) if least == most:
            return f"{least} seeds per run"
        case (least, most):
            return f"{least} to {most} seeds per run"


def seed_caveat(results: Results) -> str:
    """Say what the number of seeds allows to conclude."""
    span = evaluated_seeds(results)
    if span is None:
        return "No run is evaluated: there are no measured numbers yet."
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
    if sum(count > 1 for count in _counts_of_seeds(results)) >= FEWEST:
        return (
            f"With {phrase}, the spread of a run with one seed is not measured: intervals take it "
            "from the runs that have several."
        )
    return (
        f"With {phrase}, the direction of a gain is not reliable where a run has one seed: "
        "its spread is unknown there."
    )


def scale_caveat(results: Results) -> str:
    """Say whether numbers may be compared with the paper’s."""
    scale = results.scale
    if scale.is_paper:
        return (
            f"At scale {scale.id} ({scale.title}) and on “{results.dataset.name}”, numbers may be "
            "compared with the paper’s."
        )
    length = length_phrase(results)
    trained = f", after {length} of training," if length else ""
    return (
        f"At scale {scale.id} ({scale.title}){trained} and on “{results.dataset.name}”, AP is not "
        "the paper’s AP: only the direction of a gain may be compared with the paper’s."
    )


def provenance(results: Results) -> str:
    """Say what a table was made from, in a line."""
    commit = commit_text(results.commit, results.dirty)
    return f"grid {results.name}, {seeds_phrase(results)}, {commit}, {results.generated}"


def training_commits(results: Results) -> list[tuple[str, int]]:
    """Count the evaluated trainings by the commit they ran at, most frequent first."""
    return Counter(
        commit_text(training.train.commit, training.train.dirty)
        for training in results.trainings()
        if training.state is State.EVALUATED and training.train
    ).most_common()

"""AP of each class, beside the number of objects that it rests on."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

import pandas

from tsd.reporting.comparability import networks_text
from tsd.reporting.object_counts import FEW
from tsd.results.collected import CollectedRun, Results

MOST_CLASSES = 20
"""So many classes, those with most objects, stand in the report; the CSV file has all of them."""

MOST_RUNS = 6
"""So many runs stand side by side: those that most tables and figures show."""

FILE = "per_class.csv"

COLUMNS = (
    "run",
    "network",
    "digest",
    "dataset",
    "class",
    "train_objects",
    "val_objects",
    "seeds",
    "AP",
    "sd",
)
"""Of the CSV file, which has a line for each run and class."""


@dataclass(frozen=True)
class ClassRow:
    """A class with its number of objects, None where they were not counted, and its AP by run."""

    name: str
    train_objects: int | None
    val_objects: int | None
    precision: dict[str, float | None]

    @property
    def is_rare(self) -> bool:
        """Whether its AP rests on few objects."""
        return self.val_objects is not None and self.val_objects < FEW


@dataclass(frozen=True)
class ClassTable:
    """The classes of a data set, those with most objects of the validation set first.

    Args:
        dataset: Id of the data set.
        runs: Ids of the runs that have a column.
        rows: The classes that have a row.
        classes: Number of classes, with and without a row.
        all_runs: Number of runs that have AP by class, with and without a column.
    """

    dataset: str
    runs: list[str]
    rows: list[ClassRow]
    classes: int
    all_runs: int


def class_tables(results: Results) -> list[ClassTable]:
    """Make a table of AP by class for each data set that a run was evaluated on.

    Args:
        results: What was collected.
    """
    measured = {name: run for name, run in results.runs.items() if _classes(run)}
    tables = []
    for dataset in dict.fromkeys(run.dataset for run in measured.values()):
        names = [name for name, run in measured.items() if run.dataset == dataset]
        ranked = sorted(names, key=lambda name: -_appearances(results, name))[:MOST_RUNS]
        runs = [name for name in names if name in ranked]
        rows = _rows(results, dataset, runs)
        tables.append(ClassTable(dataset, runs, rows[:MOST_CLASSES], len(rows), len(names)))
    return tables


def caption(results: Results, table: ClassTable) -> str:
    """Say what a table of AP by class shows, and what it leaves out.

    Args:
        results: What was collected.
        table: The table.
    """
    said = [
        "AP in percent of each class of the validation set of "
        f"“{results.data[table.dataset].dataset.name}”, as a mean over the seeds, the classes with "
        "most objects first."
    ]
    said.append(networks_text(results, table.runs))
    if len(table.rows) < table.classes:
        said.append(
            f"The {len(table.rows)} of {table.classes} classes with most objects are shown."
        )
    if len(table.runs) < table.all_runs:
        said.append(
            f"The {len(table.runs)} of {table.all_runs} runs are shown that most tables and "
            "figures are about."
        )
    if any(row.is_rare for row in table.rows):
        said.append(f"Where fewer than {FEW} objects are behind an AP, chance decides.")
    return " ".join(said)


def to_csv(results: Results) -> str:
    """Write a line for each run and class, in full precision; an empty field is a missing value.

    Args:
        results: What was collected.
    """
    lines = [
        {
            "run": name,
            "network": run.network,
            "digest": run.digest,
            "dataset": run.dataset,
            "class": row.name,
            "train_objects": row.train_objects,
            "val_objects": row.val_objects,
            "seeds": " ".join(map(str, _seeds(run))),
            "AP": row.precision[name],
            "sd": _spread(run, row.name),
        }
        for name, run in results.runs.items()
        if _classes(run)
        for row in _rows(results, run.dataset, [name])
    ]
    counts = {"train_objects": "Int64", "val_objects": "Int64"}
    frame = pandas.DataFrame(lines, columns=COLUMNS).astype(counts)
    text: str = frame.to_csv(index=False, lineterminator="\n")
    return text


def write_csv(results: Results, folder: Path) -> None:
    """Write ``per_class.csv`` into a folder.

    Args:
        results: What was collected.
        folder: The folder of the report.
    """
    (folder / FILE).write_text(to_csv(results), encoding="utf-8")


def _rows(results: Results, dataset: str, names: list[str]) -> list[ClassRow]:
    """Make a row for each class that one of some runs was evaluated on."""
    check = results.data[dataset].check
    runs = {name: results.runs[name] for name in names}
    classes = dict.fromkeys(one for run in runs.values() for one in _classes(run))
    rows = [
        ClassRow(
            one,
            None if check is None else check.train.per_class.get(one),
            None if check is None else check.val.per_class.get(one),
            {name: _mean(run, one) for name, run in runs.items()},
        )
        for one in classes
    ]
    return sorted(rows, key=lambda row: -(row.val_objects or 0))


def _classes(run: CollectedRun) -> list[str]:
    """List the classes that AP was measured of; none where the run fills no rows."""
    shown = run.seeds.values() if run.is_shown else ()
    return list(dict.fromkeys(one for training in shown for one in training.per_class))


def _values(run: CollectedRun, one: str) -> Iterator[float]:
    """Yield AP of a class for each seed that has it."""
    for training in run.seeds.values():
        value = training.per_class.get(one)
        if value is not None:
            yield value


def _mean(run: CollectedRun, one: str) -> float | None:
    values = list(_values(run, one))
    return fmean(values) if values else None


def _spread(run: CollectedRun, one: str) -> float | None:
    values = list(_values(run, one))
    return stdev(values) if len(values) > 1 else None


def _seeds(run: CollectedRun) -> list[int]:
    return [seed for seed, training in run.seeds.items() if training.per_class]


def _appearances(results: Results, name: str) -> int:
    """Count the tables and figures that show a run, as its row or as the baseline of one."""
    in_tables = sum(
        any(name in (row.run, row.baseline) for row in table.rows) for table in results.tables
    )
    return in_tables + sum(name in figure.runs for figure in results.figures)

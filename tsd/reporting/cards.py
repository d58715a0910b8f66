"""The cards of the runs: which runs have one, and where a card leads to.

A card is the second link of the chain from a number to what made it. The number leads to the card
of its run, and the card leads to the files of each training, the commit, the data and the run in
MLflow. Where the files lie beside the page they are links, and otherwise their paths are written
out to be copied.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from tsd.experiments.metrics import MAIN
from tsd.reporting.cells import measure
from tsd.reporting.wording import count, metric_title, number
from tsd.results.collected import UNFINISHED, CollectedRun, Results, State, Training


@dataclass(frozen=True)
class FileLink:
    """A file that a training left.

    Args:
        holds: What it holds.
        path: Where it is, relative to the project's folder.
        href: Where it is, relative to the page; None where it cannot be reached from there.
    """

    holds: str
    path: str
    href: str | None


def has_card(results: Results, name: str | None) -> bool:
    """Tell whether a run has a card: something of it was begun, or it cannot be made.

    Args:
        results: What was collected.
        name: Id of the run; None where a row has none.
    """
    return name is not None and name in results.runs and _has_begun(results.runs[name])


def with_cards(results: Results) -> dict[str, CollectedRun]:
    """Pick the runs that have a card, in their order."""
    return {name: run for name, run in results.runs.items() if _has_begun(run)}


def without_cards(results: Results) -> list[str]:
    """List the ids of the runs of which nothing was begun."""
    return [name for name, run in results.runs.items() if not _has_begun(run)]


def begun(run: CollectedRun) -> dict[int, Training]:
    """Pick the trainings of a run that somebody has begun, by their seeds."""
    return {
        seed: training
        for seed, training in run.seeds.items()
        if training.state is not State.NOT_RUN
    }


def _has_begun(run: CollectedRun) -> bool:
    return run.mistake is not None or bool(begun(run))


def line(results: Results, name: str) -> str:
    """Say in a line what a run's card holds: its trainings by state, and its main metric.

    Args:
        results: What was collected.
        name: Id of the run.
    """
    run = results.runs[name]
    if run.mistake is not None:
        return "cannot be made"
    states = [training.state for training in run.seeds.values()]
    words = [f"{states.count(State.EVALUATED)} of {count(len(states), 'seed')} evaluated"]
    words += [
        f"{states.count(state)} {state}"
        for state in UNFINISHED
        if state in states and state is not State.NOT_RUN
    ]
    measured = measure(results, name, MAIN)
    if measured.mean is not None:
        metric = results.metrics[MAIN]
        words.insert(0, f"{metric_title(metric)} {number(measured.mean, metric.decimals)}")
    return ", ".join(words)


def file_links(training: Training, page: Path | None) -> list[FileLink]:
    """List the files that a training left.

    Args:
        training: The training.
        page: The folder of the page; None where the page is read on other machines, to which the
            trainings' folders do not come along.
    """
    if training.folder is None:
        return []
    found = []
    for holds, name in training.files.items():
        path = Path(training.folder, name)
        is_near = page is not None and path.is_file()
        href = Path(os.path.relpath(path, page)).as_posix() if is_near else None
        found.append(FileLink(holds, path.as_posix(), href))
    return found

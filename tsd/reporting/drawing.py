"""What the functions that draw figures share: what they return, and how they look and speak."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tsd.reporting.cells import run_state
from tsd.reporting.wording import WORDS
from tsd.results.collected import Results, State
from tsd.results.extracts import ExampleObject, TrainingExtract
from tsd.results.own_records import require_own
from tsd.run_folder import RunFolder

OURS, PAPERS, INK, SOFT, RULES = "#0072b2", "#d55e00", "#22262b", "#5b636b", "#e4e7ea"
"""Okabe and Ito's blue and vermilion, and greys. Colours alone tell nothing apart: shapes, dashes
and hatches do it too."""

Extract = TypeVar("Extract", bound=TrainingExtract)
Example = TypeVar("Example", bound=ExampleObject)


@dataclass(frozen=True)
class Drawing:
    """What a function that draws a kind of figure returns.

    Title, caption and files are the same for all kinds (:mod:`tsd.reporting.declared_figure`).

    Args:
        picture: What was drawn, without the figure's title.
        shown: Sentences for the caption, on what is to be seen and by which rules.
        seeds: Which trainings are drawn: the id of a run → its seeds.
        told: What the line below the title says after the name of the grid.
    """

    picture: Figure
    shown: list[str]
    seeds: dict[str, list[int]]
    told: list[str]


def measured_seeds(results: Results) -> dict[str, list[int]]:
    """List the seeds of each run that have results; none of a run that is about other data."""
    return {
        name: [
            seed
            for seed, training in run.seeds.items()
            if run.is_shown and training.state is State.EVALUATED
        ]
        for name, run in results.runs.items()
    }


def extracted(
    results: Results, run: str, kind: str, extract: type[Extract]
) -> tuple[int, Extract] | None:
    """Read what was extracted from a trained run for figures of a kind.

    Args:
        results: The collected results.
        run: Id of the run.
        kind: Name of the kind.
        extract: Class of the extracted file.

    Returns:
        The first seed that has such a file, and the content of the file; None where no seed has
        one. A training that is refused is passed over.

    Raises:
        RecordError: The file is malformed, or shows the network of another training.
    """
    seeds = results.runs[run].seeds if run in results.runs else {}
    for seed, training in sorted(seeds.items()):
        if training.folder is None or training.state is State.REFUSED:
            continue
        path = RunFolder(Path(training.folder)).extracted(kind)
        content = extract.read(path)
        if content is not None:
            require_own(path, content.key)
            return seed, content
    return None


def present(examples: Iterable[Example]) -> list[Example]:
    """Leave out the examples that cannot be drawn, because their image is no longer there."""
    return [example for example in examples if Path(example.image).is_file()]


def word(state: State) -> str:
    """Write how far a run or a value has come."""
    return WORDS.get(state, state.value)


def absence(results: Results, run: str, is_extracted: bool = False) -> str:
    """Say why there is nothing to draw of what a trained network does.

    Args:
        results: The collected results.
        run: Id of the run.
        is_extracted: Whether something was extracted from the run.
    """
    if is_extracted:
        return f"{run}: no annotated object to look at"
    state = run_state(results, run)
    if state in (State.EVALUATED, State.PARTIAL):
        return f"{run}: evaluated, but nothing was extracted\nfrom it for this figure"
    return f"{run}: {word(state)}"


def message_picture(text: str) -> Figure:
    """Make a picture that only says why nothing is drawn."""
    picture = Figure(figsize=(8, 2.6), layout="constrained")
    write_message(picture.add_subplot(), text)
    return picture


def write_message(axes: Axes, text: str) -> None:
    """Write in the middle of empty axes why nothing is drawn there."""
    axes.set_axis_off()
    axes.text(
        0.5,
        0.5,
        text,
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=10,
        color=INK,
        parse_math=False,
        bbox={"boxstyle": "square,pad=1.2", "fc": "#f6f7f9", "ec": SOFT, "ls": "--"},
    )

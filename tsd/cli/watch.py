"""A table on the terminal that shows how far each training is and renews itself."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tsd.cli.overview import Line, Overview
from tsd.results.collected import State

SECONDS = 5
"""The files are read again after so many seconds."""

ORDER = (
    State.RUNNING,
    State.REFUSED,
    State.FAILED,
    State.INTERRUPTED,
    State.NOT_POSSIBLE,
    State.TRAINED,
    State.NOT_RUN,
    State.EVALUATED,
)
"""What a person who waits wants to see first; where the terminal is full, the last are counted."""

COLOURS = {
    State.RUNNING: "cyan",
    State.REFUSED: "red",
    State.FAILED: "red",
    State.INTERRUPTED: "yellow",
    State.NOT_POSSIBLE: "red",
    State.EVALUATED: "green",
}

FRAME = 4
"""Lines that the table takes beside its rows."""


def watch(look: Callable[[], Overview], console: Console | None = None) -> None:
    """Show how far the trainings are until all are evaluated, or until Ctrl-C.

    Args:
        look: Reads the files, and is called every few seconds.
        console: The terminal; by default the one that the program writes to.
    """
    console = console or Console()
    with (
        contextlib.suppress(KeyboardInterrupt),
        Live(console=console, auto_refresh=False, vertical_overflow="crop") as live,
    ):
        while True:
            overview = look()
            live.update(picture(overview, console.height), refresh=True)
            if overview.is_over:
                return
            time.sleep(SECONDS)


def picture(overview: Overview, height: int) -> RenderableType:
    """What the terminal shows.

    Args:
        overview: How far the trainings are.
        height: Lines of the terminal; what does not fit is counted by its states.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    table.add_column("run", no_wrap=True)
    table.add_column("seed", justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("iterations", no_wrap=True, width=28)
    table.add_column("", ratio=1, overflow="fold")
    ordered = sorted(overview.lines, key=lambda line: ORDER.index(line.state))
    end = [] if overview.is_over else ["Ctrl-C ends this view; the trainings go on."]
    below = [*overview.summary, *end]
    shown = _fitting(ordered, height - FRAME - len(below) - 1)
    for line in shown:
        table.add_row(
            line.run,
            str(line.seed),
            Text(line.state, style=COLOURS.get(line.state, "")),
            _bar(line),
            _words(line),
        )
    rest = Counter(line.state for line in ordered[len(shown) :])
    more = [", ".join(f"{number} more {state}" for state, number in rest.items())] if rest else []
    return Group(table, *map(Text, [*more, *below]))


def _fitting(lines: Sequence[Line], room: int) -> Sequence[Line]:
    """The first lines that fit into some lines of the terminal, at least one."""
    taken = 0
    for number, line in enumerate(lines):
        taken += 2 if line.log else 1
        if taken > room and number:
            return lines[:number]
    return lines


def _bar(line: Line) -> RenderableType:
    """How many iterations are done, as a bar and as numbers."""
    if not line.counted:
        return ""
    bar = ProgressBar(total=line.max_iterations, completed=line.iteration or 0, width=12)
    grid = Table.grid(padding=(0, 1))
    grid.add_row(bar, line.counted)
    return grid


def _words(line: Line) -> Text:
    """What else there is to say; a log has a line of its own, so that it can be copied."""
    words = ", ".join(word for word in (line.left, line.said) if word)
    return Text(f"{words}\nlog: {line.log}" if line.log else words)

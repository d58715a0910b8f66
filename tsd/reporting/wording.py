"""How numbers, states and names are written, the same in every format."""

import datetime
import unicodedata
from collections.abc import Iterable, Sequence

from tsd.experiments.metrics import Metric
from tsd.experiments.schema import Row
from tsd.reporting.cells import Cell, FilledRow
from tsd.results.collected import EXPLAINED, CollectedRun, State

NOTHING = "—"
WORDS = {State.MISSING: "n/a", State.NOT_DECLARED: "literature"}
SPREAD = (
    "±: after a measured value stands its sample standard deviation over seeds, "
    "after a gain the standard error of the difference of the two means"
)
LEGEND = {
    State.PARTIAL: "k of n seeds: the mean is over those seeds that are evaluated",
    State.REFUSED: "refused: a file of the training cannot be believed, for the reason that is "
    "given here",
    State.FAILED: "failed: the training or its evaluation ended with an error, which is given here",
    State.INTERRUPTED: "interrupted: the training stopped before its end and can go on",
    State.RUNNING: "running: the training has not ended yet",
    State.TRAINED: "trained: the training has ended, and its detections are not evaluated yet",
    State.NOT_RUN: "not run: the training has not begun",
    State.MISSING: "n/a: the training is evaluated, but there was nothing to measure",
    State.NOT_MEASURED: "not measured: the training is evaluated, but nobody measured this",
    State.NOT_DECLARED: "literature: the row has published values only, since no run stands for it",
    State.NOT_ON_THESE_DATA: "not on this data: the run is about another data set, and a training "
    "on the one at hand cannot stand for it",
    State.NOT_AT_SCALE: "not at this scale: no network of this scale stands for the run’s",
    State.NOT_UNDER_PROTOCOL: "under another protocol: the row is about a protocol that the run "
    "does not follow here",
    State.NOT_POSSIBLE: "not possible: the run cannot be made as it is declared, for the reason "
    "that is given here",
    State.NOT_COLLECTED: "not collected: the run was left out when these results were gathered",
}


def number(value: float | None, decimals: int) -> str:
    """Write a value; a dash for None, and a real minus sign."""
    return NOTHING if value is None else f"{value:z.{decimals}f}".replace("-", "−")


def count(amount: int | None, noun: str = "", plural: str | None = None) -> str:
    """Write how many there are of something, thousands apart; a dash for None.

    Args:
        amount: How many.
        noun: What they are; without it the number stands alone.
        plural: The word for several, if it is not the noun with an "s".
    """
    if amount is None:
        return NOTHING
    word = noun if amount == 1 or not noun else plural or f"{noun}s"
    return f"{amount:,} {word}".strip()


def printed(value: float | None, decimals: int) -> str:
    """Write a published value with the metric's decimals, or with its own if it has more."""
    return number(value, decimals if value is None else max(decimals, own_decimals(value)))


def own_decimals(value: float) -> int:
    """Return how many decimals a number has, at most three."""
    return len(f"{round(value, 3):g}".partition(".")[2])


def signed(value: float | None, decimals: int) -> str:
    """Write a difference with its sign, none on what rounds to zero."""
    text = number(value, decimals)
    return text if value is None or value < 0 or is_zero(value, decimals) else f"+{text}"


def is_zero(value: float, decimals: int) -> bool:
    """Tell whether a value is written as zero."""
    return float(f"{value:.{decimals}f}") == 0


def spread(sd: float | None, decimals: int) -> str:
    """Write a standard deviation or error to follow its value; nothing for None."""
    return "" if sd is None else f"± {number(sd, decimals)}"


def state_word(cell: Cell) -> str:
    """Name the state of a cell in a table."""
    if cell.measured.state is State.PARTIAL:
        return f"{len(cell.measured.values)} of {cell.measured.declared} seeds"
    return WORDS.get(cell.measured.state, cell.measured.state.value)


def measured_text(cell: Cell, decimals: int) -> str:
    """Write mean and standard deviation, or the word that says why there are none."""
    if cell.measured.mean is None:
        return state_word(cell)
    words = [number(cell.measured.mean, decimals), spread(cell.measured.sd, decimals)]
    if cell.measured.state is State.PARTIAL:
        words.append(f"({state_word(cell)})")
    return " ".join(word for word in words if word)


def gain_text(cell: Cell, decimals: int) -> str:
    """Write the measured gain with its standard error."""
    return f"{signed(cell.gain, decimals)} {spread(cell.gain_sd, decimals)}".strip()


def legend(rows: Iterable[FilledRow]) -> list[str]:
    """Explain what ± means, the states that occur in a table, and the dash."""
    cells = [cell for row in rows for cell in row.cells]
    found = {cell.measured.state for cell in cells}
    has_spread = any(cell.measured.sd is not None for cell in cells)
    return [
        *([SPREAD] if has_spread else []),
        *(text for state, text in LEGEND.items() if state in found),
        f"{NOTHING}: there is no such number (nothing measured, nothing published or no baseline)",
    ]


def failures(run: CollectedRun | None) -> list[str]:
    """Say why a run cannot be made, or why seeds of it failed or are refused, in a line each."""
    if run is None:
        return []
    if run.mistake is not None:
        return [f"cannot be made: {first_line(run.mistake)}"]
    return [
        f"seed {seed} {training.state}: {first_line(training.error)}"
        for seed, training in run.seeds.items()
        if training.state in EXPLAINED
    ]


def first_line(text: str | None) -> str:
    """Return the first line that says something."""
    lines = (text or "").strip().splitlines()
    return lines[0] if lines else "no reason was recorded"


def metric_title(metric: Metric) -> str:
    """Write a metric's name with its unit."""
    return f"{metric.title} ({metric.unit})" if metric.unit else metric.title


def row_name(row: Row) -> str:
    """Name a row on its own, outside its table: the label with the attributes."""
    attributes = [
        head if cell == "✓" else f"{head} {cell}" for head, cell in row.attributes.items()
    ]
    return f"{row.label} ({', '.join(attributes)})" if attributes else row.label


def listed(words: Sequence[str]) -> str:
    """List words in a sentence, with an "and" before the last; the empty text for none."""
    *others, last = words or [""]
    return f"{', '.join(others)} and {last}" if others else last


def listed_once(words: Iterable[str]) -> str:
    """List words in a sentence, equal ones once."""
    return listed(list(dict.fromkeys(words)))


def width(text: str) -> int:
    """Count the columns a text takes in a fixed-width font; accents stand on their letter."""
    return sum(not unicodedata.combining(character) for character in text)


def duration(seconds: float) -> str:
    """Write a time span in its two leading units."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def moment(stamp: str) -> str:
    """Write an ISO 8601 time to the minute."""
    return datetime.datetime.fromisoformat(stamp).strftime("%Y-%m-%d %H:%M %Z").strip()


def commit_text(commit: str | None, dirty: bool | None) -> str:
    """Write a commit, and whether the files differed from it."""
    if commit is None:
        return "commit unknown"
    return f"{commit[:10]}, dirty" if dirty else commit[:10]


def level(error: float) -> str:
    """Write how often an interval contains the truth.

    Args:
        error: How often it may miss.
    """
    return f"{100 * (1 - error):.6g}%"

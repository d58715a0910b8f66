"""The order of a training's events, which tells whether two trainings have written to a folder."""

import json
from collections.abc import Iterable
from pathlib import Path


class DisorderedEventsError(RuntimeError):
    """Two trainings wrote to one folder; the message says where that shows and what to do."""


def check_order(path: Path, steps: Iterable[tuple[int, int]]) -> None:
    """See that the steps of an event file increase, as those of a single training do.

    A training that goes on drops the events beyond its checkpoint before it adds its own. Steps
    that fall back therefore come from another training in the same folder, and its checkpoints
    may too.

    Args:
        path: The file, for the message.
        steps: Number of the line and step of each event, in the order of the file.

    Raises:
        DisorderedEventsError: If a step does not follow the one before.
    """
    before = None
    for line, step in steps:
        if before is not None and step <= before:
            raise DisorderedEventsError(
                f"{path}:{line}: step {step} follows {before}: two trainings have written to this "
                "folder at once, so that nobody knows which of them its weights are from. Delete "
                f"the folder {path.parent} to train anew"
            )
        before = step


def read_steps(path: Path) -> Iterable[tuple[int, int]]:
    """Number of the line and step of each event of a file; lines that are cut are passed over."""
    if not path.exists():
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            yield number, int(json.loads(line)["step"])
        except (ValueError, KeyError, TypeError):
            continue

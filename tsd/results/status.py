"""``status.json``: how the last step of a training stands, checked before anybody trusts it."""

from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict

from tsd.results.possible_values import Count
from tsd.results.records import Record
from tsd.run_folder import RunFolder


class Status(Record):
    """What the file says; it has all keys that anybody reads, and may have others.

    ``state`` is that of the last step, and ``error`` says why it failed or was interrupted. The
    others are what :mod:`tsd.liveness` and the steps write down of the process that trains.
    """

    model_config = ConfigDict(extra="allow")

    state: Literal["running", "interrupted", "failed", "done"]
    error: str | None = None
    permanent: bool | None = None
    log: str | None = None
    attempts: Count = 0
    iteration: Count = 0
    max_iterations: Count = 0
    seconds: float | None = None
    seconds_left: float | None = None
    host: str = ""
    pid: int = 0
    pid_started: int | None = None
    updated: float = 0
    workflow: dict[str, Any] | None = None
    scheduler_job: str | None = None

    @classmethod
    def remedy(cls, path: Path) -> str:
        """Say what to do: nothing makes the status of a training anew that has ended."""
        folder = RunFolder(path.parent)
        if folder.trained.is_file() or folder.train.is_file():
            return 'write {"state": "done"} into the file, since the training has ended'
        return "delete the file, and the training goes on from its last checkpoint"


def read_status(folder: RunFolder) -> dict[str, Any]:
    """Read the status of a training: those of its keys that the file has; empty without a file.

    Raises:
        RecordError: The file is malformed; the message names it and says what to do.
    """
    status = Status.read(folder.status)
    return {} if status is None else status.model_dump(exclude_unset=True)

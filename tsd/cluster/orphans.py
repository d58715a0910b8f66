"""Trainings on this machine whose Snakemake is gone are asked to save and to end.

A Snakemake that is killed leaves its trainings running. The next one does not know of them, and
would start the same trainings beside them.
"""

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tsd.experiments.reading import DeclarationError
from tsd.liveness import is_alive, is_training
from tsd.run_folder import readable_status

SECONDS_TO_END = 600
"""So long trainings may take for an iteration and a checkpoint."""


def end_orphans(results: Path, announce: Callable[[str], None]) -> None:
    """Have the trainings of a grid that nobody waits for any more save and end; wait for that.

    Trainings of a Snakemake that is alive, those that a person has started and those of a
    scheduler are left alone.

    Args:
        results: Folder of the grid's results.
        announce: Called with a line for the person who waits.

    Raises:
        DeclarationError: If they do not end, or may not be asked to.
    """
    orphans = {
        path.parent: status
        for path in sorted(results.glob("*/*/seed*/status.json"))
        if _is_orphan(status := readable_status(path))
    }
    for folder, status in orphans.items():
        announce(
            f"{folder}: a training that an earlier Snakemake left behind (process {status['pid']}) "
            "is asked to save and to end; it goes on from there"
        )
        try:
            os.kill(status["pid"], signal.SIGTERM)
        except ProcessLookupError:
            continue
        except PermissionError as error:
            raise DeclarationError(
                f"{folder}: process {status['pid']} of another user trains here, and no Snakemake "
                "waits for it: have it ended first"
            ) from error
    deadline = time.monotonic() + SECONDS_TO_END
    while left := [status["pid"] for status in orphans.values() if _lives(status)]:
        if time.monotonic() > deadline:
            raise DeclarationError(
                f"trainings of an earlier Snakemake do not end: processes {left}; `kill -9` ends "
                "them, and costs what they have not saved"
            )
        time.sleep(0.2)


def _is_orphan(status: dict[str, Any]) -> bool:
    """Whether a training of this machine lives on without the Snakemake that started it."""
    workflow = status.get("workflow")
    return (
        workflow is not None
        and not status.get("scheduler_job")
        and {status.get("host"), workflow["host"]} == {socket.gethostname()}
        and is_training(status)
        and not _lives(workflow)
    )


def _lives(process: dict[str, Any]) -> bool:
    return is_alive(process["pid"], process.get("pid_started"))

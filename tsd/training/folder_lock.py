"""One training at a time in a run's folder.

Two trainings in one folder would mix their events and go on from each other's checkpoints. A
Snakemake that is killed leaves its trainings behind, and whoever starts the next does not know of
them. A training therefore holds a lock of its folder, which the kernel takes back when its process
ends in whatever way.
"""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

from filelock import FileLock, Timeout

from tsd.liveness import SILENCE, is_training, this_process
from tsd.results.status import read_status
from tsd.run_folder import RunFolder

SECONDS_TO_WAIT = 60
"""So long a lock may outlive its training, whose loader's workers hold it too until they notice."""

_SECONDS_BETWEEN = 0.5


class FolderInUseError(Exception):
    """Another process trains in the folder; the message says which, and what to do."""


@contextlib.contextmanager
def alone_in(folder: RunFolder, announce: Callable[[str], None]) -> Iterator[None]:
    """Keep other trainings out of a run's folder. What is in it is left as it is.

    A process that is alone in a folder already may say so again.

    Args:
        folder: Of the run.
        announce: Called with a line if the file system has no locks, so that no more is known than
            what ``status.json`` says.

    Raises:
        FolderInUseError: If another process trains there.
    """
    folder.work.mkdir(parents=True, exist_ok=True)
    # Nothing but the kernel's lock: a file in its place would outlive a training that is killed.
    lock = FileLock(folder.work / ".lock", is_singleton=True, fallback_to_soft=False)
    try:
        _take(lock, folder)
    except (OSError, NotImplementedError) as error:
        announce(f"no lock of {folder.work} ({error}): no second training may be started here")
        yield
        return
    try:
        yield
    finally:
        lock.release()


def _take(lock: FileLock, folder: RunFolder) -> None:
    """Take the lock of a folder once nobody else trains there."""
    deadline = time.monotonic() + SECONDS_TO_WAIT
    while True:
        status = read_status(folder)
        if not _trains_elsewhere(status):
            with contextlib.suppress(Timeout):
                lock.acquire(timeout=0)
                return
        elif not _may_be_ending(status):
            raise FolderInUseError(_in_use(folder, status))
        if time.monotonic() > deadline:
            raise FolderInUseError(_in_use(folder, status))
        time.sleep(_SECONDS_BETWEEN)


def _trains_elsewhere(status: dict[str, Any]) -> bool:
    """Whether a process other than this one trains, as far as the status says.

    Of a process on another machine nothing is known but its last sign. Where both are jobs of a
    scheduler, it has ended the one before it started the other.
    """
    own = this_process()
    if "pid" not in status or own.items() <= status.items() or not is_training(status):
        return False
    by_scheduler = bool(status.get("scheduler_job")) and "SLURM_JOB_ID" in os.environ
    return status.get("host") == own["host"] or not by_scheduler


def _may_be_ending(status: dict[str, Any]) -> bool:
    """Whether a scheduler has just ended the other training, which then saves its state."""
    return bool(status.get("scheduler_job")) and "SLURM_JOB_ID" in os.environ


def _in_use(folder: RunFolder, status: dict[str, Any]) -> str:
    """What to tell of the training that is in the way."""
    if not _trains_elsewhere(status):
        return (
            f"{folder.path}: another process holds the lock {folder.work / '.lock'}, and does not "
            f"say which it is; `fuser {folder.work / '.lock'}` does on its machine"
        )
    pid, host = status["pid"], status.get("host")
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(status.get("since", 0)))
    told = f"{folder.path}: another process trains here: {pid} on {host}, since {since}. "
    if host == socket.gethostname():
        return told + f"Wait for it, or end it with `kill {pid}`: it saves, and the next goes on"
    silent = time.strftime("%H:%M", time.localtime(status.get("updated", 0) + SILENCE))
    return told + (
        f"Wait for it, or end it there with `kill {pid}`: it saves, and the next goes on. If it is "
        f"not there any more, it counts as ended {SILENCE // 60} minutes after its last sign, at "
        f"{silent}"
    )

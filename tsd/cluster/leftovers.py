"""One Snakemake at a time submits for a folder, and ends what an earlier one left queued."""

import fcntl
import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from tsd.experiments.load import DeclarationError

SECONDS_TO_END = 600

_held: list[IO[str]] = []
"""The lock of this process, for as long as it lives."""


def work_alone(folder: Path) -> bool:
    """Keep other Snakemakes from submitting jobs for a folder while this process lives.

    Snakemake's own lock is of files, so that two may be at work on different tables; but a second
    one would take the first one's jobs for left behind.

    Returns:
        Whether it is sure: some file systems know no locks.

    Raises:
        DeclarationError: If another one is at work. Says which.
    """
    lock = (folder / ".snakemake" / "slurm.lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise DeclarationError(
            f"another Snakemake ({lock.read().strip()}) has SLURM jobs for this folder: wait for "
            "it, name both targets in one call, or work in another clone"
        ) from None
    except OSError:
        return False
    lock.truncate(0)
    lock.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    lock.flush()
    _held.append(lock)
    return True


def end_leftovers(folder: Path, name_prefix: str, announce: Callable[[str], None]) -> None:
    """Cancel this folder's jobs that nobody waits for any more, and wait until they are gone.

    A Snakemake that was killed leaves its jobs running, and the next one does not know of them: it
    would submit the same trainings again, beside the first. A training that is cancelled saves its
    state, so the next one goes on where it was. To be called by the one that works alone.

    Args:
        folder: Where the workflow runs.
        name_prefix: What the jobs' names begin with, as the profile says: the folder may have jobs
            of other kinds.
        announce: Takes a line for the person who waits.

    Raises:
        DeclarationError: If they do not end.
    """
    jobs = _jobs_of(folder, name_prefix)
    if not jobs:
        return
    announce(
        f"cancelling {len(jobs)} SLURM jobs that an earlier Snakemake left behind: "
        f"{' '.join(jobs)}; their trainings go on from where they were"
    )
    subprocess.run(["scancel", *jobs], check=False)  # noqa: S603, S607 numbers
    deadline = time.monotonic() + SECONDS_TO_END
    while left := _jobs_of(folder, name_prefix):
        if time.monotonic() > deadline:
            raise DeclarationError(
                f"SLURM jobs of an earlier Snakemake do not end: {' '.join(left)}; "
                "see `squeue` and `scancel`"
            )
        time.sleep(1)


def _jobs_of(folder: Path, name_prefix: str) -> list[str]:
    """Numbers of this user's jobs that are queued or running for a folder."""
    listed = subprocess.run(  # noqa: S603
        ["squeue", "--noheader", f"--user={os.getuid()}", "--format=%i|%j|%Z"],  # noqa: S607
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    jobs = [line.split("|", 2) for line in listed.splitlines()]
    return [
        number
        for number, name, place in jobs
        if name.startswith(f"{name_prefix}_") and Path(place) == folder
    ]

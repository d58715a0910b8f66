"""One Snakemake at a time submits jobs for a folder, and cancels those an earlier one has left.

Snakemake waits for the jobs that it has submitted. If it is killed, SLURM runs them all the same,
and the next Snakemake does not know of them.
"""

import fcntl
import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from tsd.experiments.reading import DeclarationError

SECONDS_TO_END = 600
"""So long cancelled jobs may take until they are gone; trainings save their state meanwhile."""

_held: list[IO[str]] = []
"""This process's lock file. It is kept open here, because closing it would give the lock up."""


def work_alone(folder: Path) -> bool:
    """Keep other Snakemakes from submitting jobs for a folder while this process lives.

    Snakemake itself locks the files that it is going to make, and therefore lets two of them work
    on different tables. Here the second would take the first one's jobs for left behind and cancel
    them.

    Returns:
        True if this process has the lock, False on a file system without locks.

    Raises:
        DeclarationError: If another Snakemake is at work. Says which process, on which machine.
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
    """Cancel a folder's jobs that no Snakemake waits for any more, and wait until they are gone.

    Otherwise the same trainings would be submitted again and run beside the first. A training that
    is cancelled saves its state, so that the next one goes on where it was. Only a process for
    which :func:`work_alone` has returned True may call this.

    Args:
        folder: Folder that the workflow runs in.
        name_prefix: What the names of the workflow's jobs begin with, as the profile says. Other
            jobs of the folder are left alone.
        announce: Takes a line for the person who waits.

    Raises:
        DeclarationError: If jobs are still there after ``SECONDS_TO_END``.
    """
    jobs = _jobs_of(folder, name_prefix)
    if not jobs:
        return
    announce(
        f"cancelling {len(jobs)} SLURM jobs that an earlier Snakemake left behind: "
        f"{' '.join(jobs)}; their trainings go on from where they were"
    )
    subprocess.run(["scancel", *jobs], check=False)  # noqa: S603, S607 jobs are numbers
    deadline = time.monotonic() + SECONDS_TO_END
    while left := _jobs_of(folder, name_prefix):
        if time.monotonic() > deadline:
            raise DeclarationError(
                f"SLURM jobs of an earlier Snakemake do not end: {' '.join(left)}; "
                "see `squeue` and `scancel`"
            )
        time.sleep(1)


def _jobs_of(folder: Path, name_prefix: str) -> list[str]:
    """Return the numbers of this user's jobs that are queued or running for a folder."""
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

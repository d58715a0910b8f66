"""What the steps of one job share: the job that options name, its log, and how it may end."""

import contextlib
import os
import socket
import sys
import time
import traceback
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path

from tsd.cluster.gpu_devices import VISIBLE
from tsd.cluster.mps import PIPES
from tsd.data.coco_format import DatasetError
from tsd.experiments.grid import Grid
from tsd.experiments.job import Job
from tsd.experiments.reading import DeclarationError
from tsd.experiments.settings import SETTINGS, open_grid
from tsd.run_folder import readable_status, update_status

TO_BE_CONTINUED = 75
"""Exit status of a training that saved its state and ended early: EX_TEMPFAIL of sysexits.h."""


def grid_of(options: Namespace) -> Grid:
    """The grid that the options name."""
    settings = {name: getattr(options, name) for name in SETTINGS if name in options}
    return open_grid(settings, options.results)


def planned_job(grid: Grid, options: Namespace) -> Job:
    """The job that the options name, if it still is what the workflow planned."""
    job = grid.job(options.run, options.seed)
    if options.digest and options.digest != job.digest:
        raise DeclarationError(
            f"run {job.run.id} was planned as {options.digest}, but compiles to {job.digest} now: "
            "its declaration was edited in between; start the workflow again"
        )
    return job


def job_of(options: Namespace) -> Job:
    """The same, of the grid that the options name."""
    return planned_job(grid_of(options), options)


@contextlib.contextmanager
def logged(log: Path | None, job: Job) -> Iterator[Callable[[str], None]]:
    """Send all output to a log but for what is announced; note a failure in the run's status.

    A mistake in what is declared, or in the data, is told without a traceback: its message says
    where it is.

    Yields:
        A function that writes a line, marked with the run, to the terminal.
    """
    terminal = os.fdopen(
        os.dup(sys.stdout.fileno()),
        "w",
        buffering=1,
        encoding=sys.stdout.encoding,
        errors="backslashreplace",
    )
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(target, stream.fileno())
        print(_attempt_heading())

    def announce(line: str) -> None:
        with contextlib.suppress(OSError):  # a terminal that was closed ends nothing
            print(f"[{job.run.id} · seed {job.seed}] {line}", file=terminal)

    try:
        yield announce
    except Exception as error:
        if not isinstance(error, DatasetError | DeclarationError):
            traceback.print_exc()
        elif log is not None:  # where there is none, what is announced below says the same
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(_note_failure(job, error, log, announce))


def _attempt_heading() -> str:
    """The line between the attempts in a log: when, where, and which of the scheduler's jobs.

    Where a GPU was chosen for it, the line names that, and MPS if others may compute on it too.
    """
    heading = f"== {time.strftime('%Y-%m-%d %H:%M:%S')}, {socket.gethostname()}"
    if os.environ.get(VISIBLE):
        heading += f", GPU {os.environ[VISIBLE]}"
    if os.environ.get(PIPES):
        heading += ", behind MPS"
    if "SLURM_JOB_ID" in os.environ:
        heading += f", SLURM job {os.environ['SLURM_JOB_ID']}"
    return heading


def _note_failure(
    job: Job, error: Exception, log: Path | None, announce: Callable[[str], None]
) -> int:
    """Write down why a job ended, and whether another attempt may help; the exit status."""
    from mmengine.dist import get_dist_info

    from tsd.training.failures import may_pass
    from tsd.training.interruption import InterruptedTrainingError

    rank, processes = get_dist_info()
    if isinstance(error, InterruptedTrainingError):
        if rank == 0:
            update_status(job.folder, state="interrupted", error=str(error))
            announce(f"interrupted: {error}")
        return TO_BE_CONTINUED
    reason = f"{type(error).__name__}: {error}"
    if rank > 0:
        reason = f"process {rank}: {reason}"
    announce(f"failed: {reason}" + (f" (log: {log})" if log else ""))
    # What the other processes meet when the first to fail has gone is no reason of its own.
    if processes == 1 or readable_status(job.folder.status).get("state") != "failed":
        update_status(
            job.folder,
            state="failed",
            error=reason,
            permanent=not may_pass(error),
            log=log and str(log),
        )
    return 1

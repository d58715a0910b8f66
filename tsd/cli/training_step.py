"""Training, one job in one or several processes, and what runs beside it."""

import contextlib
import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tsd.cli.job_step import TO_BE_CONTINUED, grid_of, job_of, logged, planned_job
from tsd.experiments.card import places_of
from tsd.experiments.grid import Grid
from tsd.experiments.job import Job
from tsd.results.status import read_status
from tsd.tracking.uri import tracking_uri

if TYPE_CHECKING:
    from tsd.training.interruption import Interruption

FOLLOWER_SECONDS = 30
"""For MLflow to take the last of a training."""

IN_USE = 69
"""Exit status where another process trains in the job's folder: EX_UNAVAILABLE of sysexits.h."""


def train(options: Namespace) -> None:
    """Train one job; or be one of the processes that do, where several were started."""
    grid = grid_of(options)
    job = planned_job(grid, options)
    if job.checkpoint is not None:
        _take_weights(grid, job, options)
        return
    earlier = read_status(job.folder)
    if options.attempt > 1 and earlier.get("state") == "failed" and earlier.get("permanent"):
        if options.log is not None:
            _link_log(options.log)
        sys.exit(f"{job.key}: not tried again, it would fail again: {earlier['error']}")
    from mmengine.dist import barrier, is_main_process
    from torch import distributed

    from tsd.training.processes import join

    several = join()
    try:
        with _alone_in_folder(job, options.log):
            if is_main_process() and options.log is not None:
                _begin_log(options.log)
            barrier()
            _train(grid, job, options)
    except SystemExit as end:
        if several:
            if end.code == TO_BE_CONTINUED:
                # All have agreed to it, and the first still tells MLflow.
                distributed.barrier()
            # Not the usual way out, which waits for processes that may wait for this one.
            sys.stderr.flush()
            os._exit(int(end.code or 0))
        raise
    if several:
        distributed.destroy_process_group()


def _take_weights(grid: Grid, job: Job, options: Namespace) -> None:
    """Have a job's weights from a file; several processes would have no more to do than one."""
    with logged(options.log, job) as announce:
        from mmengine.dist import is_main_process

        from tsd.training.taken_weights import take_weights

        if is_main_process():
            take_weights(job, places_of(job.run.id, grid.experiments), announce)


@contextlib.contextmanager
def _alone_in_folder(job: Job, log: Path | None) -> Iterator[None]:
    """Keep other trainings out of the job's folder, or end without a word in its files."""
    from mmengine.dist import is_main_process

    from tsd.training.folder_lock import FolderInUseError, alone_in

    with contextlib.ExitStack() as meanwhile:
        if is_main_process():
            try:
                meanwhile.enter_context(alone_in(job.folder, print))
            except FolderInUseError as error:
                if log is not None:
                    _link_log(log)
                print(f"tsd: {error}", file=sys.stderr)
                sys.exit(IN_USE)
        yield


def _begin_log(log: Path) -> None:
    """Give this attempt a log of its own, to which the declared one leads.

    Snakemake removes the declared one before each attempt.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    log.with_name(f"{log.stem}.{_attempts_logged(log) + 1}.log").touch()
    _link_log(log)


def _link_log(log: Path) -> None:
    """Have the declared log lead to the last attempt's, if there is one."""
    if number := _attempts_logged(log):
        log.unlink(missing_ok=True)
        log.symlink_to(f"{log.stem}.{number}.log")


def _attempts_logged(log: Path) -> int:
    return len(list(log.parent.glob(f"{log.stem}.*.log")))


def _train(grid: Grid, job: Job, options: Namespace) -> None:
    """Train, while another process keeps MLflow up to date."""
    with contextlib.ExitStack() as afterwards, logged(options.log, job) as announce:
        from mmengine.dist import is_main_process

        from tsd.training.finished import finished_training
        from tsd.training.interruption import Interruption
        from tsd.training.train import train as train_job

        with Interruption(options.minutes or None) as interruption:
            if is_main_process() and finished_training(job) is None:
                afterwards.callback(_wait_for_scheduler, job, interruption)
                announce("starts")
                follower = subprocess.Popen(_follower_of(job))  # noqa: S603 a list, no shell
                afterwards.callback(_dismiss, follower)
            train_job(job, places_of(job.run.id, grid.experiments), announce, interruption)


def _follower_of(job: Job) -> list[str]:
    """The command that brings a job's files into MLflow while this process trains it."""
    follow = [sys.executable, "-m", "tsd", "follow", f"--pid={os.getpid()}"]
    return [*follow, f"--results={job.results}", *job.command_line_options]


def _wait_for_scheduler(job: Job, interruption: "Interruption") -> None:
    if interruption.by_scheduler and read_status(job.folder)["state"] == "interrupted":
        interruption.wait_to_be_ended()


def _dismiss(follower: subprocess.Popen[bytes]) -> None:
    """Have the outcome brought into MLflow, but do not wait for ever for a store that is away.

    One process a run: the step that tracks the finished job must not meet the follower.
    """
    follower.terminate()
    try:
        follower.wait(timeout=FOLLOWER_SECONDS)
    except subprocess.TimeoutExpired:
        follower.kill()
        follower.wait()


def follow(options: Namespace) -> None:
    """Bring a job's files into MLflow for as long as it trains."""
    from tsd.tracking.store import follow_run

    follow_run(job_of(options).folder.path, tracking_uri(), options.pid)

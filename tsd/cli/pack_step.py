"""Trainings that share a job of a cluster: each is tried there, and taken over one by one.

Snakemake packs several trainings into one job, a group, which fails as a whole: if one of them
fails, Snakemake deletes what the others were to make, and nothing that rests on these goes on. So
what is packed is not a training but an *attempt* at one, which succeeds also where the training has
failed for good, and writes down how it ended. Outside of the group each training is then taken over
by a step of its own, and that step fails where the training has failed. A group fails only if
another attempt may help one of its trainings; of those that have ended the next attempt finds
that there is nothing to train.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from tsd.cli.job_step import job_of
from tsd.cluster.gpu_devices import VISIBLE, visible_devices
from tsd.cluster.gpu_plan import share_out
from tsd.cluster.gpu_slots import Slots, slots_folder
from tsd.cluster.mps import start_mps
from tsd.experiments.job import Job
from tsd.experiments.scale_schema import Resources
from tsd.liveness import is_alive
from tsd.results.status import read_status
from tsd.run_folder import read_json, write_json
from tsd.training.finished import keep_record

PASSED_ON = (signal.SIGTERM, signal.SIGUSR1)
"""Signals by which a scheduler tells that the job has to end."""


def attempt(options: Namespace) -> None:
    """Train a job of the grid beside others; write ``--out`` once no other attempt may help.

    The training is a process of its own, so that whatever ends it ends none of the others.
    """
    job = job_of(options)
    began = time.monotonic()
    with _place_on_gpu(job.scale.resources):
        status = _train(job, options, options.minutes - (time.monotonic() - began) / 60)
    if not job.folder.is_trained and options.attempt < options.attempts:
        last = read_status(job.folder)
        if not (last.get("state") == "failed" and last.get("permanent")):
            sys.exit(status or 1)
    write_json(options.out, {"trained": job.folder.is_trained, "status": status})


def take_over(options: Namespace) -> None:
    """Have the record of a training that was packed, or fail as it has failed."""
    job = job_of(options)
    # Nobody asks for it again; if it stayed, the next call would not try a failed training again.
    options.outcome.unlink(missing_ok=True)
    if not job.folder.is_trained:
        last = read_status(job.folder)
        reason = last.get("error") or "it ended without a word; see logs/train.log in its folder"
        sys.exit(f"{job.key}: {last.get('state', 'not trained')}: {reason}")
    keep_record(job)


def _train(job: Job, options: Namespace, minutes: float) -> int:
    """Train in a process of its own; its exit status, which is negative after a signal."""
    command = [
        *(sys.executable, "-m", "tsd", "train", f"--results={job.results}"),
        *job.command_line_options,
        *(f"--threads={options.threads}", f"--attempt={options.attempt}"),
        # 0 would mean that there is no limit.
        f"--minutes={max(minutes, 0.1) if options.minutes else 0}",
        *([f"--log={options.log}"] if options.log else []),
    ]
    training = subprocess.Popen(command)  # noqa: S603 a list, no shell

    def pass_on(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            training.send_signal(number)

    for number in PASSED_ON:
        signal.signal(number, pass_on)
    # Ctrl-C goes to all processes of a terminal, and a second one would end the training at once.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return training.wait()


@contextlib.contextmanager
def _place_on_gpu(resources: Resources) -> Iterator[None]:
    """Take a place on a GPU of this cluster's job, which has its GPUs to itself."""
    plan = share_out(visible_devices(print), resources, print, memory="total")
    if plan is None:
        yield
        return
    with Slots(slots_folder(), plan.shares).take(alone=False, announce=print) as gpu:
        os.environ[VISIBLE] = gpu
        if plan.is_shared:
            os.environ.update(_mps_of_job(list(plan.shares)))
        yield


def _mps_of_job(gpus: list[str]) -> dict[str, str]:
    """The variables of the MPS that the trainings of a job share; the first of them starts it.

    It ends with the Snakemake that has started them on this node.
    """
    owner = os.getppid()
    record = slots_folder() / f"mps-{owner}.json"
    with Path(f"{record}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = read_json(record)
        if found is None or not is_alive(found["guard"], found["guard_started"]):
            started = start_mps(gpus, print, owner)
            if started is None:
                return {}
            found = {**started.guard, "variables": started.variables}
            write_json(record, found)
    return dict(found["variables"])

"""What is typed on a login node: `snakemake --profile slurm`, with a cluster's clients on PATH."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.projects import programs

SNAKEMAKE = (sys.executable, str(Path(__file__).with_name("often.py")))
PROFILE = ("--profile", "slurm", "--slurm-init-seconds-before-status-checks", "2")


def environment(cluster):
    """A login node's environment. Steps start at once there (``tests/warm``), but not in jobs."""
    kept = {k: v for k, v in cluster.environment.items() if k != "MLFLOW_TRACKING_URI"}
    clients, _, rest = kept["PATH"].partition(":")
    path = [clients, *programs(), rest]
    return {**kept, "PATH": ":".join(path), "PYTHONPATH": str(Path.cwd())}


def command(*targets, scale="smoke", options=()):
    return [*SNAKEMAKE, *PROFILE, *options, "--config", f"scale={scale}", "--", *targets]


def snakemake(cluster, project, *targets, fails=False, **settings):
    """Run it to its end; the output."""
    done = subprocess.run(
        command(*targets, **settings),
        cwd=project,
        env=environment(cluster),
        capture_output=True,
        text=True,
        timeout=1500,
    )
    output = done.stdout + done.stderr
    assert (done.returncode != 0) == fails, output
    return output


def unlock(cluster, project, scale):
    """Remove the lock that a killed Snakemake has left."""
    subprocess.run(
        ["snakemake", "--unlock", "--config", f"scale={scale}"],
        cwd=project,
        env=environment(cluster),
        check=True,
        capture_output=True,
    )


@contextmanager
def in_background(cluster, project) -> Iterator[Callable[..., subprocess.Popen]]:
    """A function that starts Snakemake and does not wait; what it started is killed at the end.

    Its output goes to ``snakemake.log`` in the project.
    """
    started = []

    def start(*targets, **settings):
        with (project / "snakemake.log").open("a") as log:
            process = subprocess.Popen(
                command(*targets, **settings),
                cwd=project,
                env=environment(cluster),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
        return process

    try:
        yield start
    finally:
        for process in started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

"""A SLURM cluster of this machine's own, for tests that need a real one."""

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.projects import change_yaml

HERE = Path(__file__).parent
LAB = HERE / "slurmlab"
PACKAGES_MISSING = 2


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slurm)


class QueuedJob(NamedTuple):
    id: int
    name: str
    state: str
    partition: str
    nodes: str


@dataclass(frozen=True)
class Cluster:
    """A running cluster; what it is and does: docs/slurm-lab.md."""

    folder: Path
    environment: dict[str, str]
    """For clients, and for whatever calls them."""

    def run(self, *command: str, fails: bool = False, **options) -> subprocess.CompletedProcess:
        """Run a client; its exit status has to be as foreseen."""
        settings = dict(env=self.environment, capture_output=True, text=True, timeout=60) | options
        done = subprocess.run(command, **settings)
        assert (done.returncode != 0) == fails, f"{command}: {done.stdout}{done.stderr}"
        return done

    def sbatch(self, script: str, *options: str) -> int:
        """Submit a bash script; the job's id. Its output goes to `log_of` it, over all attempts."""
        log = ("--output", f"{self.folder}/%j.log", "--open-mode", "append")
        submit = ("sbatch", "--parsable", "--mem", "100", "--chdir", str(self.folder), *log)
        done = self.run(*submit, *options, input=f"#!/bin/bash\n{script}\n")
        return int(done.stdout.split(";")[0])

    def log_of(self, job: int) -> str:
        path = self.folder / f"{job}.log"
        return path.read_text() if path.exists() else ""

    def queue(self) -> list[QueuedJob]:
        """The jobs that have not ended."""
        lines = self.run("squeue", "-h", "-o", "%i|%j|%T|%P|%N").stdout.splitlines()
        return [QueuedJob(int(line.split("|")[0]), *line.split("|")[1:]) for line in lines]

    def show(self, job: int) -> dict[str, str]:
        """What slurmctld knows of a job, ended or not."""
        words = self.run("scontrol", "-o", "show", "job", str(job)).stdout.split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def state_of(self, job: int) -> str:
        return self.show(job)["JobState"]

    def cancel(self, *jobs: int) -> None:
        """Cancel these jobs."""
        self.run("scancel", *map(str, jobs))

    def requeue(self, job: int) -> None:
        self.run("scontrol", "requeue", str(job))

    def fail_node(self, name: str) -> None:
        """As when a node's power fails, but that it is back within seconds."""
        done = slurmlab(self.folder, "fail", name)
        assert done.returncode == 0, done.stderr

    def wait_until(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                seen = self.run("squeue", "-t", "all").stdout + self.run("sinfo", "-N", "-l").stdout
                raise AssertionError(f"not within {seconds} s: {what}\n{seen}")
            time.sleep(0.2)

    def clear(self) -> None:
        """No jobs, all nodes up: as it was found."""
        self.run("scancel", "--user", str(os.getuid()))
        self.wait_until(lambda: not self.queue(), 60, "the queue is empty")
        self.wait_until(
            lambda: set(self.run("sinfo", "-h", "-N", "-o", "%T").stdout.split()) == {"idle"},
            60,
            "all nodes are idle",
        )


@pytest.fixture(scope="session")
def cluster(warm) -> Iterator[Cluster]:
    """Two nodes, four GPUs each, no accounting."""
    with start() as started:
        yield started


@pytest.fixture(scope="session")
def accounting_cluster(warm) -> Iterator[Cluster]:
    """The same with slurmdbd: accounts are enforced, sacct answers."""
    with start(SLURMLAB_ACCT="dbd", SLURMLAB_GPU_TYPE="h200") as started:
        yield started


@pytest.fixture
def site(project):
    """Changes the site's facts in a module's project, for a test."""
    path = project / "profiles/slurm/site.yaml"
    before = path.read_text()
    yield lambda **facts: change_yaml(path, lambda content: content["site"].update(facts))
    path.write_text(before)


@pytest.fixture(autouse=True)
def leave_clusters_as_found(request):
    yield
    for name in {"cluster", "accounting_cluster"} & set(request.fixturenames):
        if name in request.node.funcargs:
            request.node.funcargs[name].clear()


@pytest.fixture
def lab(tmp_path_factory) -> Iterator[Callable[..., subprocess.CompletedProcess]]:
    """Calls slurmlab for a folder of this test alone, which is purged after it."""
    with own_folder() as folder:

        def call(*arguments, **settings):
            return slurmlab(folder, *arguments, **settings)

        call.folder = folder
        yield call


@contextmanager
def start(**settings: str) -> Iterator[Cluster]:
    with own_folder() as folder:
        done = slurmlab(folder, "up", **settings)
        if done.returncode == PACKAGES_MISSING and os.environ.get("TSD_REQUIRE_SLURM") != "1":
            pytest.skip(done.stderr.strip())
        assert done.returncode == 0, done.stderr
        yield Cluster(folder, clients_environment(folder))


@contextmanager
def own_folder() -> Iterator[Path]:
    """A short path, as sockets need; whatever ends pytest, what runs there is stopped."""
    folder = Path(tempfile.mkdtemp(prefix="lab", dir="/tmp"))
    purge = f"SLURMLAB={folder} {shlex.quote(str(LAB))} purge"
    guard = subprocess.Popen(
        ["/bin/bash", "-c", f"tail --pid={os.getpid()} -f /dev/null; {purge}"],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield folder
    finally:
        slurmlab(folder, "purge")
        os.killpg(guard.pid, 9)
        guard.wait()
        shutil.rmtree(folder, ignore_errors=True)  # purge leaves it where nothing was started


def slurmlab(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess:
    environment = plain_environment() | {"SLURMLAB": str(folder)} | settings
    return subprocess.run(
        [str(LAB), *arguments], env=environment, capture_output=True, text=True, timeout=180
    )


def plain_environment() -> dict[str, str]:
    """This process's, less what another cluster or lab may have left in it."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SLURM_", "SLURMLAB", "SBATCH_", "SQUEUE_", "SACCT_"))
    }


def clients_environment(folder: Path) -> dict[str, str]:
    environment = plain_environment()
    environment["SLURM_CONF"] = f"{folder}/etc/slurm.conf"
    environment["PATH"] = f"{folder}/bin:{environment['PATH']}"
    return environment

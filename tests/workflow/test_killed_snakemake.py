"""A Snakemake that is killed leaves its training behind; the next goes on with it, not beside it.

The tests share one folder and build on one another, in the order they stand in.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from tests.projects import copy_project
from tsd.liveness import WORKFLOW_VARIABLE, is_alive, is_training
from tsd.run_folder import read_json

LENGTH = 60
"""Iterations: long enough to be killed on a fast machine, short enough to end on a slow one."""


class Project:
    """A copy of the project with a training to disturb."""

    def __init__(self, folder):
        self.folder = copy_project(folder, ["table1"])
        (folder / "long.yaml").write_text(
            yaml.safe_dump(
                {
                    "id": "long",
                    "extends": "smoke",
                    "title": "long enough to be killed",
                    "note": "for a test",
                    "dataset": "embedded-tiny",
                    "set": {
                        "train_cfg.max_iters": LENGTH,
                        "train_dataloader.num_workers": 1,
                        "train_dataloader.persistent_workers": True,
                    },
                }
            )
        )
        kept = {k: v for k, v in os.environ.items() if k not in ("MLFLOW_TRACKING_URI",)}
        kept.pop(WORKFLOW_VARIABLE, None)
        path = f"{Path(sys.executable).parent}:{kept['PATH']}"
        self.environment = {**kept, "PATH": path, "PYTHONPATH": str(Path.cwd())}
        digest = self.call(
            sys.executable,
            "-c",
            "from tsd.experiments.settings import open_grid; "
            "print(open_grid({'scale': 'long.yaml'}).job('r50', 0).digest)",
        )
        self.run = folder / "results/long/r50" / digest.stdout.strip() / "seed0"

    def call(self, *command):
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
        )

    def snakemake(self, *options):
        """The command that trains and tracks the run."""
        target = str((self.run / "tracking.json").relative_to(self.folder))
        config = ("--config", "scale=long.yaml", "only=r50")
        return ["snakemake", "--cores", "1", *options, *config, "--", target]

    @property
    def status(self):
        return read_json(self.run / "status.json") or {}

    def wait_for_iteration(self, iteration, process):
        deadline = time.monotonic() + 300
        while self.status.get("iteration", 0) < iteration:
            assert process.poll() is None, "ended before it was killed"
            assert time.monotonic() < deadline, "does not get on"
            time.sleep(0.1)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def first(project):
    """The first Snakemake. Its training is held in the middle, whatever the machine's speed."""
    with (project.folder / "first.log").open("w") as log:
        process = subprocess.Popen(
            project.snakemake(),
            cwd=project.folder,
            env=project.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        project.wait_for_iteration(10, process)
        os.kill(project.status["pid"], signal.SIGSTOP)
        yield process
    finally:  # whatever failed, neither it nor the training that is held is left behind
        if is_training(project.status):
            os.kill(project.status["pid"], signal.SIGKILL)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_training_knows_the_snakemake_that_waits_for_it(project, first):
    assert project.status["workflow"]["pid"] == first.pid
    assert is_training(project.status)


def test_two_calls_at_once_are_kept_apart_by_snakemakes_own_lock(project, first):
    second = project.call(*project.snakemake())
    assert second.returncode != 0
    assert "Directory cannot be locked" in second.stdout + second.stderr
    assert "left behind" not in second.stdout
    assert first.poll() is None
    assert is_training(project.status)


def test_and_without_that_lock_by_the_lock_of_the_run(project, first):
    before = project.status
    second = project.call(*project.snakemake("--nolock"))
    assert second.returncode != 0
    assert f"another process trains here: {before['pid']} on " in second.stdout + second.stderr
    assert "left behind" not in second.stdout
    assert project.status == before
    assert (project.run / "logs/train.log").resolve() == project.run / "logs/train.1.log"
    assert first.poll() is None


def test_the_next_snakemake_has_the_training_of_a_killed_one_save_and_goes_on(project, first):
    orphan = project.status
    first.kill()
    first.wait()
    assert is_training(orphan)
    os.kill(orphan["pid"], signal.SIGCONT)
    assert project.call(*project.snakemake("--unlock")).returncode == 0

    second = project.call(*project.snakemake())
    assert second.returncode == 0, second.stdout + second.stderr
    told = f"a training that an earlier Snakemake left behind (process {orphan['pid']}) is asked"
    assert told in second.stdout
    assert second.stdout.index(told) < second.stdout.index("[r50 · seed 0] starts")
    assert "[r50 · seed 0] resumes at iteration " in second.stdout
    assert not is_alive(orphan["pid"], orphan["pid_started"])

    assert project.status["attempts"] == 2
    assert read_json(project.run / "train.json")["iterations"] == LENGTH
    lines = (project.run / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(10, LENGTH + 1, 10))
    client = MlflowClient(f"sqlite:///{project.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("tsd-long")
    (tracked,) = client.search_runs([experiment.experiment_id])
    assert tracked.info.status == "FINISHED"
    history = client.get_metric_history(tracked.info.run_id, "loss")
    assert [measured.step for measured in history] == list(range(10, LENGTH + 1, 10))

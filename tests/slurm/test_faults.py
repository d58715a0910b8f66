"""A grid that is interrupted again and again, at random, ends with the report it would have had."""

import json
import os
import random
import signal
import time
from pathlib import Path
from pkgutil import resolve_name

import pytest
import torch
from mlflow import MlflowClient

from tests.projects import copy_project
from tests.slurm.login_node import in_background, unlock
from tsd.experiments.data_formats import format_of
from tsd.experiments.settings import open_grid
from tsd.run_folder import read_json
from tsd.training.checkpoint_hook import checkpoints
from tsd.training.course_measures import of_training_alone
from tsd.training.detect import detect
from tsd.training.train import train

SEED = 7
KINDS = ("requeue", "cancel", "kill", "truncate", "node", "preempt", "snakemake")
"""Each happens once, in random order."""

SECONDS_BETWEEN = (1, 6)
RUNS = ("tsd_pc", "tsd_point_shared", "tsd_prop_prop_pc")
"""One more than train at a time, with every manner of derived proposals among them."""

SCALE = f"""
id: faults
extends: smoke
title: long enough to be interrupted
note: for a test
dataset: embedded-tiny
only: [{", ".join(RUNS)}]
resources: {{threads: 1, mem_mb: 3000, runtime: 3, gpus: 1}}
set:
  train_cfg: {{type: IterBasedTrainLoop, max_iters: 40, val_interval: 100000}}
  train_dataloader.num_workers: 1
  train_dataloader.persistent_workers: true
"""


OPTIONS = ("--retries", "8", "--jobs", "2")


class Grid:
    """The workflow on the cluster, started again whenever it has ended before its end."""

    def __init__(self, cluster, project, begin):
        self.cluster = cluster
        self.project = project
        self.begin = begin
        self.starts = 0
        self.start()

    def start(self):
        self.starts += 1
        self.process = self.begin("all", scale="faults.yaml", options=OPTIONS)

    def ended(self):
        """Whether all is done; what ended before that goes on."""
        if self.process.poll() is None:
            return False
        if self.process.returncode == 0:
            return True
        self.start()
        return False

    def jobs(self):
        """Running jobs of the workflow that train."""
        listed = self.cluster.run(
            "squeue", "--noheader", "--states=RUNNING", "--format=%i|%N|%k"
        ).stdout.splitlines()
        return [line.split("|")[:2] for line in listed if "|rule_train_" in line]

    def trainings(self):
        """Folders of runs whose training process is alive, and its number."""
        found = []
        for path in self.project.glob("results/faults/*/*/seed0/status.json"):
            status = read_json(path)
            command = Path(f"/proc/{status.get('pid')}/cmdline")
            if (
                status["state"] == "running"
                and command.exists()
                and b"tsd\0train" in command.read_bytes()
            ):
                found.append((path.parent, status["pid"]))
        return found

    def interrupt(self, kind, chance):
        """Do it to one of those that run; whether there was one."""
        if kind == "snakemake":
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            unlock(self.cluster, self.project, "faults.yaml")
            self.start()
            return True
        if kind in ("kill", "truncate"):
            return self._kill(kind == "truncate", chance)
        jobs = self.jobs()
        if not jobs:
            return False
        number, node = chance.choice(jobs)
        if kind == "requeue":
            self.cluster.requeue(int(number))
        elif kind == "cancel":
            self.cluster.cancel(int(number))
        elif kind == "node":
            self.cluster.fail_node(node)
        else:
            self.cluster.sbatch("sleep 3", "-p", "urgent", "-w", node, "--gpus=4")
        return True

    def _kill(self, truncate, chance):
        trainings = self.trainings()
        if truncate:
            trainings = [(f, pid) for f, pid in trainings if checkpoints(f / "work")]
        if not trainings:
            return False
        folder, pid = chance.choice(trainings)
        os.kill(pid, signal.SIGKILL)
        if truncate and (written := checkpoints(folder / "work")):
            os.truncate(written[-1], written[-1].stat().st_size // 2)
        return True


@pytest.fixture
def project(tmp_path):
    folder = copy_project(tmp_path, ["table4"])
    (folder / "faults.yaml").write_text(SCALE)
    return folder


@pytest.fixture
def one_thread():
    """Sums are in the order that they have in a job, which has one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def silent(_line):
    pass


def undisturbed():
    """Results folder of the grid that nothing happens to: its trainings, one after another, here.

    They run on the declarations and the data of the present folder, of which no cluster knows.
    """
    grid = open_grid({"scale": "faults.yaml"}, Path("peace"))
    for job in grid.wanted:
        train(job, [], silent)
        detect(job, silent)
        measure = resolve_name(format_of(job.dataset).measure)
        measure(job).write(job.folder.metrics)
    return grid.results


def measurements(results):
    """All that a report is made of: metrics and losses of each run."""
    found = {}
    for path in sorted(results.glob("faults/*/*/seed0/metrics.json")):
        events = (path.parent / "events.jsonl").read_text().splitlines()
        without_time = [of_training_alone(json.loads(line)["metrics"]) for line in events]
        found[path.parent.parent.parent.name] = (read_json(path), without_time)
    return found


def test_a_grid_survives_what_happens_to_it(cluster, project, one_thread, monkeypatch):
    chance = random.Random(SEED)
    to_come = chance.sample(KINDS, len(KINDS))
    survived = []
    with in_background(cluster, project) as begin:
        grid = Grid(cluster, project, begin)
        deadline = time.monotonic() + 1800
        while not grid.ended():
            assert time.monotonic() < deadline, (project / "snakemake.log").read_text()[-5000:]
            time.sleep(chance.uniform(*SECONDS_BETWEEN))
            if to_come and (grid.jobs() or grid.trainings()) and grid.interrupt(to_come[0], chance):
                survived.append(to_come.pop(0))
    assert set(survived) == set(KINDS), survived

    monkeypatch.chdir(project)
    expected, found = measurements(undisturbed()), measurements(project / "results")
    assert expected.keys() == set(RUNS)
    assert found.keys() == expected.keys()
    for run, outcome in expected.items():
        assert found[run] == outcome, run

    collected = read_json(project / "reports/faults/results.json")
    for run in RUNS:
        assert collected["runs"][run]["seeds"]["0"]["state"] == "evaluated"
    assert (project / "reports/faults/index.html").exists()
    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("tsd-faults")
    tracked = client.search_runs([experiment.experiment_id], "tags.kind = 'training'")
    assert sorted(r.data.tags["run"] for r in tracked) == sorted(expected)
    assert {r.info.status for r in tracked} == {"FINISHED"}
    attempts = sum(
        read_json(path)["attempts"] for path in project.glob("results/faults/*/*/seed0/train.json")
    )
    print(
        f"survived {len(survived)} interruptions ({', '.join(survived)}): {attempts} attempts for "
        f"{len(RUNS)} trainings, {grid.starts} starts of Snakemake"
    )

"""Trainings on a real SLURM that are interrupted: by Ctrl-C, by a kill, by the end of their time.

The tests share one folder, and the training that it has.
"""

import os
import re
import signal

import pytest

from tests.projects import copy_project
from tests.slurm.login_node import in_background, snakemake, unlock
from tsd.run_folder import read_json


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("project"), ["table3"])


@pytest.fixture
def start(cluster, project):
    """Starts Snakemake; it does not outlive the test, whatever becomes of that."""
    with in_background(cluster, project) as begin:
        yield begin


@pytest.fixture
def long_scale(project):
    """A scale whose trainings do not end by themselves within a test."""
    (project / "long.yaml").write_text(
        "{id: long, extends: smoke, title: long, note: for a test, dataset: embedded-tiny, "
        "only: [tsd_joint], "
        "set: {train_cfg: {type: IterBasedTrainLoop, max_iters: 5000, val_interval: 100000}, "
        "train_dataloader.num_workers: 1, train_dataloader.persistent_workers: true}}"
    )
    return "long.yaml"


def status_of(project, scale, run):
    found = list(project.glob(f"results/{scale}/{run}/*/seed0/status.json"))
    return read_json(found[0]) if found else {}


def trains(project, iteration):
    def on():
        status = status_of(project, "long", "tsd_joint")
        return status.get("state") == "running" and status.get("iteration", 0) >= iteration

    return on


def test_ctrl_c_ends_the_jobs_in_order_and_a_killed_snakemakes_are_not_submitted_twice(
    cluster, project, long_scale, start
):
    first = start("all", scale=long_scale)
    cluster.wait_until(trains(project, 20), 200, "a training is under way")
    os.killpg(first.pid, signal.SIGINT)
    first.wait(timeout=240)
    cluster.wait_until(lambda: not cluster.queue(), 60, "its jobs have gone")
    status = status_of(project, "long", "tsd_joint")
    assert status["state"] == "interrupted"
    assert re.fullmatch(r"signal SIGTERM; saved at iteration \d+ of 5000", status["error"])

    saved = int(re.search(r"iteration (\d+)", status["error"])[1])
    second = start("all", scale=long_scale)
    cluster.wait_until(trains(project, saved + 10), 200, "it goes on")
    (project / "other.yaml").write_text(
        (project / long_scale).read_text().replace("id: long", "id: other")
    )
    refused = snakemake(cluster, project, "all", scale="other.yaml", fails=True)
    assert f"another Snakemake (process {second.pid} on " in refused
    assert len(cluster.queue()) == 1
    os.killpg(second.pid, signal.SIGKILL)
    second.wait()
    (left,) = cluster.queue()

    unlock(cluster, project, long_scale)
    third = start("all", scale=long_scale)
    cluster.wait_until(
        lambda: [job.id for job in cluster.queue()] not in ([], [left.id]), 200, "another job"
    )
    assert left.id not in [job.id for job in cluster.queue()]
    assert (
        f"cancelling 1 SLURM jobs that an earlier Snakemake left behind: {left.id};"
        in (project / "snakemake.log").read_text()
    )
    os.killpg(third.pid, signal.SIGINT)
    third.wait(timeout=240)
    assert status_of(project, "long", "tsd_joint")["attempts"] >= 2


def test_a_training_that_needs_longer_than_a_job_has_goes_on_in_the_next(
    cluster, project, site, long_scale, start
):
    site(max_minutes=1)
    process = start("all", scale=long_scale)

    def saved_for_lack_of_time():
        logs = project.glob("results/long/tsd_joint/*/seed0/logs/train.*.log")
        text = "".join(log.read_text() for log in logs)
        return re.findall(r"minutes are nearly over; saved at iteration (\d+) of", text)

    cluster.wait_until(saved_for_lack_of_time, 300, "its time is over")
    saved = int(saved_for_lack_of_time()[0])
    cluster.wait_until(trains(project, saved + 10), 200, "it goes on")
    os.killpg(process.pid, signal.SIGINT)
    process.wait(timeout=240)
    logs = project.glob("results/slurm-logs/rule_train/*/*.log")
    assert any(f"resumes at iteration {saved} of 5000" in log.read_text() for log in logs)

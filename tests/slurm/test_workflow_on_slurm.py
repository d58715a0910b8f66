"""From a login node to the report: `snakemake --profile slurm` on a real SLURM."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.projects import change_yaml, copy_project
from tsd.run_folder import read_json

PROFILE = ("--profile", "slurm", "--slurm-init-seconds-before-status-checks", "2")
RUNS = {"tsd_joint", "tsd_pc_cls", "tsd_pc_loc", "tsd_pc"}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("project"), ["table3"])


@pytest.fixture
def site(project):
    """Changes the site's facts for a test."""
    path = project / "profiles/slurm/site.yaml"
    before = path.read_text()
    yield lambda **facts: change_yaml(path, lambda content: content["site"].update(facts))
    path.write_text(before)


def environment(cluster):
    kept = {k: v for k, v in cluster.environment.items() if k != "MLFLOW_TRACKING_URI"}
    path = f"{Path(cluster.environment['PATH'].split(':')[0])}:{Path(sys.executable).parent}"
    return {**kept, "PATH": f"{path}:{kept['PATH']}", "PYTHONPATH": str(Path.cwd())}


def command(*targets, scale="smoke", options=()):
    return ["snakemake", *PROFILE, *options, "--config", f"scale={scale}", "--", *targets]


def snakemake(cluster, project, *targets, fails=False, **settings):
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


def jobs_of(cluster, project):
    """What slurmctld remembers of each of the project's jobs: rule and wildcards in the comment."""
    listed = cluster.run("squeue", "--states=all", "--noheader", "--format=%i|%Z").stdout
    jobs = [line.split("|") for line in listed.splitlines()]
    return {int(number): cluster.show(int(number)) for number, at in jobs if at == str(project)}


def test_table3_and_the_report_from_a_login_node(cluster, project):
    snakemake(cluster, project, "table3", "all")

    jobs = jobs_of(cluster, project)
    trained = [job for job in jobs.values() if job["Comment"].startswith("rule_train_")]
    detected = [job for job in jobs.values() if job["Comment"].startswith("rule_detect_")]
    assert len(trained) == len(detected) == len(RUNS) == len(jobs) / 2
    for job in jobs.values():
        assert job["TresPerNode"] == "gres:gpu:1"
        assert job["TimeLimit"] == "00:10:00"
        assert job["Requeue"] == "1"
    assert {job["NodeList"] for job in trained} == {"n1", "n2"}

    collected = read_json(project / "reports/smoke/results.json")
    assert set(collected["runs"]) == RUNS
    for declared in collected["runs"].values():
        assert declared["seeds"]["0"]["state"] == "evaluated"
    assert (project / "reports/smoke/index.html").exists()
    assert "41.0" in (project / "reports/smoke/tables/table3.md").read_text()
    logs = list((project / "results/slurm-logs/rule_train").glob("*/*.log"))
    assert len(logs) == len(RUNS)

    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("tsd-smoke")
    tracked = client.search_runs([experiment.experiment_id])
    assert {run.data.tags["run"] for run in tracked} == RUNS
    assert {run.info.status for run in tracked} == {"FINISHED"}


def test_a_second_call_submits_nothing_nor_does_another_site_or_none(cluster, project, site):
    before = set(jobs_of(cluster, project))
    assert "Nothing to be done" in snakemake(cluster, project, "table3", "all")
    site(max_minutes=5, mem_mb=2000, modules=["cuda"], container=["apptainer", "exec"])
    planned = ["snakemake", "--dry-run", "--config", "scale=smoke"]
    for place in (PROFILE, ("--cores", "2")):
        done = subprocess.run(
            [*planned, *place, "--", "all"],
            cwd=project,
            env=environment(cluster),
            capture_output=True,
            text=True,
        )
        assert "Nothing to be done" in done.stdout + done.stderr
    assert set(jobs_of(cluster, project)) == before


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"partition": "nowhere"}, "invalid partition specified: nowhere"),
        ({"gpu_model": "h200"}, "Requested node configuration is not available"),
        ({"gpu_modell": "h200"}, "unknown key 'gpu_modell'; did you mean 'gpu_model'?"),
        ({"max_minutes": "soon"}, "slurm/site.yaml: key 'max_minutes'"),
        ({"partition": "gpu; rm -rf /"}, "slurm/site.yaml: key 'partition'"),
    ],
)
def test_a_site_that_cannot_be_ends_before_anything_runs(cluster, project, site, facts, message):
    site(**facts)
    before = set(jobs_of(cluster, project))
    output = snakemake(cluster, project, "all", fails=True, options=["--forceall"])
    assert message in output
    assert "Traceback" not in output
    assert set(jobs_of(cluster, project)) == before


def test_a_wrong_account_ends_before_anything_runs(accounting_cluster, project, site):
    site(account="nobody")
    output = snakemake(accounting_cluster, project, "all", fails=True, options=["--forceall"])
    assert "slurm/site.yaml: SLURM would not take a job" in output
    assert "Invalid account" in output
    assert not accounting_cluster.queue()


def start(cluster, project, *targets, **settings):
    log = (project / "snakemake.log").open("a")
    return subprocess.Popen(
        command(*targets, **settings),
        cwd=project,
        env=environment(cluster),
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


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
    cluster, project, long_scale
):
    first = start(cluster, project, "all", scale=long_scale)
    cluster.wait_until(trains(project, 20), 200, "a training is under way")
    os.killpg(first.pid, signal.SIGINT)
    first.wait(timeout=240)
    cluster.wait_until(lambda: not cluster.queue(), 60, "its jobs have gone")
    status = status_of(project, "long", "tsd_joint")
    assert status["state"] == "interrupted"
    assert re.fullmatch(r"signal SIGTERM; saved at iteration \d+ of 5000", status["error"])

    saved = int(re.search(r"iteration (\d+)", status["error"])[1])
    second = start(cluster, project, "all", scale=long_scale)
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

    subprocess.run(
        ["snakemake", "--unlock", "--config", f"scale={long_scale}"],
        cwd=project,
        env=environment(cluster),
        check=True,
        capture_output=True,
    )
    third = start(cluster, project, "all", scale=long_scale)
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
    cluster, project, site, long_scale
):
    site(max_minutes=1)
    process = start(cluster, project, "all", scale=long_scale)

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

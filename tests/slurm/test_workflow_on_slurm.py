"""From a login node to the report: `snakemake --profile slurm` on a real SLURM."""

import subprocess

import pytest
from mlflow import MlflowClient

from tests.projects import copy_project
from tests.slurm.login_node import PROFILE, environment, snakemake
from tsd.run_folder import read_json

RUNS = {"tsd_joint", "tsd_pc_cls", "tsd_pc_loc", "tsd_pc"}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("project"), ["table3"])


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
    tracked = client.search_runs([experiment.experiment_id], "tags.kind = 'training'")
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
    # Those of long ago are no longer listed.
    assert set(jobs_of(cluster, project)) <= before


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
    # Those of long ago are no longer listed.
    assert set(jobs_of(cluster, project)) <= before


def test_a_wrong_account_ends_before_anything_runs(accounting_cluster, project, site):
    site(account="nobody")
    output = snakemake(accounting_cluster, project, "all", fails=True, options=["--forceall"])
    assert "slurm/site.yaml: SLURM would not take a job" in output
    assert "Invalid account" in output
    assert not accounting_cluster.queue()

"""The private cluster itself: what the tests of the workflow on SLURM rely on."""

import os
import shutil
from pathlib import Path

import pytest

from tests.slurm.conftest import slurmlab

PRINT_GPUS = 'echo "gpus=$CUDA_VISIBLE_DEVICES"'
SLEEP = "echo started; sleep 300"
HEED = 'trap "echo warned" TERM; echo heeding; for i in {1..3000}; do sleep 0.1; done'


def gpus_of(cluster, job):
    (line,) = [line for line in cluster.log_of(job).splitlines() if line.startswith("gpus=")]
    return set(line.removeprefix("gpus=").split(","))


def wait_for_state(cluster, job, state, seconds=90):
    cluster.wait_until(
        lambda: cluster.state_of(job) == state, seconds, f"job {job} reaches {state}"
    )


def processes_of(folder):
    """Command lines of the processes that have to do with a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            traces = command + (process / "environ").read_bytes()
            traces += b"".join(
                os.fsencode(entry.readlink())
                for entry in [process / "cwd", *(process / "fd").iterdir()]
                if entry.is_symlink()
            )
        except OSError:  # it has ended, or is another user's
            continue
        if f"{folder}/".encode() in traces and b"tail --pid=" not in command:
            found.append(command)
    return found


def test_both_nodes_take_jobs(cluster):
    jobs = {node: cluster.sbatch(f"{PRINT_GPUS}; hostname", "-w", node) for node in ("n1", "n2")}
    for node, job in jobs.items():
        wait_for_state(cluster, job, "COMPLETED")
        assert cluster.show(job)["NodeList"] == node


def test_jobs_on_one_node_see_different_gpus(cluster):
    options = ("--gpus=2", "-w", "n1")
    jobs = [cluster.sbatch(f"{PRINT_GPUS}; {SLEEP}", *options) for _ in range(2)]
    for job in jobs:
        cluster.wait_until(lambda job=job: "started" in cluster.log_of(job), 60, f"{job} starts")
    first, second = (gpus_of(cluster, job) for job in jobs)
    assert len(first) == len(second) == 2
    assert not first & second


def test_a_job_without_gpus_sees_none(cluster):
    job = cluster.sbatch('echo "gpus=${CUDA_VISIBLE_DEVICES-none}"')
    wait_for_state(cluster, job, "COMPLETED")
    assert gpus_of(cluster, job) in ({"none"}, {""}, {"NoDevFiles"})


def test_an_urgent_job_takes_the_place_of_another_which_waits_under_its_id(cluster):
    script = "echo attempt=${SLURM_RESTART_COUNT:-0}; srun bash -c '" + HEED + "'"
    jobs = [cluster.sbatch(script, "--gpus=4") for _ in range(2)]
    for job in jobs:
        cluster.wait_until(lambda job=job: "attempt=0" in cluster.log_of(job), 60, f"{job} starts")
    urgent = cluster.sbatch(SLEEP, "--gpus=4", "-p", "urgent")
    wait_for_state(cluster, urgent, "RUNNING")
    states = sorted(cluster.state_of(job) for job in jobs)
    assert states == ["PENDING", "RUNNING"]
    (preempted,) = (job for job in jobs if cluster.state_of(job) == "PENDING")
    assert "warned" in cluster.log_of(preempted)
    cluster.cancel(urgent)
    cluster.wait_until(lambda: "attempt=1" in cluster.log_of(preempted), 90, "it starts again")


def test_jobs_put_back_and_jobs_of_a_failed_node_start_again_under_their_id(cluster):
    script = "echo attempt=${SLURM_RESTART_COUNT:-0}; sleep 300"
    jobs = [cluster.sbatch(script, "--gpus=1", "-w", node) for node in ("n1", "n2")]
    for job in jobs:
        cluster.wait_until(lambda job=job: "attempt=0" in cluster.log_of(job), 60, f"{job} starts")
    cluster.requeue(jobs[0])
    cluster.fail_node("n2")
    for job in jobs:
        cluster.wait_until(lambda job=job: "attempt=1" in cluster.log_of(job), 90, f"{job} again")
        assert cluster.show(job)["Restarts"] == "1"
    assert sorted(queued.id for queued in cluster.queue()) == jobs


def test_a_node_that_fails_gives_no_warning_and_takes_no_other_with_it(cluster):
    script = "echo attempt=${SLURM_RESTART_COUNT:-0}; srun bash -c '" + HEED + "'"
    spared, lost = (cluster.sbatch(script, "-w", node) for node in ("n1", "n2"))
    for job in (spared, lost):
        cluster.wait_until(lambda job=job: "heeding" in cluster.log_of(job), 60, f"{job} starts")
    cluster.fail_node("n2")
    cluster.wait_until(lambda: "attempt=1" in cluster.log_of(lost), 90, f"{lost} starts again")
    assert "warned" not in cluster.log_of(lost)
    assert "attempt=1" not in cluster.log_of(spared)
    assert cluster.state_of(spared) == "RUNNING"


def test_only_a_node_of_the_cluster_can_fail(cluster):
    done = slurmlab(cluster.folder, "fail", "n3")
    assert done.returncode == 1
    assert "no node n3" in done.stderr


def test_accounting_knows_the_gpus_that_were_asked_for(accounting_cluster):
    job = accounting_cluster.sbatch("true", "--gpus=h200:2")
    wait_for_state(accounting_cluster, job, "COMPLETED")

    def recorded():
        sacct = ("sacct", "-X", "-n", "-P", "-j", str(job), "-o", "Account,ReqTRES")
        return accounting_cluster.run(*sacct).stdout.strip().replace("|", ",").split(",")

    # Records follow a few seconds later.
    accounting_cluster.wait_until(lambda: "gres/gpu=2" in recorded(), 60, "sacct shows the GPUs")
    assert recorded()[0] == "lab"


def test_an_account_that_does_not_exist_is_refused(accounting_cluster):
    submit = ("sbatch", "--account", "nobody", "--wrap", "true")
    assert "Invalid account" in accounting_cluster.run(*submit, fails=True).stderr


def test_up_twice_is_up_once_and_down_leaves_no_process_behind(lab, cluster):
    first = lab("up")
    assert first.returncode == 0, first.stderr
    pids = {path: path.read_text() for path in lab.folder.glob("run/*.pid")}
    assert len(pids) == 4
    again = lab("up")
    assert (again.returncode, again.stdout) == (0, first.stdout)
    assert {path: path.read_text() for path in lab.folder.glob("run/*.pid")} == pids
    os.kill(int(pids[lab.folder / "run/slurmd.n1.pid"]), 9)
    assert processes_of(lab.folder)
    for _ in range(2):
        assert lab("down").returncode == 0
    assert not processes_of(lab.folder)
    assert "down" in lab("status").stderr
    assert lab("purge").returncode == 0
    assert not lab.folder.exists()


def test_settings_of_a_cluster_are_kept(lab, cluster):
    assert lab("up", SLURMLAB_NODES="1").returncode == 0
    assert lab("up").returncode == 0
    other = lab("up", SLURMLAB_NODES="2")
    assert other.returncode == 1
    assert "SLURMLAB_NODES=2" in other.stderr


@pytest.mark.parametrize(
    ("accounting", "package"), [("none", "slurm-wlm"), ("dbd", "mariadb-server")]
)
def test_packages_that_are_missing_are_named(lab, tmp_path, accounting, package):
    for program in ("bash", "realpath", "id", "hostname"):
        (tmp_path / program).symlink_to(shutil.which(program))
    done = lab("up", PATH=str(tmp_path), SLURMLAB_ACCT=accounting)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if "apt-get install" in line]
    assert package in line.split()


def test_a_folder_too_deep_for_sockets_is_refused(lab):
    done = lab("up", SLURMLAB=f"{lab.folder}/{'deep/' * 15}")
    assert done.returncode == 1
    assert "70" in done.stderr


def test_a_folder_that_is_no_clusters_is_not_purged(lab):
    own = lab.folder / "own"
    own.mkdir()
    done = lab("purge", SLURMLAB=str(own))
    assert done.returncode == 1
    own.rmdir()

"""What jobs ask a cluster for."""

import os
import socket
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsd.cluster.leftovers import work_alone
from tsd.cluster.site import Site, check, open_site, pack_size, packed_requests, requests
from tsd.experiments.reading import DeclarationError
from tsd.experiments.scale_schema import Resources
from tsd.training.processes import rank_variables

PAPER = Resources(threads=4, mem_mb=16000, runtime=1440, gpus=16)


def test_the_papers_sixteen_gpus_are_two_nodes_of_eight():
    asked = requests(Site(), PAPER)
    assert asked == {
        "nodes": 2,
        "mem_mb": 8 * 16000 + 500,
        "runtime": 1440,
        "minutes": 1440,
        "gres": "gpu:8",
        "mpi": "srun",
        "tasks_per_node": 8,
        "tasks_per_gpu": 0,
        "python": "srun --nodes=2 --ntasks=16 --ntasks-per-node=8 --cpus-per-task=4 "
        "--kill-on-bad-exit=1 python",
    }


def test_a_sites_facts_are_asked_for():
    site = Site(
        partition="main",
        gpu_partition="gpu",
        account="vision",
        qos="normal",
        gpu_model="a100",
        constraint="nvlink",
        gpus_per_node=4,
        max_minutes=1000,
        mem_mb=9000,
    )
    asked = requests(site, PAPER)
    assert (asked["nodes"], asked["gres"], asked["mem_mb"]) == (4, "gpu:a100:4", 36500)
    assert asked["slurm_partition"] == "gpu"
    assert asked["slurm_account"] == "vision"
    assert asked["constraint"] == "nvlink"
    assert asked["runtime"] == 1000
    light = requests(site, PAPER, gpus=0)
    assert light["slurm_partition"] == "main"
    assert "gres" not in light
    assert "constraint" not in light


def test_time_grows_with_attempts_as_far_as_the_site_has_it_and_memory_does_not():
    site = Site(max_minutes=2000)
    first, second = (requests(site, PAPER, attempt, gpus=1) for attempt in (1, 2))
    assert second["mem_mb"] == first["mem_mb"]
    assert (first["runtime"], second["runtime"]) == (1440, 2000)


def test_a_job_on_one_gpu_is_one_process():
    asked = requests(Site(), PAPER, gpus=1)
    assert "mpi" not in asked
    assert asked["python"] == "python"


def test_gpus_are_capped_by_the_site_and_shared_out_evenly():
    asked = requests(Site(max_gpus=10, gpus_per_node=8), PAPER)
    assert (asked["tasks_per_node"], asked["nodes"], asked["gres"]) == (5, 2, "gpu:5")


@given(wanted=st.integers(1, 64), on_a_node=st.integers(1, 16), most=st.integers(1, 64))
def test_a_training_has_as_many_gpus_as_it_may_and_no_node_more_than_it_has(
    wanted, on_a_node, most
):
    resources = PAPER.model_copy(update={"gpus": wanted})
    asked = requests(Site(gpus_per_node=on_a_node, max_gpus=most), resources)
    on_each = int(asked["gres"].removeprefix("gpu:"))
    assert asked["nodes"] * on_each == min(wanted, most)
    assert on_each <= on_a_node


def test_nodes_of_six_gpus_share_the_papers_sixteen_as_four_of_four():
    asked = requests(Site(gpus_per_node=6), PAPER)
    assert (asked["nodes"], asked["gres"]) == (4, "gpu:4")


def test_one_gpu_on_each_of_two_nodes():
    asked = requests(Site(gpus_per_node=1, max_gpus=2), PAPER)
    assert (asked["tasks"], asked["nodes"], asked["gres"]) == (2, 2, "gpu:1")


def test_on_this_machine_nothing_ends_a_job_for_its_time():
    asked = requests(None, PAPER)
    assert asked["minutes"] == 0
    assert asked["python"] == "python"
    assert asked["gpu_slots"] == 1


SMALL = Resources(threads=2, mem_mb=3000, runtime=60, gpus=1, per_gpu=12)


@pytest.mark.parametrize(
    ("site", "resources", "size"),
    [
        (Site(), SMALL, 12),
        (None, SMALL, 1),
        (Site(max_gpus=0), SMALL, 1),
        (Site(max_gpus=4), SMALL, 12),
        (Site(), PAPER, 1),
        (Site(max_gpus=1), PAPER, 1),
    ],
)
def test_so_many_trainings_share_a_job_that_has_a_gpu(site, resources, size):
    assert pack_size(site, resources) == size


def test_what_trainings_that_share_a_job_ask_for_adds_up_to_one_node_and_one_gpu():
    asked = packed_requests(Site(), SMALL)
    assert "nodes" not in asked
    assert asked["gres"] == "gpu:1"
    assert asked == {k: v for k, v in requests(Site(), SMALL).items() if k != "nodes"}


def test_slurm_is_asked_for_a_whole_pack(tmp_path, monkeypatch):
    log = tmp_path / "asked"
    fake = tmp_path / "sbatch"
    fake.write_text(f'#!/bin/sh\necho "$@" >> {log}\ncase "$*" in *cpus*) exit 1;; esac\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    check(Site(), SMALL)
    with pytest.raises(DeclarationError, match="--group-components pack=N` has N trainings share"):
        check(Site(), SMALL, pack=12)
    single, _, packed = log.read_text().splitlines()
    assert "--mem=3500" in single
    assert "--mem=42000 " in packed
    assert "--cpus-per-task=24" in packed


def test_what_goes_into_a_shell_is_quoted():
    site = Site(
        modules=["cuda/12.4", "gcc"], scratch="/scratch/a b; rm", container=["apptainer", "a b.sif"]
    )
    assert site.prologue == "module load cuda/12.4 gcc; export TMPDIR='/scratch/a b; rm'; "
    assert site.python == "apptainer 'a b.sif' python"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"partitions": "gpu"}, "unknown key 'partitions'; did you mean 'partition'?"),
        ({"partition": "gpu; reboot"}, "key 'partition'"),
        ({"modules": ["$(reboot)"]}, "key 'modules.0'"),
        ({"gpus_per_node": 0}, "key 'gpus_per_node'"),
        ({"gpu_model": "nvidia_a100-sxm4-80gb"}, "name a feature of the nodes as constraint"),
        (["gpu"], "expected keys and values, found list"),
    ],
)
def test_a_faulty_site_is_explained(content, message):
    with pytest.raises(DeclarationError, match=r"slurm/site\.yaml: ") as caught:
        open_site(content)
    assert message in str(caught.value)


def test_without_a_profile_there_is_no_site():
    assert open_site(None) is None


def test_a_process_that_srun_started_beside_others_knows_its_place():
    task = {
        "SLURM_STEP_NUM_TASKS": "16",
        "SLURM_PROCID": "9",
        "SLURM_LOCALID": "1",
        "SLURM_LAUNCH_NODE_IPADDR": "10.0.0.1",
        "SLURM_JOB_ID": "10007",
    }
    assert rank_variables(task) == {
        "RANK": "9",
        "WORLD_SIZE": "16",
        "LOCAL_RANK": "1",
        "MASTER_ADDR": "10.0.0.1",
        "MASTER_PORT": "20007",
    }
    assert rank_variables({**task, "SLURM_STEP_NUM_TASKS": "1"}) == {}
    assert rank_variables({"SLURM_NTASKS": "4", "SLURM_JOB_ID": "10007"}) == {}
    assert rank_variables({"TORCHELASTIC_RUN_ID": "x", "RANK": "0"}) == {}


HOLDS = """
import sys
from pathlib import Path
from tsd.cluster.leftovers import work_alone
assert work_alone(Path(sys.argv[1]))
print("holds", flush=True)
sys.stdin.read()
"""


def test_one_snakemake_at_a_time_has_jobs_for_a_folder(tmp_path):
    (tmp_path / ".snakemake").mkdir()
    command = [sys.executable, "-c", HOLDS, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "holds\n"
        at_work = f"process {other.pid} on {socket.gethostname()}"
        with pytest.raises(DeclarationError, match=at_work):
            work_alone(tmp_path)
        other.kill()
    assert work_alone(tmp_path)

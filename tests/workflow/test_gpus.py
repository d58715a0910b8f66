"""A workflow on a machine with GPUs, which programs of this test's stand for.

The tests share one folder and build on one another, in the order they stand in.
"""

import os
import re
import signal
import time
from pathlib import Path

import pytest
import yaml

from tests.cluster.fake_gpus import FIRST, MPS, executable, nvidia_smi
from tests.projects import copy_project, environment_of, run, started
from tsd.experiments.settings import open_grid
from tsd.run_folder import read_json

ONE_GPU = f"0, {FIRST}, 81559, 81000, Default\n"
RUNS = ("tsd_joint", "tsd_wo_pc")


def scale(name, iterations):
    """The smoke scale, of whose trainings three may share a GPU."""
    return {
        "id": name,
        "extends": "smoke",
        "title": "shared",
        "note": "for a test",
        "dataset": "embedded-tiny",
        "resources": {"threads": 1, "mem_mb": 1500, "gpus": 1, "per_gpu": 3, "gpu_mem_mb": 1000},
        "set": {"train_cfg.max_iters": iterations},
    }


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = copy_project(tmp_path_factory.mktemp("project"), ["table2"])
    for name, iterations in (("shared", 4), ("long", 5000)):
        path = folder / "experiments" / "scales" / f"{name}.yaml"
        path.write_text(yaml.safe_dump(scale(name, iterations)))
    return folder


@pytest.fixture
def gpu(project, tmp_path, monkeypatch):
    """A machine with one GPU; what its MPS was told, line by line."""
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_MPS_PIPE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", nvidia_smi(tmp_path / "bin", ONE_GPU)["PATH"])
    executable(tmp_path / "bin", "nvidia-cuda-mps-control", MPS)
    log = tmp_path / "told"
    log.touch()
    monkeypatch.setenv("FAKE_MPS_LOG", str(log))
    return lambda: log.read_text().splitlines()


def folder_of(project, run, name="shared"):
    settings = {"experiments": str(project / "experiments"), "scale": name}
    return project / open_grid(settings, project / "results").job(run, 0).folder.path


def targets(project, file, name="shared"):
    return [str((folder_of(project, of, name) / file).relative_to(project)) for of in RUNS]


def snakemake(project, *files, options=(), fails=False):
    config = ("--config", "scale=shared")
    return run(project, "snakemake", "--cores", "2", *options, *config, "--", *files, fails=fails)


def heading(project, run, log):
    text = (folder_of(project, run) / "logs" / log).read_text()
    return re.findall(r"^== .*$", text, re.M)[-1]


def mps_folder(told):
    return Path(told[0].split()[1])


def test_a_dry_run_starts_nothing_and_is_the_same_with_and_without_gpus(project, gpu, monkeypatch):
    with_gpu = snakemake(project, *targets(project, "train.json"), options=["-n"])
    assert gpu() == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    without = snakemake(project, *targets(project, "train.json"), options=["-n"])
    for output in (with_gpu, without):
        assert re.search(r"^train +2$", output, re.M)


def test_a_gpu_that_is_not_there_ends_the_call(project, gpu, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    output = snakemake(project, *targets(project, "train.json"), fails=True)
    assert (
        f"CUDA_VISIBLE_DEVICES=1: none of this machine's GPUs is '1'; they are 0 ({FIRST})"
        in output
    )
    assert "Traceback" not in output


def test_two_trainings_share_the_gpu_behind_mps_which_ends_though_one_fails(project, gpu):
    of_other = project / "experiments" / "runs"
    (path,) = (p for p in of_other.glob("*.yaml") if "tsd_wo_pc" in p.read_text())
    declared = path.read_text()
    runs = yaml.safe_load(declared)
    for entry in runs:
        if entry["id"] == "tsd_wo_pc":
            entry["set"]["optim_wrapper.optimizer.lr"] = 1e30
    path.write_text(yaml.safe_dump(runs))
    output = snakemake(project, *targets(project, "train.json"), fails=True)
    assert "[tsd_wo_pc · seed 0] failed: NonFiniteLossError" in output
    for name in RUNS:
        assert heading(project, name, "train.1.log").endswith(f", GPU {FIRST}, behind MPS")
    assert (folder_of(project, "tsd_joint") / "train.json").exists()
    told = gpu()
    assert told[0].endswith(f" {FIRST}")
    assert told[1:] == ["get_server_list", "quit"]
    assert not mps_folder(told).exists()
    path.write_text(declared)


def test_one_training_has_the_gpu_without_mps(project, gpu):
    (only,) = (file for file in targets(project, "train.json") if "tsd_wo_pc" in file)
    snakemake(project, only)
    assert heading(project, "tsd_wo_pc", "train.1.log").endswith(f", GPU {FIRST}")
    assert gpu() == []


def test_latency_is_measured_on_the_same_gpu_without_mps(project, gpu):
    snakemake(project, targets(project, "latency.json")[0])
    assert heading(project, RUNS[0], "latency.log").endswith(f", GPU {FIRST}")
    assert gpu() == []


def test_ctrl_c_ends_mps_too(project, gpu):
    files = targets(project, "train.json", "long")
    config = ("--config", "scale=long")
    command = ["snakemake", "--cores", "2", *config, "--", *files]
    log = project / "long.log"
    with started(project, *command, log=log, environment=environment_of(project)) as process:
        deadline = time.monotonic() + 300
        while not all(is_training(project, name) for name in RUNS):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.5)
        assert mps_folder(gpu()).exists()
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=240) != 0
    deadline = time.monotonic() + 30
    while mps_folder(gpu()).exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert gpu()[-1] == "quit"


def is_training(project, name):
    status = read_json(folder_of(project, name, "long") / "status.json") or {}
    return status.get("iteration", 0) >= 10

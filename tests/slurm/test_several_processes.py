"""A training as several processes on a real SLURM: on two nodes, without a GPU behind."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tsd.cluster.site import Site, requests
from tsd.experiments.scale_schema import Resources
from tsd.run_folder import read_json
from tsd.training.course_measures import of_training_alone

SCRIPT = Path(__file__).parent / "equal_batches.py"
IMAGES = 4  # a batch, over all processes
ITERATIONS = 12
RELATIVE, ABSOLUTE = 2e-3, 2e-4
"""Tolerance of losses: sums in another order, and 12 steps in which that grows."""


def write_scale(folder, processes):
    """A scale that is the same training for any number of processes."""
    settings = {
        "train_dataloader.batch_size": IMAGES // processes,
        "train_cfg": {"type": "IterBasedTrainLoop", "max_iters": ITERATIONS, "val_interval": 1000},
        "optim_wrapper.optimizer": {"type": "SGD", "lr": 0.08, "momentum": 0.9},
        "auto_scale_lr": {"enable": True, "base_batch_size": 16},
        "param_scheduler": [
            {"type": "LinearLR", "start_factor": 0.1, "by_epoch": False, "begin": 0, "end": 4}
        ],
    }
    without_statistics = {"type": "GN", "num_groups": 4}
    of_base = {
        "model.backbone.norm_cfg": without_statistics,
        "model.neck.norm_cfg": without_statistics,
        "model.train_cfg.rpn.sampler.type": "FirstSampler",
        "model.train_cfg.rcnn.sampler.type": "FirstSampler",
    }
    content = {
        "id": f"by{processes}",
        "extends": "smoke",
        "title": "as several",
        "note": "for a test",
        "dataset": "embedded-tiny",
        "set": settings,
        "bases": [{"match": "*faster-rcnn_r50_fpn", "set": of_base}],
    }
    (folder / f"by{processes}.yaml").write_text(yaml.safe_dump(content))


def train_command(folder, processes, run="r50", data=None):
    dataset = yaml.safe_load(Path("experiments/datasets/embedded-tiny.yaml").read_text())
    (folder / "data.yaml").write_text(
        yaml.safe_dump({**dataset, "id": "tiny", "root": str(data), "embedded": None})
    )
    write_scale(folder, processes)
    return [
        *(sys.executable, str(SCRIPT), "train", f"--experiments={Path.cwd()}/experiments"),
        *(f"--scale=by{processes}.yaml", "--dataset=data.yaml", f"--run={run}", "--seed=0"),
        *("--threads=1", f"--log=by{processes}.log"),
    ]


def on_cluster(cluster, folder, processes, nodes, command, timeout=300):
    site = Site(gpus_per_node=processes // nodes)
    asked = requests(site, Resources(threads=1, mem_mb=1000, gpus=processes))
    assert asked["nodes"] == nodes
    tasks = f"--ntasks-per-node={processes // nodes}"
    options = [f"--nodes={nodes}", tasks, f"--gres={asked['gres']}", "--mem=4000"]
    launcher = asked["python"].removesuffix(" python")
    script = f"cd {folder}; exec {launcher} {' '.join(command)}"
    environment = {**cluster.environment, "PYTHONPATH": str(Path.cwd())}
    environment.pop("MLFLOW_TRACKING_URI", None)
    done = subprocess.run(
        ["sbatch", "--parsable", f"--output={folder}/job.log", *options],
        input=f"#!/bin/bash\n{script}\n",
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    job = int(done.stdout.split(";")[0])
    cluster.wait_until(
        lambda: cluster.state_of(job) not in ("PENDING", "RUNNING", "COMPLETING"),
        timeout,
        "the job has ended",
    )
    status = int(cluster.show(job)["ExitCode"].split(":")[0])
    return status, (folder / "job.log").read_text(), job


def alone(folder, command):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "MLFLOW_TR"))}
    subprocess.run(
        command,
        cwd=folder,
        env={**environment, "PYTHONPATH": str(Path.cwd())},
        check=True,
        timeout=300,
    )


def losses(folder, processes, run):
    (events,) = folder.glob(f"results/by{processes}-tiny/{run}/*/seed0/events.jsonl")
    lines = events.read_text().splitlines()
    found = [of_training_alone(json.loads(line)["metrics"]) for line in lines]
    # The gradient of a single iteration differs by more than what is learned from it.
    return [{name: value for name, value in one.items() if name != "grad_norm"} for one in found]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("several")


@pytest.fixture(scope="module")
def expected(folder, tiny_data):
    alone(folder, train_command(folder, 1, data=tiny_data))
    return losses(folder, 1, "r50")


@pytest.mark.parametrize("processes", [2, 4])
def test_several_processes_on_two_nodes_train_as_one_with_their_images_does(
    cluster, folder, tiny_data, expected, processes
):
    command = train_command(folder, processes, data=tiny_data)
    status, output, job = on_cluster(cluster, folder, processes, 2, command)
    assert status == 0, output
    assert cluster.show(job)["NodeList"] == "n[1-2]"
    found = losses(folder, processes, "r50")
    assert len(found) == len(expected) == 2
    for step, (one, several) in enumerate(zip(expected, found, strict=True)):
        assert several == pytest.approx(one, rel=RELATIVE, abs=ABSOLUTE), step
    (summary,) = folder.glob(f"results/by{processes}-tiny/r50/*/seed0/train.json")
    assert read_json(summary)["processes"] == processes
    assert read_json(summary)["batch"] == IMAGES


def test_tsd_itself_trains_as_several_processes(cluster, folder, tiny_data):
    command = train_command(folder, 2, run="tsd_pc", data=tiny_data)
    status, output, _ = on_cluster(cluster, folder, 2, 2, command)
    assert status == 0, output
    assert all(value > 0 for value in losses(folder, 2, "tsd_pc")[-1].values())


def test_one_process_that_fails_ends_the_job_and_says_why(cluster, folder, tiny_data, tmp_path):
    (tmp_path / "failing.py").write_text(
        "import os, sys\n"
        f"sys.path.insert(0, {str(SCRIPT.parent)!r})\n"
        "from equal_batches import main\n"
        "from tsd.training.event_log import EventLogHook\n"
        "def fail(self, runner, *args, **kwargs):\n"
        "    if runner.rank == 1 and runner.iter == 3:\n"
        "        raise RuntimeError('the second card fell off')\n"
        "EventLogHook.after_train_iter = fail\n"
        "main()\n"
    )
    command = train_command(tmp_path, 2, data=tiny_data)
    command[1] = str(tmp_path / "failing.py")
    status, output, job = on_cluster(cluster, tmp_path, 2, 2, command, timeout=200)
    assert status != 0
    assert cluster.state_of(job) == "FAILED"
    assert "failed: process 1: RuntimeError: the second card fell off" in output
    log = (tmp_path / "by2.log").read_text()
    assert re.search(r"Traceback .*\n(.*\n)*RuntimeError: the second card fell off", log)
    (status_file,) = tmp_path.glob("results/by2-tiny/r50/*/seed0/status.json")
    found = read_json(status_file)
    assert found["state"] == "failed"
    assert found["error"] == "process 1: RuntimeError: the second card fell off"

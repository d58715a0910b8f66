"""docs/own-data.md, followed literally: its YAML, its paths, its commands, up to the report.

The tests share one folder and build on one another, in the order they stand in.
"""

import csv
import json
import os
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from mlflow import MlflowClient
from mmdet.models.backbones import MobileNetV2
from PIL import Image

from tests.projects import ROOT, WARM_VARIABLE, change_yaml, copy_workflow, dry_run, run
from tsd.results.collected import Results, State
from tsd.run_folder import read_json

DOCUMENT = ROOT / "docs" / "own-data.md"
RUNS = {"r50", "d_head", "tsd_wo_pc", "tsd_joint", "tsd_pc"}


def block(language):
    """The first block of a language in the document."""
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text(), re.S)[0]


DECLARED = yaml.safe_load(block("yaml"))
EVERY_COMMAND = re.findall(r"^make (?:reproduce|status) .*$", DOCUMENT.read_text(), re.M)
LONGER = [command for command in EVERY_COMMAND if "SCALE=transfer_2x" in command]
COMMANDS = [command for command in EVERY_COMMAND if command not in LONGER]


def settings_of(command):
    """The settings of Snakemake that a command of make's hands on."""
    names = {"SCALE": "scale", "DATASET": "dataset", "ONLY": "only", "SEEDS": "seeds"}
    given = dict(word.split("=") for word in shlex.split(command, comments=True)[2:])
    return {names[name]: value for name, value in given.items()}


def photographs(root, split, count, seed):
    """Write a split of noise with a bright rectangle of one class on each image."""
    (root / split["images"]).mkdir(parents=True)
    random = np.random.default_rng(seed)
    images, annotations = [], []
    for number in range(1, count + 1):
        pixels = random.integers(0, 100, (96, 128, 3), dtype=np.uint8)
        x, y, kind = (int(random.integers(1, limit)) for limit in (60, 40, 8))
        pixels[y : y + 40, x : x + 50] = 30 * kind
        name = f"{split['images'].rstrip('/')}_{number}.jpg"
        Image.fromarray(pixels).save(root / split["images"] / name)
        images.append({"id": number, "file_name": name, "width": 128, "height": 96})
        annotations.append(
            {
                "id": number,
                "image_id": number,
                "category_id": kind,
                "bbox": [x, y, 50, 40],
                "area": 2000,
                "iscrowd": 0,
            }
        )
    categories = [{"id": i, "name": n} for i, n in enumerate(DECLARED["classes"], start=1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / split["annotations"]).write_text(json.dumps(content))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project with small data and random weights at the paths of the document."""
    project = copy_workflow(tmp_path_factory.mktemp("project"))
    (project / "Makefile").write_text((ROOT / "Makefile").read_text())
    set_up = project / "requirements" / "install.sh"
    set_up.parent.mkdir()
    set_up.write_text("#!/bin/sh\n")
    set_up.chmod(0o755)
    (project / settings_of(COMMANDS[0])["dataset"]).write_text(block("yaml"))
    photographs(project / DECLARED["root"], DECLARED["train"], 8, seed=0)
    photographs(project / DECLARED["root"], DECLARED["val"], 4, seed=1)
    torch.manual_seed(0)
    ((_, weights),) = DECLARED["weights"].items()
    (project / weights).parent.mkdir()
    torch.save(MobileNetV2().state_dict(), project / weights)
    few = {
        "train_cfg": {"type": "IterBasedTrainLoop", "max_iters": 2, "val_interval": 100000},
        "param_scheduler": [],
    }
    change_yaml(
        project / "experiments/scales/transfer.yaml", lambda scale: scale["set"].update(few)
    )
    return project


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path_factory):
    """The tests' own Python, and no weights but those of the project."""
    monkeypatch.setenv("VENV", os.environ[WARM_VARIABLE])
    monkeypatch.setenv("CORES", "2")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path_factory.getbasetemp() / "empty"))


def test_the_document_has_the_commands_that_are_tried_here():
    assert settings_of(COMMANDS[0]) == {"scale": "transfer", "dataset": "aquarium.yaml"}
    assert sum(command.startswith("make status") for command in COMMANDS) == 1
    assert [settings_of(c).keys() - {"scale", "dataset"} for c in COMMANDS[1:4]] == [
        {"only"},
        {"seeds"},
        {"only"},
    ]


def test_the_commands_for_longer_trainings_are_of_the_same_data():
    assert LONGER
    for command in LONGER:
        settings = settings_of(command)
        assert settings["dataset"] == settings_of(COMMANDS[0])["dataset"]
        assert settings.keys() <= {"scale", "dataset", "only"}


def test_the_printed_command_leads_to_the_report(project):
    output = run(project, *shlex.split(COMMANDS[0]))
    folder = project / "reports" / "transfer-aquarium"
    assert f"Report: {folder.relative_to(project) / 'index.html'}" in output
    collected = Results.read(folder / "results.json")
    evaluated = {
        name
        for name, one in collected.runs.items()
        if one.seeds.get(0) and one.seeds[0].state is State.EVALUATED
    }
    assert evaluated == RUNS
    assert not any(one.mistake for one in collected.runs.values())
    for name in RUNS:
        config = read_json(Path(project, collected.runs[name].seeds[0].folder, "config.json"))
        start = config["model"]["backbone"]["init_cfg"]
        assert start["checkpoint"] == DECLARED["weights"]["mobilenetv2"]
    for table, of_runs in (
        ("table2", {"tsd_wo_pc": "evaluated", "tsd_joint": "evaluated"}),
        ("table3", {"tsd_joint": "evaluated", "tsd_pc": "evaluated", "tsd_pc_cls": "not run"}),
    ):
        rows = csv.DictReader((folder / "tables" / f"{table}.csv").open())
        states = {row["run"]: row["state"] for row in rows}
        assert of_runs.items() <= states.items()
    page = (folder / "index.html").read_text()
    assert DECLARED["title"] in page
    assert (folder / "figures" / "samples.png").exists()


def test_the_status_says_how_far_the_runs_are(project):
    (command,) = (command for command in COMMANDS if command.startswith("make status"))
    output = run(project, *shlex.split(command))
    assert "transfer-aquarium: 5 evaluated, 44 not asked for" in output


def test_all_are_in_mlflow(project):
    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("tsd-transfer-aquarium")
    runs = client.search_runs([experiment.experiment_id], "tags.kind = 'training'")
    assert {one.data.tags["run"] for one in runs} == RUNS
    assert {one.info.status for one in runs} == {"FINISHED"}
    assert all("final/AP" in one.data.metrics for one in runs)


@pytest.mark.parametrize(("command", "trained"), list(zip(COMMANDS[1:4], [2, 10, 44], strict=True)))
def test_further_commands_train_what_is_missing_alone(project, command, trained):
    asked = settings_of(command)
    settings = [f"{name}={value}" for name, value in asked.items() if name != "scale"]
    assert dry_run(project, *settings, scale=asked["scale"])["train"] == trained


def test_without_the_file_of_weights_it_is_told_before_anything_trains(project):
    weights = project / DECLARED["weights"]["mobilenetv2"]
    aside = weights.rename(weights.with_suffix(".aside"))
    asked = f"{COMMANDS[0]} ONLY=tsd_pc_cls"
    output = run(project, *shlex.split(asked), fails=True)
    aside.rename(weights)
    assert f"no checkpoint at {DECLARED['weights']['mobilenetv2']}" in output
    assert "the key weights of the data set's YAML file" in output
    assert "] starts" not in output
    page = (project / "reports/transfer-aquarium.unfinished/index.html").read_text()
    assert "no checkpoint at" in page

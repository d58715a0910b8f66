"""What would end a training, or make it pointless, is found before it and named."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tsd.experiments.reading import DeclarationError
from tsd.experiments.settings import open_grid
from tsd.run_folder import read_json
from tsd.training import check
from tsd.training.build import build_model, runtime_config
from tsd.training.check import check_data_kind, check_job, check_optimizer
from tsd.training.train import train


def silent(_line):
    pass


def changed(job, **settings):
    """The job with other settings; its optimizer is SGD."""
    sgd = {"type": "OptimWrapper", "optimizer": {"type": "SGD", "lr": 0.01}}
    own = {"optim_wrapper": {**sgd, **settings.pop("optim_wrapper", {})}, **settings}
    run = job.run.model_copy(update={"set": {**job.run.set, **own}})
    return replace(job, run=run.with_origin("runs/mine.yaml: run mine"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"optim_wrapper": {"optimizer": {"type": "AdamW", "lr": 0.1, "momentum": 0.9}}},
            r"optim_wrapper: TypeError: .*momentum",
        ),
        (
            {"optim_wrapper": {"optimizer": {"type": "SGD", "lr": 1.0, "nesterov": True}}},
            r"optim_wrapper: ValueError: Nesterov",
        ),
        (
            {"optim_wrapper": {"optimizer": {"type": "SGDD"}}},
            r"optim_wrapper\.optimizer\.type: there is no 'SGDD'; did you mean 'SGD'\?",
        ),
        (
            {"optim_wrapper": {"clip_grad": {"max_nrom": 5}}},
            r"optim_wrapper\.clip_grad: .*max_nrom",
        ),
        (
            {"param_scheduler": [{"type": "CosineAnnealing"}]},
            r"param_scheduler\.0\.type: there is no 'CosineAnnealing'; did you mean 'Cosine",
        ),
        (
            {"param_scheduler": [{"type": "PolyLR", "by_epoch": False, "pwer": 1}]},
            r"param_scheduler\.0: TypeError: .*pwer",
        ),
    ],
)
def test_an_optimizer_or_schedule_that_cannot_be_is_named(smoke_grid, settings, message):
    job = changed(smoke_grid.job("r50", 0), **settings)
    with pytest.raises(DeclarationError, match=rf"^runs/mine\.yaml: run mine: {message}"):
        check_optimizer(build_model(job), runtime_config(job), job.run.origin)


def test_what_can_be_leaves_the_model_as_it_is(smoke_grid):
    job = changed(
        smoke_grid.job("r50", 0),
        optim_wrapper={"type": "AmpOptimWrapper", "clip_grad": {"max_norm": 5}},
        param_scheduler=[
            {"type": "LinearLR", "begin": 0, "end": 1, "convert_to_iter_based": True},
            {"type": "MultiStepLR", "by_epoch": False, "milestones": [2]},
        ],
    )
    model = build_model(job)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    check_optimizer(model, runtime_config(job), job.run.origin)
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_check_run_finds_a_schedule_that_ends_before_its_warm_up(smoke_grid, monkeypatch):
    warm_up = {"type": "LinearLR", "start_factor": 0.1, "by_epoch": False, "begin": 0, "end": 50}
    job = changed(smoke_grid.job("r50", 0), param_scheduler=[warm_up])
    with pytest.raises(
        DeclarationError,
        match=r"run mine: param_scheduler\.0\.end = 50 lets the warm-up.*train_cfg\.max_iters = 4",
    ):
        check_job(job, silent)
    fitting = changed(job, param_scheduler=[{**warm_up, "end": 4}])
    assert check_job(fitting, silent) > 1000


def test_check_run_tells_what_may_not_be_meant(smoke_grid):
    cosine = {"type": "CosineAnnealingLR", "by_epoch": False, "end": 400}
    said = []
    check_job(changed(smoke_grid.job("r50", 0), param_scheduler=[cosine]), said.append)
    assert len(said) == 1
    assert said[0].startswith("param_scheduler.0.end = 400 lets it (CosineAnnealingLR)")


def test_what_depends_on_the_number_of_images_ends_the_training_at_its_start(smoke_grid):
    settings = {
        "train_cfg": {"type": "EpochBasedTrainLoop", "max_epochs": 2, "val_interval": 1000},
        "train_dataloader.sampler": {"type": "DefaultSampler", "shuffle": True},
        "train_dataloader.batch_size": 4,  # of 8 images
    }
    warm_up = {"type": "LinearLR", "start_factor": 0.1, "by_epoch": False, "begin": 0, "end": 5}
    job = changed(smoke_grid.job("r50", 0), param_scheduler=[warm_up], **settings)
    check_job(job, silent)
    with pytest.raises(DeclarationError, match=r"param_scheduler\.0\.end = 5 .* has 4 iterations"):
        train(job, [], silent)
    assert not job.folder.events.exists()


@pytest.mark.parametrize("scale", ["paper", "midi", "mini", "smoke", "transfer"])
def test_every_declared_run_reads_its_data_set(scale):
    jobs = open_grid({"scale": scale, "only": "all"}).jobs
    assert jobs
    for job in jobs:
        check_data_kind(job)


@pytest.mark.parametrize(
    ("base", "dataset", "has", "wants"),
    [
        (
            "mmdet::pascal_voc/faster-rcnn_r50_fpn_1x_voc0712",
            "coco2017",
            "is read by VOCDataset",
            "CocoDataset",
        ),
        (
            "mmdet::openimages/faster-rcnn_r50_fpn_32xb2-1x_openimages",
            "coco2017",
            "is read by OpenImagesDataset",
            "CocoDataset",
        ),
    ],
)
def test_a_data_set_of_another_kind_than_the_base_reads_is_refused(base, dataset, has, wants):
    grid = open_grid({"scale": "paper"})
    run = grid.experiments.run("r50").model_copy(update={"base": base, "dataset": dataset})
    job = replace(grid.job("r50", 0), run=run.with_origin("runs/mine.yaml: run mine"))
    with pytest.raises(
        DeclarationError, match=rf"runs/mine\.yaml: run mine: train_dataloader.*{has}.*{wants}"
    ):
        check_data_kind(job)


def test_the_command_refuses_before_training_and_writes_the_reason_down(tmp_path):
    folder = tmp_path / "experiments"
    for path in Path("experiments").rglob("*.yaml"):
        (folder / path.relative_to("experiments")).parent.mkdir(parents=True, exist_ok=True)
        (folder / path.relative_to("experiments")).write_text(path.read_text())
    (folder / "runs/mine.yaml").write_text(
        yaml.safe_dump(
            [
                {
                    "id": "mine",
                    "base": "faster-rcnn_r50_fpn",
                    "why": "Trains too shortly.",
                    "set": {"train_cfg.max_iters": 40},
                }
            ]
        )
    )
    words = (f"--experiments={folder}", f"--results={tmp_path}/results", "--scale=mini")
    command = [sys.executable, "-m", "tsd", "check-run", *words, "--run=mine", "--seed=0"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "[mine · seed 0] failed: DeclarationError: " in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    (status,) = tmp_path.glob("results/mini/mine/*/seed0/status.json")
    written = read_json(status)
    assert written["state"] == "failed"
    assert written["permanent"] is True
    assert "run mine: param_scheduler.1.begin = 50 lies beyond" in written["error"]
    assert not status.with_name("model.json").exists()


def test_what_a_class_of_the_model_refuses_is_told_with_the_run_and_its_settings(smoke_grid):
    manner = {"model.roi_head.derived_proposals.cls_manner": "no-wise"}
    job = changed(smoke_grid.job("tsd_pc", 0), **manner)
    message = (
        r"^runs/mine\.yaml: run mine: key set: no model can be built .*"
        r"model\.roi_head\.derived_proposals\.cls_manner: \w+Error: .*no-wise"
    )
    with pytest.raises(DeclarationError, match=message):
        check_job(job, silent)


def test_a_full_disk_is_no_mistake_of_the_run(smoke_grid, monkeypatch):
    def fail(job):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(check, "build_model", fail)
    with pytest.raises(OSError, match="No space left"):
        check_job(smoke_grid.job("r50", 0), silent)


def test_pretrained_weights_are_checked_too(smoke_grid, monkeypatch):
    asked = []
    monkeypatch.setattr(check, "check_pretrained", asked.append)
    check_job(smoke_grid.job("r50", 0), silent)
    assert len(asked) == 1

"""A training in bfloat16, in channels_last, and one whose backbone is compiled."""

from dataclasses import replace

import pytest
import torch
from mmengine.config import Config
from torch import nn

from tests.training.test_resume import After, assert_same, silent
from tsd.experiments.reading import DeclarationError
from tsd.experiments.scale_schema import Computation
from tsd.run_folder import read_json
from tsd.training import computation
from tsd.training.checkpoints import load_as_data
from tsd.training.computation import BFloat16OptimWrapper, prepare_for_computation, require_possible
from tsd.training.interruption import InterruptedTrainingError
from tsd.training.train import train


def computing(**asked):
    return Config({"computation": Computation(**asked).settings})


def test_a_training_in_bfloat16_and_channels_last_goes_on_where_it_was(smoke_grid, tmp_path):
    asked = Computation(precision="bfloat16", channels_last=True)
    grid = replace(smoke_grid, scale=smoke_grid.scale.model_copy(update={"computation": asked}))
    straight = replace(grid, results=tmp_path / "straight").job("tsd_pc", 0)
    train(straight, [], silent)
    assert read_json(straight.folder.train)["digest"] == straight.digest
    weights = load_as_data(str(straight.folder.weights))["state_dict"]
    assert {w.dtype for w in weights.values() if w.is_floating_point()} == {torch.float32}
    convolution = weights["backbone.layer1.0.conv1.weight"]
    assert convolution.is_contiguous(memory_format=torch.channels_last)
    other = replace(grid, results=tmp_path / "interrupted").job("tsd_pc", 0)
    with pytest.raises(InterruptedTrainingError):
        train(other, [], silent, After(2))
    train(other, [], silent)
    assert_same(straight, other)


class Small(nn.Module):
    """Something with the parts that are compiled, and one that is not."""

    def __init__(self):
        super().__init__()
        self.backbone, self.neck = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.neck(self.backbone(x)).mean((2, 3)))


def test_a_forward_pass_is_in_bfloat16_and_weights_are_not():
    model = Small()
    wrapper = BFloat16OptimWrapper(torch.optim.SGD(model.parameters(), 0.1))
    with wrapper.optim_context(model):
        out = model(torch.rand(1, 3, 8, 8))
    assert out.dtype == torch.bfloat16
    assert model(torch.rand(1, 3, 8, 8)).dtype == torch.float32
    before = model.head.weight.clone()
    wrapper.update_params(out.sum())
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert not torch.equal(model.head.weight, before)


def test_backbone_and_neck_are_compiled_in_place_and_nothing_else(monkeypatch):
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda part: compiled.append(part))
    model = Small()
    names = list(model.state_dict())
    prepare_for_computation(model, computing(compile=True))
    assert compiled == [model.backbone, model.neck]
    assert list(model.state_dict()) == names
    prepare_for_computation(model, computing(channels_last=True))
    assert len(compiled) == 2


def test_without_a_compiler_a_cpu_compiles_nothing(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    require_possible(computing(compile=True), "mine.yaml")
    monkeypatch.setattr(computation.shutil, "which", lambda _name: None)
    with pytest.raises(DeclarationError, match=r"mine\.yaml: key computation\.compile: .*g\+\+"):
        require_possible(computing(compile=True), "mine.yaml")
    require_possible(computing(precision="bfloat16"), "mine.yaml")


def test_a_gpu_without_bfloat16_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla V100")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_options: False)
    with pytest.raises(DeclarationError, match="precision: Tesla V100 does not compute in bfloat1"):
        require_possible(computing(precision="bfloat16"), "mine.yaml")
    require_possible(computing(channels_last=True), "mine.yaml")

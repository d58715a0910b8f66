"""Pretrained weights: where they come from, what is said if they do not, how they are read."""

import io
import os
import threading
from pathlib import Path
from urllib.error import HTTPError, URLError

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.model import BaseModule
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from tsd.experiments.compile import dictionaries
from tsd.experiments.load import load_experiments
from tsd.experiments.settings import open_grid
from tsd.training import checkpoints
from tsd.training.checkpoints import WeightsError, check_pretrained, fetch, resolve

NAMES = {
    "torchvision://resnet101": "https://download.pytorch.org/models/resnet101-63fe2227.pth",
    "open-mmlab://resnext101_32x4d": r"https://\S+/resnext101_32x4d-a5af3160.pth",
    "open-mmlab://mmdet/mobilenet_v2": r"https://\S+/mobilenet_v2_batch256_imagenet-ff34753d.pth",
    "mmcls://mobilenet_v2": r"https://\S+/mobilenet_v2_batch256_imagenet_20200708-3b2dc3af.pth",
    "https://example.org/a/senet.pth": "https://example.org/a/senet.pth",
}
TRANSFER = open_grid({"scale": "transfer"})
BACKBONES = load_experiments(Path("experiments")).backbones


class Answer(io.BytesIO):
    """What a server sends."""

    def __init__(self, content, announced=None):
        super().__init__(content)
        self.headers = {"Content-Length": str(len(content) if announced is None else announced)}


class Code:
    def __reduce__(self):
        return (os.mkdir, ("executed",))


class Net(BaseModule):
    """Stands for a detector's backbone."""

    def __init__(self, checkpoint, width=3, **init_cfg):
        super().__init__({"type": "Pretrained", "checkpoint": checkpoint, **init_cfg})
        self.conv1 = nn.Conv2d(3, width, 1)
        self.conv_offset = nn.Conv2d(3, 18, 1)


def detector(*args, **kwargs):
    model = nn.Module()
    model.backbone = Net(*args, **kwargs)
    return model


def as_file(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


WEIGHTS = {"conv1.weight": torch.ones(3, 3, 1, 1), "conv1.bias": torch.zeros(3)}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Torch hub's cache, empty, and the folder that the test runs in."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("MMENGINE_HOME", str(tmp_path / "mmengine"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def network(monkeypatch):
    """Answers in place of the network; an exception among them is raised. None is left over."""
    answers = []

    def urlopen(request, timeout):
        assert timeout > 0
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(checkpoints, "urlopen", urlopen)
    yield answers
    assert not answers


def test_a_cache_that_cannot_be_made_is_told_with_the_variables_that_move_it(
    tmp_path, network, monkeypatch
):
    (tmp_path / "file").touch()
    monkeypatch.delenv("TORCH_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "cache"))
    with pytest.raises(
        WeightsError, match=r"Not a directory.*TORCH_HOME.*XDG_CACHE_HOME"
    ) as raised:
        CheckpointLoader.load_checkpoint("torchvision://resnet50")
    assert "file/cache/torch/hub/checkpoints" in str(raised.value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (URLError("Name or service not known"), "Name or service not known"),
        (HTTPError("https://x", 404, "Not Found", {}, None), "404.*Not Found"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_without_network_it_is_said_where_the_file_goes(cache, network, name, failure, reason):
    network.append(failure)
    with pytest.raises(WeightsError, match=reason) as raised:
        CheckpointLoader.load_checkpoint(name)
    way_out = "the key weights of the data set's YAML file or in init_cfg.checkpoint"
    with pytest.raises(WeightsError, match=f"{name} .* {NAMES[name]} .*{way_out}"):
        raise raised.value
    file = cache / NAMES[name].rpartition("/")[2]
    assert f"not at {file}," in str(raised.value)
    # Put there by hand, as told, it is used, and no download is tried.
    file.write_bytes(as_file({"backbone.a": torch.ones(1)}))
    assert CheckpointLoader.load_checkpoint(name)


@pytest.mark.parametrize("backbone", sorted(BACKBONES))
def test_the_weights_of_every_declared_backbone_are_known_by_their_name(backbone):
    named = [d["checkpoint"] for d in dictionaries(BACKBONES[backbone].set) if "checkpoint" in d]
    named += [v for k, v in BACKBONES[backbone].set.items() if k.endswith(".checkpoint")]
    (checkpoint,) = named
    assert resolve(checkpoint).startswith("https://")
    assert resolve(checkpoint).endswith(".pth")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("torchvision://resnet1001", "torchvision://resnet101"),
        ("open-mmlab://resnext101_32x4", "open-mmlab://resnext101_32x4d"),
        ("mmcls://mobilenetv2", "mmcls://mobilenet_v2"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name, nearest):
    with pytest.raises(WeightsError, match=f"no pretrained weights {name}; did you .* {nearest}"):
        CheckpointLoader.load_checkpoint(name)


def test_weights_are_downloaded_once_by_those_who_ask_at_a_time(network, monkeypatch):
    everybody = threading.Barrier(4)
    network.append(Answer(as_file(WEIGHTS)))
    found = []

    def ask():
        everybody.wait()
        found.append(fetch("https://example.org/net.pth"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    read = CheckpointLoader.load_checkpoint("https://example.org/net.pth")
    assert torch.equal(read["conv1.weight"], WEIGHTS["conv1.weight"])


def test_a_download_that_breaks_off_leaves_nothing_that_is_taken_for_weights(cache, network):
    content = as_file(WEIGHTS)
    network += [Answer(content[:100], announced=len(content)), Answer(content)]
    with pytest.raises(WeightsError, match=rf"\(100 of {len(content)} bytes came\)"):
        fetch("https://example.org/net.pth")
    assert not (cache / "net.pth").exists()
    assert fetch("https://example.org/net.pth").read_bytes() == content


@pytest.mark.parametrize("name", [*NAMES, "local.pth"])
@pytest.mark.parametrize(
    "content",
    [as_file({"a": torch.ones(1), "b": Code()}), as_file(WEIGHTS)[:-200], b"<html>", b""],
    ids=["code", "cut short", "a page", "empty"],
)
def test_what_holds_more_or_less_than_weights_is_refused(cache, network, name, content):
    cache.mkdir(parents=True)
    file = Path("local.pth") if name == "local.pth" else cache / NAMES[name].rpartition("/")[2]
    file.write_bytes(content)
    with pytest.raises(WeightsError, match=f"{file} cannot be read with weights_only=True"):
        CheckpointLoader.load_checkpoint(name)
    assert not Path("executed").exists()


def test_no_reader_of_mmengine_is_left():
    assert {f.__module__ for f in CheckpointLoader._schemes.values()} == {checkpoints.__name__}
    with pytest.raises(FileNotFoundError, match=r"s3://bucket/net\.pth"):
        CheckpointLoader.load_checkpoint("s3://bucket/net.pth")


def test_of_a_classifier_the_backbone_is_read(cache, network):
    network.append(Answer(as_file({"state_dict": {"backbone.a": torch.ones(1), "head.a": 0}})))
    assert set(CheckpointLoader.load_checkpoint("mmcls://mobilenet_v2")) == {"a"}


def test_the_check_finds_what_the_training_then_reads(network):
    network.append(Answer(as_file({"state_dict": WEIGHTS})))
    model = detector("https://example.org/net.pth")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    check_pretrained(model)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    model.backbone.init_weights()
    assert torch.equal(model.backbone.conv1.weight, WEIGHTS["conv1.weight"])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: detector("absent.pth"), "no checkpoint at absent.pth"),
        (lambda: detector("torchvision://resnet1001"), "no pretrained weights"),
        (lambda: detector("other.pth"), "other.pth does not fit Net: no parameter is in both"),
        (
            lambda: detector("net.pth", width=5),
            r"net.pth does not fit Net: conv1.bias is \[3\], expected \[5\]",
        ),
        (
            lambda: detector("net.pth", prefix="backbone"),
            "net.pth does not fit Net: no parameter is in both",
        ),
    ],
)
def test_the_check_names_the_setting_of_weights_that_will_not_do(build, message):
    torch.save({"state_dict": WEIGHTS}, "net.pth")
    torch.save({"features.0.weight": torch.ones(1)}, "other.pth")
    with pytest.raises(WeightsError, match=rf"^model\.backbone\.init_cfg\.checkpoint: .*{message}"):
        check_pretrained(build())


def test_the_check_reads_a_part_of_a_file_where_the_setting_says_so():
    below = {f"backbone.{name}": value for name, value in WEIGHTS.items()}
    torch.save({"state_dict": below, "head.bias": torch.ones(1)}, "whole.pth")
    check_pretrained(detector("whole.pth", prefix="backbone."))


@pytest.mark.skipif("TSD_TEST_DATA" not in os.environ, reason="TSD_TEST_DATA is not set")
def test_real_weights_fit_their_backbone_exactly_and_no_other():
    register_all_modules()
    file = Path(os.environ["TSD_TEST_DATA"], "weights", "mobilenet_v2_1.0_bn.pth")
    backbone = TRANSFER.job("r50", 0).config.model.backbone.to_dict()
    backbone["init_cfg"]["checkpoint"] = str(file)
    model = nn.Module()
    model.backbone = MODELS.build(backbone)
    model.backbone.load_state_dict(checkpoints.load_as_data(str(file))["state_dict"], strict=True)
    check_pretrained(model)
    model.backbone = MODELS.build({**backbone, "widen_factor": 0.5})
    with pytest.raises(WeightsError, match="does not fit MobileNetV2"):
        check_pretrained(model)

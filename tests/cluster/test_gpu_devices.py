"""Which GPUs a machine has and a user allows."""

import os

import pytest

from tests.cluster.fake_gpus import FIRST, SECOND, TWO_GPUS, nvidia_smi
from tsd.cluster.gpu_devices import visible_devices
from tsd.experiments.reading import DeclarationError

WITHOUT = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}


@pytest.fixture
def devices(tmp_path):
    """Asks a fake nvidia-smi, with device files beside it."""
    said = []
    files = tmp_path / "dev"
    files.mkdir()

    def ask(answer=TWO_GPUS, status=0, visible=None, numbers=()):
        for number in numbers:
            (files / f"nvidia{number}").touch()
        environment = {**WITHOUT, **nvidia_smi(tmp_path / "bin", answer, status)}
        if visible is not None:
            environment["CUDA_VISIBLE_DEVICES"] = visible
        return visible_devices(said.append, environment, files)

    ask.said = said
    return ask


def test_gpus_are_named_by_uuid_and_have_their_memory(devices):
    first, second = devices()
    assert (first.name, first.index, first.total_mb, first.free_mb) == (FIRST, "0", 81559, 81000)
    assert (second.name, second.alone) == (SECOND, False)
    assert devices.said == []


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        ("1", [SECOND]),
        ("1,0", [SECOND, FIRST]),
        (" 0 , 1 ", [FIRST, SECOND]),
        (SECOND, [SECOND]),
        ("GPU-bb", [SECOND]),
        (f"0,{FIRST}", [FIRST]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("1,-1,0", [SECOND]),
        ("MIG-4f1a/3/0", ["MIG-4f1a/3/0"]),
    ],
)
def test_what_the_user_has_made_visible_is_kept_to(devices, visible, names):
    assert [device.name for device in devices(visible=visible)] == names


@pytest.mark.parametrize(
    ("visible", "found"),
    [("2", "none of"), ("0,7", "none of"), ("GPU-cc", "none of"), ("GPU-", "more than one of")],
)
def test_a_gpu_that_is_not_there_is_refused_and_not_left_out(devices, visible, found):
    with pytest.raises(
        DeclarationError, match=rf"CUDA_VISIBLE_DEVICES={visible}: {found}"
    ) as caught:
        devices(visible=visible)
    assert f"0 ({FIRST}), 1 ({SECOND})" in str(caught.value)


def test_an_exclusive_gpu_is_told_and_a_prohibited_one_left_out(devices):
    answer = f"0, {FIRST}, 100, 90, Exclusive_Process\n1, {SECOND}, 100, 90, Prohibited\n"
    (only,) = devices(answer)
    assert (only.name, only.alone) == (FIRST, True)


def test_memory_that_is_not_told_is_not_known(devices):
    (only,) = devices(f"0, {FIRST}, [N/A], [Not Supported], Default\n")
    assert (only.total_mb, only.free_mb) == (None, None)


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        ("NVIDIA-SMI has failed because it couldn't communicate", 9, "exit status 9"),
        ("0, GPU-aaaa, 81559\n", 0, "it answers '0, GPU-aaaa, 81559'"),
        ("gpu0, GPU-aaaa, 1, 1, Default\n", 0, "it answers 'gpu0"),
        ("0, , 1, 1, Default\n", 0, "it answers '0, ,"),
    ],
)
def test_an_nvidia_smi_that_is_not_understood_leaves_the_device_files(
    devices, answer, status, reason
):
    found = devices(answer, status, numbers=(10, 0, 2))
    assert [device.name for device in found] == ["0", "2", "10"]
    assert {device.free_mb for device in found} == {None}
    (told,) = devices.said
    assert reason in told


def test_without_gpus_nothing_is_said(devices, tmp_path):
    assert devices("broken", 9) == []
    environment = {**WITHOUT, "PATH": str(tmp_path / "nothing"), "CUDA_VISIBLE_DEVICES": "0"}
    assert visible_devices(devices.said.append, environment, tmp_path) == []
    assert devices("", 0) == []
    assert devices.said == []

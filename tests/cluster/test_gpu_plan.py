"""How many jobs share a GPU."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tsd.cluster.gpu_devices import Device
from tsd.cluster.gpu_plan import (
    VARIABLE,
    Plan,
    free_memory_mb,
    of_this_machine,
    share_out,
    tell_jobs,
    told_shares,
)
from tsd.experiments.scale_schema import Resources

SMALL = Resources(gpus=1, per_gpu=12, gpu_mem_mb=2000, mem_mb=3000)


def shares(device, resources=SMALL, **settings):
    said = []
    found = share_out([device], resources, said.append, **settings)
    return found.shares[device.name], said


def test_the_scale_says_how_many_where_memory_allows():
    assert shares(Device("a", "0", 81559, 81000)) == (12, [])


def test_memory_that_is_free_bounds_it_and_that_is_said():
    share, said = shares(Device("a", "0", 81559, 7999))
    assert share == 3
    assert said == [
        "GPU 0 takes 3 of these jobs at a time and not 12: 7999 MB of its memory are free and a "
        "job is declared to need 2000 MB"
    ]
    assert shares(Device("a", "0", 16000, 100), memory="total")[0] == 8


def test_one_job_has_a_gpu_whatever_is_declared_of_its_memory():
    assert shares(Device("a", "0", 8000, 500))[0] == 1
    assert shares(Device("a", "0", 8000, 500), Resources(gpus=1)) == (1, [])


@pytest.mark.parametrize(
    ("device", "why"),
    [
        (Device("a", "0", 81559, 81000, alone=True), "its compute mode is exclusive"),
        (Device("a", "0"), "its memory is not known"),
    ],
)
def test_a_gpu_that_cannot_be_shared_is_not(device, why):
    share, said = shares(device)
    assert share == 1
    assert why in said[0]


def test_the_memory_of_the_machine_bounds_all_of_them():
    devices = [Device(name, name, 81559, 81000) for name in "ab"]
    said = []
    found = share_out(devices, SMALL, said.append, machine_mb=32000)
    assert (found.jobs, sum(found.shares.values())) == (10, 24)
    assert "10 jobs at a time are on GPUs and not 24: 32000 MB of the machine's memory" in said[0]
    assert share_out(devices, SMALL, said.append, machine_mb=10).jobs == 1


def test_without_gpus_there_is_no_plan():
    assert share_out([], SMALL, pytest.fail) is None
    wanting_none = SMALL.model_copy(update={"gpus": 0})
    assert share_out([Device("a", "0")], wanting_none, pytest.fail) is None
    assert of_this_machine(wanting_none, pytest.fail) is None


def test_more_jobs_than_gpus_share_them():
    assert Plan({"a": 2, "b": 1}, jobs=3).is_shared
    assert not Plan({"a": 2, "b": 1}, jobs=2).is_shared


@given(
    free=st.lists(st.none() | st.integers(0, 200_000), min_size=1, max_size=8),
    per_gpu=st.integers(1, 48),
    need=st.integers(1, 100_000),
    machine=st.none() | st.integers(0, 500_000),
)
def test_every_gpu_has_a_job_and_none_more_than_it_may(free, per_gpu, need, machine):
    devices = [Device(str(n), str(n), mb, mb) for n, mb in enumerate(free)]
    resources = SMALL.model_copy(update={"per_gpu": per_gpu, "gpu_mem_mb": need})
    found = share_out(devices, resources, lambda line: None, machine_mb=machine)
    assert found.shares.keys() == {device.name for device in devices}
    assert 1 <= found.jobs <= sum(found.shares.values())
    for device in devices:
        share = found.shares[device.name]
        assert 1 <= share <= per_gpu
        assert share == 1 or share * need <= device.free_mb


def test_jobs_learn_of_the_gpus_by_their_environment(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert told_shares() is None
    monkeypatch.setenv(VARIABLE, "")
    tell_jobs(Plan({"GPU-a": 12}, 12))
    code = "from tsd.cluster.gpu_plan import told_shares; print(told_shares())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout == "{'GPU-a': 12}\n"


def test_this_machine_has_memory():
    assert free_memory_mb() > 100


@pytest.mark.parametrize("per_gpu", [0, 49])
def test_no_more_share_a_gpu_than_mps_takes(per_gpu):
    with pytest.raises(ValidationError, match="per_gpu"):
        Resources(gpus=1, per_gpu=per_gpu)


def test_a_training_on_several_gpus_shares_none():
    with pytest.raises(ValidationError, match="do not share any; give gpus: 1"):
        Resources(gpus=4, per_gpu=2)

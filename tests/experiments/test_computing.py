"""How a scale has its trainings computed: part of the digest where it is not as usual."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from tsd.experiments.reading import DeclarationError
from tsd.experiments.scale_schema import Computation
from tsd.experiments.settings import open_grid


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    return open_grid({"scale": "mini", "only": "all"}, tmp_path_factory.mktemp("results"))


def job_computing(grid, run="r50", settings=None, **asked):
    scale = grid.scale.model_copy(
        update={"computation": Computation(**asked), "set": {**grid.scale.set, **(settings or {})}}
    )
    return replace(grid, scale=scale).jobs_of(run)[0]


def test_what_is_as_usual_leaves_configs_and_digests_as_they_were(grid):
    usual = grid.jobs_of("r50")[0]
    said = job_computing(grid, precision="float32", channels_last=False, compile=False)
    assert "computation" not in usual.config
    assert said.config.to_dict() == usual.config.to_dict()
    assert said.digest == usual.digest


def test_each_way_has_a_digest_of_its_own(grid):
    ways = [{}, {"precision": "bfloat16"}, {"channels_last": True}, {"compile": True}]
    jobs = [job_computing(grid, **way) for way in ways]
    assert [job.config.get("computation", {}) for job in jobs] == ways
    assert len({job.digest for job in jobs}) == len(ways)
    wrappers = [job.config.optim_wrapper.type for job in jobs]
    assert wrappers == ["OptimWrapper", "BFloat16OptimWrapper", "OptimWrapper", "OptimWrapper"]
    plain, halves = jobs[0].config.optim_wrapper, jobs[1].config.optim_wrapper
    assert {**halves, "type": plain.type} == dict(plain)


def test_another_optim_wrapper_is_no_training_in_bfloat16(grid):
    other = {"optim_wrapper": {"type": "AmpOptimWrapper", "optimizer": {"type": "SGD", "lr": 0.1}}}
    with pytest.raises(DeclarationError) as error:
        _ = job_computing(grid, settings=other, precision="bfloat16").config
    assert "mini.yaml: key computation.precision: the optim_wrapper" in str(error.value)
    assert "has the type AmpOptimWrapper" in str(error.value)
    _ = job_computing(grid, settings=other, channels_last=True).config


def test_a_detector_without_a_neck_is_not_compiled(grid):
    with pytest.raises(DeclarationError, match=r"key computation\.compile: .* has no neck"):
        _ = job_computing(grid, "peer_cornernet", compile=True).config
    _ = job_computing(grid, "peer_faster_rcnn", compile=True).config


@pytest.mark.parametrize("asked", [{"precision": "bfloat16"}, {"channels_last": True}])
def test_operators_that_are_not_made_for_it_are_refused(grid, asked):
    (key,) = asked
    for run, reason in (("r101_dcn_tsd", "deformable"), ("peer_faster_rcnn", "was not tried")):
        with pytest.raises(
            DeclarationError, match=rf"mini.yaml: key computation.{key}: .*{reason}"
        ):
            _ = job_computing(grid, run, **asked).config
    _ = job_computing(grid, "r101_dcn_tsd", compile=True).config


def test_a_type_that_there_is_not_is_refused():
    with pytest.raises(ValidationError, match="'float32' or 'bfloat16'"):
        Computation(precision="float16")

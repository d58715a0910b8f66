"""A schedule that does not fit its training is found by its numbers, and named."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.optim import OptimWrapper
from mmengine.registry import PARAM_SCHEDULERS

from tsd.experiments.reading import DeclarationError
from tsd.experiments.schedule import check_schedule
from tsd.experiments.settings import open_grid

WARM_UP = {"type": "LinearLR", "start_factor": 0.05, "by_epoch": False, "begin": 0, "end": 50}
COSINE = {"type": "CosineAnnealingLR", "by_epoch": False, "begin": 50, "end": 100}
STEPS = {"type": "MultiStepLR", "by_epoch": True, "begin": 0, "end": 12, "milestones": [8, 11]}
EPOCH_WARM_UP = {
    "type": "LinearLR",
    "start_factor": 0.03,
    "by_epoch": True,
    "begin": 0,
    "end": 1,
    "convert_to_iter_based": True,
}


def by_iteration(length, *schedulers):
    loop = {"type": "IterBasedTrainLoop", "max_iters": length}
    return {"train_cfg": loop, "param_scheduler": list(schedulers)}


def by_epoch(length, *schedulers):
    loop = {"type": "EpochBasedTrainLoop", "max_epochs": length}
    return {"train_cfg": loop, "param_scheduler": list(schedulers)}


FAULTS = {
    "an end before its beginning": (
        by_iteration(100, WARM_UP, {**COSINE, "end": 40}),
        r"param_scheduler\.1\.end = 40 has to be larger than its begin = 50",
    ),
    "a beginning after the end of the training": (
        by_iteration(50, WARM_UP, COSINE),
        r"param_scheduler\.1\.begin = 50 lies beyond .*train_cfg\.max_iters = 50",
    ),
    "the same without an end": (
        by_iteration(50, WARM_UP, {k: v for k, v in COSINE.items() if k != "end"}),
        r"param_scheduler\.1\.begin = 50 lies beyond .*train_cfg\.max_iters = 50",
    ),
    "a warm-up that is longer than the training": (
        by_iteration(40, WARM_UP),
        r"param_scheduler\.0\.end = 50 lets the warm-up .* beyond .*train_cfg\.max_iters = 40",
    ),
    "a constant warm-up that is longer": (
        by_iteration(40, {"type": "ConstantLR", "by_epoch": False, "end": 50}),
        r"param_scheduler\.0\.end = 50 lets the warm-up",
    ),
    "a warm-up in epochs": (
        by_epoch(2, {**EPOCH_WARM_UP, "end": 3}),
        r"param_scheduler\.0\.end = 3 lets the warm-up .*train_cfg\.max_epochs = 2",
    ),
    "a warm-up that mmengine never ends": (
        by_epoch(12, {k: v for k, v in EPOCH_WARM_UP.items() if k != "convert_to_iter_based"}),
        r"param_scheduler\.0 \(LinearLR, begin = 0, end = 1\): .* a single step",
    ),
    "milestones beyond the end": (
        by_epoch(6, EPOCH_WARM_UP, STEPS),
        r"param_scheduler\.1\.milestones = \[8, 11\]: none lies before .*max_epochs = 6.* falls",
    ),
    "a milestone at the very end": (
        by_epoch(8, {**STEPS, "milestones": [8]}),
        r"param_scheduler\.0\.milestones = \[8\]: none lies before",
    ),
    "milestones after the scheduler's own end": (
        by_epoch(24, {**STEPS, "milestones": [16, 22]}),
        r"param_scheduler\.0\.milestones = \[16, 22\]: none lies before its end \(12\)",
    ),
    "milestones that count from a later beginning": (
        by_epoch(10, {**STEPS, "begin": 3}),
        r"param_scheduler\.0\.milestones = \[8, 11\]: none lies before",
    ),
    "steps that are too long": (
        by_iteration(100, {"type": "StepLR", "by_epoch": False, "step_size": 100}),
        r"param_scheduler\.0\.step_size = 100: no step lies before",
    ),
    "epochs where iterations are counted": (
        by_iteration(100, {"type": "MultiStepLR", "milestones": [50]}),
        r"param_scheduler\.0 \(MultiStepLR\) counts epochs.*set by_epoch: false",
    ),
    "a beginning that is no number": (
        by_iteration(100, {**COSINE, "begin": "50"}),
        r"param_scheduler\.0\.begin = '50': expected an integer",
    ),
    "a training of no iterations": (by_iteration(0), r"train_cfg\.max_iters = 0: expected how"),
    "a training of half an epoch": (by_epoch(0.5), r"train_cfg\.max_epochs = 0\.5: expected how"),
    "a single scheduler": (
        {"train_cfg": by_epoch(6)["train_cfg"], "param_scheduler": STEPS},
        r"param_scheduler\.0\.milestones",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_name_setting_and_values(fault):
    config, message = FAULTS[fault]
    with pytest.raises(DeclarationError, match=f"^mine.yaml: {message}"):
        check_schedule(config, "mine.yaml")


@pytest.mark.parametrize(
    "config",
    [
        by_iteration(100, WARM_UP, COSINE),
        by_iteration(50, WARM_UP),
        by_iteration(1),
        by_epoch(12, EPOCH_WARM_UP, STEPS),
        by_epoch(12, WARM_UP, STEPS),
        by_epoch(12, {**STEPS, "end": 24}),
        by_epoch(1, {**WARM_UP, "end": 100_000}),  # not known without data
        by_iteration(100, {"type": "LinearLR", "by_epoch": False, "end_factor": 0.1, "end": 100}),
        {"train_cfg": {"type": "AnotherLoop"}, "param_scheduler": [STEPS]},
    ],
)
def test_what_fits_is_left_alone(config):
    assert check_schedule(config, "mine.yaml") == []


def test_what_depends_on_the_data_is_found_once_they_are_known():
    config = by_epoch(4, {**WARM_UP, "end": 500}, {**STEPS, "milestones": [3]})
    assert check_schedule(config, "mine.yaml", epoch_length=125) == []
    with pytest.raises(
        DeclarationError,
        match=r"param_scheduler\.0\.end = 500 .* has 400 iterations \(train_cfg\.max_epochs = 4, "
        r"100 iterations an epoch\)",
    ):
        check_schedule(config, "mine.yaml", epoch_length=100)
    converted = by_iteration(90, {**EPOCH_WARM_UP, "end": 2})
    assert check_schedule(converted, "mine.yaml") == []
    assert check_schedule(converted, "mine.yaml", epoch_length=45) == []
    with pytest.raises(DeclarationError, match=r"end = 2 lets the warm-up .* has 1\.8 epochs"):
        check_schedule(converted, "mine.yaml", epoch_length=50)


@pytest.mark.parametrize(
    ("config", "remark"),
    [
        (by_epoch(10, STEPS), "param_scheduler.0.milestones: [11] have no effect"),
        (by_iteration(80, WARM_UP, COSINE), "param_scheduler.1.end = 100 lets it (Cosine"),
        (by_iteration(80, {**COSINE, "T_max": 90}), "param_scheduler.0.T_max = 90 lets it"),
        (by_iteration(80, {"type": "PolyLR", "by_epoch": False, "end": 90}), "0.end = 90 lets it"),
    ],
)
def test_what_makes_sense_and_may_not_be_meant_is_told(config, remark):
    (told,) = check_schedule(config, "mine.yaml")
    assert remark in told


def test_all_faults_are_told_at_once():
    with pytest.raises(DeclarationError) as refused:
        check_schedule(by_iteration(40, WARM_UP, COSINE), "mine.yaml")
    assert str(refused.value).count("mine.yaml: param_scheduler") == 2


@pytest.mark.parametrize("scale", ["paper", "midi", "mini", "smoke", "transfer"])
def test_every_declared_schedule_fits_and_a_training_cut_short_does_not(scale):
    for job in open_grid({"scale": scale, "only": "all"}).jobs:
        config = job.config.to_dict()
        assert check_schedule(config, job.run.origin) == []
        assert check_schedule(config, job.run.origin, epoch_length=3665) == []
        if config["param_scheduler"]:
            length = "max_epochs" if "max_epochs" in config["train_cfg"] else "max_iters"
            shorter = {**job.run.set, f"train_cfg.{length}": 1}
            run = job.run.model_copy(update={"set": shorter}).with_origin("runs/x.yaml: run x")
            with pytest.raises(DeclarationError, match=rf"run x: param_scheduler.*{length} = 1\b"):
                check_schedule(replace(job, run=run).config.to_dict(), run.origin)


NUMBERS = st.integers(0, 9)


def rates(scheduler, length):
    """The learning rate of each iteration, from mmengine's own scheduler; None if it refuses."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    wrapper = OptimWrapper(torch.optim.SGD([parameter], lr=1.0))
    try:
        built = PARAM_SCHEDULERS.build(
            {"end": length, **scheduler}, default_args={"optimizer": wrapper}
        )
    except ValueError:
        return None
    used = []
    for _ in range(length):
        used.append(wrapper.param_groups[0]["lr"])
        wrapper.step()
        built.step()
    return used


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {"milestones": st.lists(NUMBERS.filter(bool), min_size=1, max_size=3, unique=True)},
        optional={"begin": NUMBERS, "end": NUMBERS},
    ),
    st.integers(1, 9),
)
def test_milestones_against_mmengine(declared, length):
    declared["milestones"].sort()
    scheduler = {"type": "MultiStepLR", "by_epoch": False, "gamma": 0.1, **declared}
    used = rates(scheduler, length)
    sound = used is not None and declared.get("begin", 0) < length and min(used) < max(used)
    try:
        remarks = check_schedule(by_iteration(length, scheduler), "x")
    except DeclarationError:
        assert not sound
    else:
        assert sound
        falls = len({round(rate, 9) for rate in used}) - 1
        assert (falls < len(declared["milestones"])) == bool(remarks)


@settings(deadline=None)
@given(st.fixed_dictionaries({}, optional={"begin": NUMBERS, "end": NUMBERS}), st.integers(1, 9))
def test_a_warm_up_against_mmengine(declared, length):
    scheduler = {"type": "LinearLR", "by_epoch": False, "start_factor": 0.5, **declared}
    used = rates(scheduler, length)
    sound = used is not None and declared.get("begin", 0) < length and used[-1] > 0.999
    try:
        check_schedule(by_iteration(length, scheduler), "x")
    except DeclarationError:
        assert not sound
    else:
        assert sound

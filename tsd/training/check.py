"""What can be seen of a job before it trains, without data."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import OPTIMIZERS, PARAM_SCHEDULERS, Registry
from torch import nn

from tsd.experiments.compile import dictionaries
from tsd.experiments.data_formats import format_of
from tsd.experiments.job import Job
from tsd.experiments.reading import DeclarationError, suggest
from tsd.experiments.schedule import check_schedule
from tsd.training.build import build_model, inference_parameters, runtime_config
from tsd.training.checkpoints import check_pretrained

_REFUSALS = (AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What classes raise that are given a setting which they cannot have. Other errors, such as that of
a disk or of memory, are no mistake of a declaration."""

_EPOCH_LENGTH = 1000
"""Iterations of an epoch, which schedulers that count epochs are built with here."""


def check_job(job: Job, announce: Callable[[str], None]) -> int:
    """Build a job's model, its optimizer and its schedule, so that what cannot be is found.

    Args:
        job: The job.
        announce: Called with lines about what can be, and may not be meant.

    Returns:
        The number of parameters that inference uses.

    Raises:
        DeclarationError: If the data set is of another kind than the base reads, or the model, the
            optimizer or the schedule cannot be. Names the run, and the setting where it is known.
        WeightsError: If pretrained weights cannot be had or do not fit.
    """
    check_data_kind(job)
    for remark in check_schedule(job.config, job.run.origin):
        announce(remark)
    model = _model_of(job)
    check_optimizer(model, runtime_config(job), job.run.origin)
    check_pretrained(model)
    return inference_parameters(model)


def _model_of(job: Job) -> nn.Module:
    """Build a job's model; what its classes refuse is told as a mistake of the run.

    Raises:
        DeclarationError: They refuse a setting. Names the run and what it sets.
    """
    try:
        return build_model(job)
    except _REFUSALS as error:
        own = ", ".join(path for path in job.run.set if path.startswith("model")) or "nothing"
        raise DeclarationError(
            f"{job.run.origin}: key set: no model can be built of the base {job.run.base} with the "
            f"settings for it, of which the run itself says {own}: {type(error).__name__}: {error}"
        ) from error


def check_data_kind(job: Job) -> None:
    """See that what the base reads data with can read the job's data set.

    Raises:
        DeclarationError: If it cannot. Names the class that the base has and the one that can.
    """
    reader = format_of(job.dataset).read_by
    for loader in ("train_dataloader", "test_dataloader"):
        loaded = job.config.to_dict()[loader]["dataset"]
        found = [part["type"] for part in dictionaries(loaded) if "ann_file" in part]
        if set(found) != {reader}:
            has = f"is read by {', '.join(sorted(set(found)))}" if found else "reads no annotations"
            raise DeclarationError(
                f"{job.run.origin}: {loader}.dataset of the base {job.run.base} {has}, and the "
                f"data set {job.dataset.id} is of a format that {reader} reads: choose another "
                f"base or data set, or set {loader}.dataset to one whose type is {reader}"
            )


def check_optimizer(model: nn.Module, config: Config, place: str) -> None:
    """Build a model's optimizer and its schedulers as they are declared, and clip a gradient.

    Mixed precision is left out: the machine that checks a job may have no GPU.

    Args:
        model: The model. It stays as it is.
        config: Its runtime config.
        place: Named in errors: the file and the run.

    Raises:
        DeclarationError: If one of them cannot be built. Names the setting.
    """
    wrapper = config.optim_wrapper.to_dict()
    names = ("optimizer", "paramwise_cfg", "constructor", "clip_grad")
    plain = {name: wrapper[name] for name in names if name in wrapper}
    _check_type(OPTIMIZERS, plain["optimizer"], f"{place}: optim_wrapper.optimizer")
    optim_wrapper = _built(
        f"{place}: optim_wrapper", build_optim_wrapper, model, {"type": "OptimWrapper", **plain}
    )
    if optim_wrapper.clip_grad_kwargs:
        gradient = nn.Parameter(torch.zeros(1))
        gradient.grad = torch.ones(1)
        clip = partial(optim_wrapper.clip_func, **optim_wrapper.clip_grad_kwargs)
        _built(f"{place}: optim_wrapper.clip_grad", clip, [gradient])
    schedulers = config.get("param_scheduler") or []
    build_scheduler = partial(
        PARAM_SCHEDULERS.build,
        default_args={"optimizer": optim_wrapper, "epoch_length": _EPOCH_LENGTH},
    )
    for index, scheduler in enumerate(schedulers if isinstance(schedulers, list) else [schedulers]):
        settings = {"end": _EPOCH_LENGTH**2, **scheduler.to_dict()}
        _check_type(PARAM_SCHEDULERS, settings, f"{place}: param_scheduler.{index}")
        _built(f"{place}: param_scheduler.{index}", build_scheduler, settings)


def _check_type(registry: Registry, settings: dict[str, Any], setting: str) -> None:
    """See that there is the class that settings name; mmengine does not always say which is not."""
    name = settings.get("type")
    if not isinstance(name, str) or registry.get(name) is None:
        raise DeclarationError(
            f"{setting}.type: there is no {name!r}" + suggest(str(name), registry.module_dict)
        )


def _built(setting: str, build: Callable[..., Any], *arguments: Any) -> Any:
    """What a function builds; whatever keeps it from that is told with the setting."""
    try:
        return build(*arguments)
    except Exception as error:
        raise DeclarationError(f"{setting}: {type(error).__name__}: {error}") from error

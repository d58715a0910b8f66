"""What a training step pays for being tracked: the losses and measures that it writes to files.

MLflow itself is fed by another process from these files, so that nothing else is paid in the step.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.optim import build_optim_wrapper

from tsd.bench.network import BASELINE
from tsd.bench.rows import Bench, Measurement, Row
from tsd.bench.small_step import made_batch
from tsd.experiments.settings import open_grid
from tsd.training.build import runtime_config
from tsd.training.event_log import EventLogHook

INTERVAL = 10
"""Iterations between two events."""

INTERVALS = 10
"""Events that are written for each step that is timed, since one takes little time."""


def _share(bench: Bench) -> Measurement:
    """Time a step of the fastest network, then what is written of it, and divide the two.

    A step with tracking divided by one without would be the same number in the noise of the step,
    which is a hundred times as large.
    """
    with tempfile.TemporaryDirectory() as folder:
        step, tracked = _sides(Path(folder), bench.device)
        values, steps, tracks = [], [], []
        for turn in range(bench.rounds + 1):
            steps.append(_timed(step, bench.device))
            tracks.append(_timed(tracked, bench.device) / (INTERVALS * INTERVAL))
            if turn:
                values.append(100 * tracks[-1] / steps[-1])
        medians = {
            "step": statistics.median(steps[1:]),
            "tracking": statistics.median(tracks[1:]),
        }
        return Measurement(values, medians)


def _sides(folder: Path, device: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """A training step, and what is done of some intervals of steps to track them."""
    job = replace(open_grid({"scale": "mini"}).jobs_of(BASELINE)[0], results=folder)
    config = runtime_config(job)
    torch.manual_seed(0)
    model = MODELS.build(config.model).to(device).train()
    optimizer = build_optim_wrapper(model, config.optim_wrapper)
    batch = made_batch()
    job.folder.path.mkdir(parents=True)

    def step() -> dict[str, torch.Tensor]:
        inputs = {name: [*values] for name, values in batch.items()}
        inputs["data_samples"] = [sample.clone() for sample in inputs["data_samples"]]
        losses: dict[str, torch.Tensor] = model.train_step(inputs, optim_wrapper=optimizer)
        return losses

    losses = step()
    runner: Any = SimpleNamespace(
        iter=0,
        max_iters=10**9,
        optim_wrapper=optimizer,
        cfg=config,
        world_size=1,
    )
    hook = EventLogHook(job.folder, lambda _line: None, INTERVAL, announce_every=10**9)
    hook.before_train(runner)

    def tracked() -> None:
        for _ in range(INTERVALS * INTERVAL):
            hook.before_train_iter(runner, 0, batch)
            hook.after_train_iter(runner, 0, batch, losses)
            runner.iter += 1

    return step, tracked


def _timed(run: Callable[[], Any], device: str) -> float:
    """Seconds that a call takes, until the device has done its work too."""
    started = time.perf_counter()
    run()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


ROWS = (
    Row(
        "tracking",
        "losses, gradients, speed and load that are written of a training step at mini, as a share "
        "of a step of the sibling head",
        1.0,
        "%",
        _share,
    ),
)

"""What is measured on the course of a training besides its losses: gradients, speed, memory, load.

Everything is measured once for each event that is logged and not for each iteration, by the first
of several processes. Nothing of it changes a weight or a random number.

Names that begin with ``system/`` are those of MLflow, whose page shows them apart from the others.
"""

import contextlib
import time
from collections.abc import Mapping
from typing import Any

import psutil
import torch
from mmengine.runner import Runner
from torch.optim import Optimizer

MIB = 2**20
SYSTEM = "system/"
MACHINE_DEPENDENT = ("images_per_second", "memory_mib")
"""What differs from machine to machine, and from one attempt to the next, besides ``system/…``."""


def of_training_alone(metrics: Mapping[str, float]) -> dict[str, float]:
    """What an event says that does not depend on the machine and on who else uses it.

    Args:
        metrics: Those of the event, by name.
    """
    return {
        name: value
        for name, value in metrics.items()
        if name not in MACHINE_DEPENDENT and not name.startswith(SYSTEM)
    }


class CourseMeasures:
    """Measures between one event of a training and the next.

    Args:
        runner: The runner of the training, which is about to begin or to go on.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._is_due = False
        self._norm: torch.Tensor | None = None
        self._process = psutil.Process()
        psutil.cpu_percent()  # the load from here on is what the next call returns
        self._time, self._iteration = time.perf_counter(), runner.iter
        optimizer = getattr(runner.optim_wrapper, "optimizer", None)
        if isinstance(optimizer, Optimizer) and not self._is_clipped():
            optimizer.register_step_pre_hook(self._before_step)

    def expect(self, is_due: bool) -> None:
        """Say before an iteration whether an event follows it."""
        self._is_due = is_due
        self._norm = None

    def measure(self, iterations: int) -> dict[str, float]:
        """Measure what an event has besides losses.

        Args:
            iterations: How many have been done of the training.

        Returns:
            Name → value: ``grad_norm``, the L2 norm of the last iteration's gradients before they
            are clipped, where there is one; ``images_per_second`` since the event before;
            ``memory_mib``, the most that was held of a GPU's memory, or what the process holds
            where it has no GPU; and what the whole machine is busy with.
        """
        now = time.perf_counter()
        cfg = self._runner.cfg.train_dataloader
        images = (iterations - self._iteration) * cfg.batch_size * self._runner.world_size
        speed = images / max(now - self._time, 1e-9)
        self._time, self._iteration = now, iterations
        norm = self._gradient_norm()
        return {
            **({} if norm is None else {"grad_norm": norm}),
            "images_per_second": speed,
            "memory_mib": self._memory_mib(),
            **_load_of_machine(),
        }

    def _is_clipped(self) -> bool:
        """Whether mmengine computes the norm of the gradients itself, to clip them."""
        return getattr(self._runner.optim_wrapper, "grad_name", None) == "grad_norm"

    def _before_step(self, optimizer: Optimizer, _args: Any, _options: Any) -> None:
        """Look at the gradients, which are gone after the step."""
        if self._is_due:
            parameters = (p for group in optimizer.param_groups for p in group["params"])
            gradients = [p.grad.detach() for p in parameters if p.grad is not None]
            self._norm = torch.nn.utils.get_total_norm(gradients)

    def _gradient_norm(self) -> float | None:
        """The norm of the last gradients; None where there is none, or none that is finite."""
        if self._is_clipped():
            hub = self._runner.optim_wrapper.message_hub
            if "train/grad_norm" not in hub.log_scalars:
                return None
            norm = float(hub.get_scalar("train/grad_norm").current())
        elif self._norm is not None:
            norm = float(self._norm)
        else:
            return None
        return norm if norm < float("inf") else None

    def _memory_mib(self) -> float:
        if torch.cuda.is_available():
            return torch.cuda.max_memory_allocated() / MIB
        return self._process.memory_info().rss / MIB


def _load_of_machine() -> dict[str, float]:
    """How busy the machine is, and how full its memories."""
    memory = psutil.virtual_memory()
    found = {
        f"{SYSTEM}cpu_utilization_percentage": psutil.cpu_percent(),
        f"{SYSTEM}system_memory_usage_megabytes": (memory.total - memory.available) / MIB,
        f"{SYSTEM}system_memory_usage_percentage": memory.percent,
    }
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        found[f"{SYSTEM}gpu_0_memory_usage_megabytes"] = (total - free) / MIB
        found[f"{SYSTEM}gpu_0_memory_usage_percentage"] = 100 * (total - free) / total
        # It asks the driver by a package that need not be there.
        with contextlib.suppress(Exception):
            found[f"{SYSTEM}gpu_0_utilization_percentage"] = float(torch.cuda.utilization())
    return found

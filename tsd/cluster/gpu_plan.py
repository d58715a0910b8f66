"""How many programs may share each GPU, and how a workflow tells that to its jobs."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tsd.cluster.gpu_devices import Device, visible_devices
from tsd.experiments.scale_schema import Resources

VARIABLE = "TSD_GPU_SHARES"
"""By this environment variable a job learns the GPUs that its workflow uses, and their shares."""


@dataclass(frozen=True)
class Plan:
    """What GPUs there are for the jobs of a workflow, and how many jobs share each.

    Attributes:
        shares: Name of a GPU → how many jobs may be on it at a time.
        jobs: How many jobs may be on all of them at a time. This is less than the sum of the shares
            where the machine has too little memory of its own.
    """

    shares: Mapping[str, int]
    jobs: int

    @property
    def is_shared(self) -> bool:
        """Whether there are more jobs at a time than GPUs."""
        return self.jobs > len(self.shares)


def share_out(
    devices: Sequence[Device],
    resources: Resources,
    announce: Callable[[str], None],
    memory: Literal["free", "total"] = "free",
    machine_mb: int | None = None,
) -> Plan | None:
    """Decide how many jobs share each GPU.

    A GPU takes as many as the scale allows (``per_gpu``) and its memory holds (``gpu_mem_mb``
    each). A job that has a GPU to itself is never refused for what is declared of its memory,
    because that is an estimate.

    Args:
        devices: The GPUs; none means that jobs compute on CPUs.
        resources: What the scale says of its jobs.
        announce: Called with a line for a GPU that takes fewer jobs than the scale allows.
        memory: Whether the memory that is free now counts, or all of it, for a GPU on which no
            other programs are but those whose places are being decided.
        machine_mb: Memory of the machine that is free; None if it sets no bound.

    Returns:
        The plan, or None without GPUs.
    """
    if not devices or not resources.gpus:
        return None
    shares = {}
    for device in devices:
        megabytes = device.free_mb if memory == "free" else device.total_mb
        if device.alone:
            share, why = 1, "its compute mode is exclusive"
        elif megabytes is None:
            share, why = 1, "its memory is not known"
        else:
            share = min(resources.per_gpu, max(1, megabytes // resources.gpu_mem_mb))
            why = (
                f"{megabytes} MB of its memory are {memory} and a job is declared to need "
                f"{resources.gpu_mem_mb} MB"
            )
        if share < resources.per_gpu:
            announce(
                f"GPU {device.index} takes {share} of these jobs at a time and not "
                f"{resources.per_gpu}: {why}"
            )
        shares[device.name] = share
    jobs = sum(shares.values())
    if machine_mb is not None and (fitting := machine_mb // resources.mem_mb) < jobs:
        announce(
            f"{max(1, fitting)} jobs at a time are on GPUs and not {jobs}: {machine_mb} MB of the "
            f"machine's memory are free and a job is declared to need {resources.mem_mb} MB"
        )
        jobs = max(1, fitting)
    return Plan(shares, jobs)


def of_this_machine(resources: Resources, announce: Callable[[str], None]) -> Plan | None:
    """Decide how many jobs share each GPU that may be used here, of what nobody else uses now.

    Args:
        resources: What the scale says of its jobs.
        announce: Called with a line that a waiting person has to know.

    Returns:
        The plan, or None where there are no GPUs or the jobs want none.

    Raises:
        DeclarationError: If ``CUDA_VISIBLE_DEVICES`` names a GPU that is not there.
    """
    if not resources.gpus:
        return None
    devices = visible_devices(announce)
    return share_out(devices, resources, announce, machine_mb=free_memory_mb())


def free_memory_mb() -> int:
    """Memory of this machine in MiB that programs can have without others being put out."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    sizes = dict(line.split(":", 1) for line in lines)
    return int(sizes["MemAvailable"].split()[0]) // 2**10


def tell_jobs(chosen: Plan) -> None:
    """Tell the programs that this process starts which GPUs there are for them."""
    os.environ[VARIABLE] = json.dumps(dict(chosen.shares))


def told_shares() -> dict[str, int] | None:
    """The GPUs that the workflow which started this program deals out; None if it does not."""
    told = os.environ.get(VARIABLE)
    return json.loads(told) if told else None

"""Training as several processes, one a GPU: how they find each other.

``srun`` starts them (:func:`tsd.cluster.site.launcher`), or torchrun by hand. Either way they meet
as torch expects, by environment variables: mmengine's own launchers set a CUDA device before all
else and cannot work without one.
"""

import os
from collections.abc import Mapping

import torch
from torch import distributed

PORTS = range(20000, 30000)
"""Below the kernel's own range; a job's number picks one, so that two on a node do not meet."""


def rank_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """What torch wants to know of this process; empty for a process that trains alone.

    Args:
        environment: With torchrun's variables, or those that ``srun`` gives to its tasks. The
            first task runs where ``srun`` was called, on the first node of the allocation.
    """
    # Of the step: an allocation's shell has SLURM_NTASKS too, and is no task.
    processes = environment.get("SLURM_STEP_NUM_TASKS", "1")
    if "TORCHELASTIC_RUN_ID" in environment or processes == "1":
        return {}
    return {
        "RANK": environment["SLURM_PROCID"],
        "WORLD_SIZE": processes,
        "LOCAL_RANK": environment["SLURM_LOCALID"],
        "MASTER_ADDR": environment["SLURM_LAUNCH_NODE_IPADDR"],
        "MASTER_PORT": str(PORTS[int(environment["SLURM_JOB_ID"]) % len(PORTS)]),
    }


def join() -> bool:
    """Meet the other processes of this training, if there are any; whether there are.

    Each takes a GPU, or none where there is none.
    """
    os.environ.update(rank_variables(os.environ))
    if "RANK" not in os.environ:
        return False
    backend = "gloo"
    if torch.cuda.is_available():
        backend = "nccl"
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    distributed.init_process_group(backend)
    return True

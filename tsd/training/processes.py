"""How the processes of one training find each other. There is one process for each GPU.

On a cluster ``srun`` starts them (:func:`tsd.cluster.site.launcher`), on a workstation a user can
do so with torchrun. Either way they meet by environment variables, as torch expects it. mmengine
has launchers for this too, but they begin by setting a CUDA device and fail where there is none.
"""

import os
from collections.abc import Mapping

import torch
from torch import distributed

PORTS = range(20000, 30000)
"""Ports at which processes may meet. They lie below those that the kernel gives out by itself. The
number of the job picks one, so that two jobs on a node are not likely to pick the same."""


def rank_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Translate the variables that ``srun`` sets to those by which torch's processes meet.

    Args:
        environment: The variables of this process. The first task of ``srun`` runs where ``srun``
            was called, on the first node of the allocation, so that the others find it there.

    Returns:
        What has to be added to the environment: nothing for a process that trains alone, or that
        torchrun has started, which has set the variables already.
    """
    # SLURM_NTASKS would not do: the shell of an allocation has it too, without being a task.
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
    """Meet the other processes of this training, if there are any.

    Each process takes a GPU of its own, if the machine has GPUs.

    Returns:
        Whether there are other processes.
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

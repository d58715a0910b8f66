"""Which failures another attempt may cure."""

import torch

from tsd.training.interruption import InterruptedTrainingError

_OF_THE_PLACE = (
    InterruptedTrainingError,
    ConnectionError,
    TimeoutError,
    torch.distributed.DistError,  # another process ended, the network went
    torch.AcceleratorError,  # the GPU went
)

_OF_THE_PERSON = (
    FileNotFoundError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)
"""Kinds of OSError: the others are full disks, file systems that are away and the like."""

_WORKER_DIED = "DataLoader worker (pid"
"""How torch's message begins when a loader's worker was killed, as for the machine's memory; what
fails within a worker comes as an error of its own kind."""


def may_pass(error: BaseException) -> bool:
    """Whether the same job may well succeed at another time or on another machine.

    A setting that is wrong, data that are missing, a loss that is not finite or a GPU's memory that
    is too small will be the same again; what is killed for the memory of the machine leaves
    no error, or a worker that died, and is tried again.
    """
    if isinstance(error, torch.OutOfMemoryError):
        return False
    return (
        isinstance(error, _OF_THE_PLACE)
        or (isinstance(error, OSError) and not isinstance(error, _OF_THE_PERSON))
        or str(error).startswith(_WORKER_DIED)
    )

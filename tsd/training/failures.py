"""Telling failures that may pass from those that every further attempt would meet again."""

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
"""Kinds of OSError that somebody has to do something about. The other kinds, such as a full disk or
a file system that is away, may be over at the next attempt."""

_WORKER_DIED = "DataLoader worker (pid"
"""The beginning of torch's message when a worker of a data loader was killed, for instance because
the machine ran out of memory. An error within a worker has a message and a type of its own."""


def may_pass(error: BaseException) -> bool:
    """Whether the same job may succeed at another time or on another machine.

    It will not if a setting is wrong, if data are missing, if a loss is not finite or if the memory
    of the GPU is too small. It may if the memory of the machine was too small, because on a cluster
    the next attempt asks for more. Such a failure leaves no error at all, or a worker that died.
    """
    if isinstance(error, torch.OutOfMemoryError):
        return False
    return (
        isinstance(error, _OF_THE_PLACE)
        or (isinstance(error, OSError) and not isinstance(error, _OF_THE_PERSON))
        or str(error).startswith(_WORKER_DIED)
    )

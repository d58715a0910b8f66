"""A place on a GPU for a command that computes, as its workflow has dealt the GPUs out."""

import contextlib
import enum
import os
from collections.abc import Iterator

from tsd.cluster.gpu_devices import VISIBLE
from tsd.cluster.gpu_plan import told_shares
from tsd.cluster.gpu_slots import Slots, slots_folder
from tsd.cluster.mps import leave_own_mps


class Share(enum.Enum):
    """How a command uses a GPU."""

    NONE = "not at all"
    SHARED = "beside others"
    ALONE = "with nothing else on it"


@contextlib.contextmanager
def on_gpu(share: Share) -> Iterator[None]:
    """Have CUDA see the one GPU on which this program has a place, and no other.

    Without a workflow that has dealt GPUs out nothing changes: a person who calls a command, or a
    cluster that starts it, has chosen by ``CUDA_VISIBLE_DEVICES``. This has to come before torch is
    imported.

    Args:
        share: How the program uses the GPU.
    """
    shares = None if share is Share.NONE else told_shares()
    if not shares:
        yield
        return
    alone = share is Share.ALONE
    with Slots(slots_folder(), shares).take(alone, print) as gpu:
        os.environ[VISIBLE] = gpu
        if alone:
            leave_own_mps()
        yield

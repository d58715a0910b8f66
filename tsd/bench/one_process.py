"""A training step through what several processes need, with one process alone.

On a GPU that is NCCL, SyncBN and mmengine's distributed wrapper. On a CPU it is gloo and the
wrapper, because SyncBN does not run there.
"""

import contextlib
import tempfile
from collections.abc import Iterator

import torch
from mmengine.model import MMDistributedDataParallel
from torch import distributed, nn

from tsd.bench.network import METHOD
from tsd.bench.rows import Bench, Measurement, NotMeasuredError, Row, time_ratio
from tsd.bench.small_step import IMAGES, SIDE, small_step


@contextlib.contextmanager
def _alone(device: str) -> Iterator[None]:
    """A group of processes of which this is the only one."""
    with tempfile.TemporaryDirectory() as folder:
        distributed.init_process_group(
            "nccl" if device == "cuda" else "gloo",
            init_method=f"file://{folder}/store",
            rank=0,
            world_size=1,
        )
        try:
            yield
        finally:
            distributed.destroy_process_group()


def _wrapped(model: nn.Module, device: str) -> nn.Module:
    if device == "cuda":
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    ids = [torch.cuda.current_device()] if device == "cuda" else None
    return MMDistributedDataParallel(model, device_ids=ids, broadcast_buffers=False)


def _wrapper(bench: Bench) -> Measurement:
    with _alone(bench.device):
        wrapped, _ = small_step(METHOD, bench.device, _wrapped)
        plain, _ = small_step(METHOD, bench.device)
        if not all(loss.isfinite().all() for loss in wrapped().values()):
            raise NotMeasuredError("a loss is no number")
        return time_ratio(bench, "wrapped", "plain", {"wrapped": wrapped, "plain": plain})


ROWS = (
    Row(
        "one-process",
        f"a training step of TSD at mini, {IMAGES} images of {SIDE} × {SIDE}, in a group of one "
        "process (NCCL and SyncBN on a GPU, gloo on a CPU) and mmengine's distributed wrapper: "
        "with / without",
        None,
        "×",
        _wrapper,
    ),
)

"""Which image comes when in a training, and how it is augmented, from its place alone.

A training that was interrupted has to go on with the batches that an undisturbed one would have
seen. So no state is carried along: a batch follows from its number, and what chance does to an
image from seed, epoch and the image's position in the order that all processes share. Neither the
number of workers nor that of processes changes either.
"""

import os
import random
import signal
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmdet.registry import DATA_SAMPLERS, DATASETS
from mmengine.config import ConfigDict
from mmengine.dist import get_dist_info
from mmengine.registry import FUNCTIONS
from torch.utils.data import BatchSampler, Dataset, Sampler

from tsd.training.interruption import SIGNALS

Place = tuple[int, int, int]
"""Epoch, position in it over all processes, index in the data set."""


def make_resumable(train_cfg: ConfigDict, config: ConfigDict, seed: int) -> None:
    """Have a training read images by their place; both configs are changed.

    Args:
        train_cfg: Of an mmengine config.
        config: Its ``train_dataloader``.
        seed: Of the training.
    """
    if train_cfg.type == "IterBasedTrainLoop":
        # mmengine reads again what a resumed training has seen; an endless order we skip in.
        train_cfg.fast_forward_on_resume = config.sampler.type == "InfiniteSampler"
    config.dataset = {"type": "PlacedDataset", "dataset": config.dataset, "seed": seed}
    config.batch_sampler = {
        "type": "PlacedBatchSampler",
        "batches": config.get("batch_sampler"),
        "drop_last": config.pop("drop_last", False),
    }
    # mmengine's own seeds a worker's generators, which here every image does.
    config.worker_init_fn = {"type": "leave_signals_to_the_training"}


@FUNCTIONS.register_module()
def leave_signals_to_the_training(worker: int) -> None:
    """Have a loader's worker end with its training alone.

    Schedulers and Ctrl-C signal every process of a job. A worker that dies of it fails the training
    before that has saved.
    """
    for number in set(SIGNALS) - {signal.SIGTERM}:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_when_the_training_says_so, daemon=True).start()


def _end_when_the_training_says_so() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)


@DATASETS.register_module()
class PlacedDataset(Dataset):
    """A data set that augments an image by its place; in all else the one that it holds.

    Args:
        dataset: Config of the data set.
        seed: Of the training.
    """

    def __init__(self, dataset: dict, seed: int) -> None:
        self.dataset = DATASETS.build(dataset)
        self.seed = seed

    def __getattr__(self, name: str) -> Any:
        if name == "dataset":  # asked for before it is there: while being unpickled in a worker
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, place: Place) -> dict:
        epoch, position, index = place
        seeds = np.random.SeedSequence([self.seed, epoch, position]).generate_state(3)
        before = random.getstate(), np.random.get_state(), torch.default_generator.get_state()
        try:
            random.seed(int(seeds[0]))
            np.random.seed(seeds[1])
            torch.default_generator.manual_seed(int(seeds[2]))
            return self.dataset[index]
        finally:  # without workers the model draws from the same generators
            random.setstate(before[0])
            np.random.set_state(before[1])
            torch.default_generator.set_state(before[2])


@DATA_SAMPLERS.register_module()
class PlacedBatchSampler(BatchSampler):
    """The batches of another batch sampler, each index with its place.

    Args:
        sampler: Of this process's share of the indices.
        batch_size: Images a batch and process.
        batches: Config of the other batch sampler; None for consecutive indices.
        drop_last: For consecutive indices, whether an incomplete batch is left out.
    """

    def __init__(
        self, sampler: Sampler, batch_size: int, batches: dict | None, drop_last: bool
    ) -> None:
        self.sampler = sampler
        self.batch_size = batch_size
        self._batches: BatchSampler = (
            BatchSampler(sampler, batch_size, drop_last)
            if batches is None
            else DATA_SAMPLERS.build(
                batches, default_args=dict(sampler=sampler, batch_size=batch_size)
            )
        )
        self._skipped = 0

    def skip(self, batches: int) -> None:
        """Leave out the first batches of the next iteration, without loading them."""
        self._skipped = batches

    def __iter__(self) -> Iterator[list[Place]]:  # type: ignore[override]
        rank, processes = get_dist_info()
        epoch = getattr(self.sampler, "epoch", 0)
        skipped, self._skipped = self._skipped, 0
        for number, batch in enumerate(self._batches):
            first = number * self.batch_size
            if number >= skipped:
                yield [
                    (epoch, (first + slot) * processes + rank, index)
                    for slot, index in enumerate(batch)
                ]

    def __len__(self) -> int:
        return len(self._batches)

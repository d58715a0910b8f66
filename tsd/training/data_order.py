"""The order in which a training sees its images, and how chance augments each of them.

A training that was interrupted has to go on with the batches that an undisturbed one would have
seen, augmented in the same way. Random generators make that hard, since their state depends on all
that was drawn before, in several workers and processes. So nothing here depends on such a state. A
batch follows from its number. The augmentation of an image follows from the seed of the training
and the *place* of the image: the epoch, and the position in the order that all processes share.
Neither changes with the number of workers or processes.
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
"""The epoch, the position in it counted over all processes, and the index in the data set."""


def make_resumable(train_cfg: ConfigDict, config: ConfigDict, seed: int) -> None:
    """Change a config so that its training reads images by their place.

    Args:
        train_cfg: The ``train_cfg`` of an mmengine config, changed in place.
        config: The ``train_dataloader`` of the same config, changed in place.
        seed: The seed of the training.
    """
    if train_cfg.type == "IterBasedTrainLoop":
        # mmengine skips the batches that a resumed training has seen by reading them once more. In
        # an endless order that is not needed: CheckpointHook skips them unread.
        train_cfg.fast_forward_on_resume = config.sampler.type == "InfiniteSampler"
    config.dataset = {"type": "PlacedDataset", "dataset": config.dataset, "seed": seed}
    config.batch_sampler = {
        "type": "PlacedBatchSampler",
        "batches": config.get("batch_sampler"),
        "drop_last": config.pop("drop_last", False),
    }
    # This replaces mmengine's function, which seeds the generators of a worker. PlacedDataset seeds
    # them for every image.
    config.worker_init_fn = {"type": "leave_signals_to_the_training"}


@FUNCTIONS.register_module()
def leave_signals_to_the_training(worker: int) -> None:
    """Let a loader's worker process end when its training says so, and for no other reason.

    Schedulers and Ctrl-C send their signals to every process of a job. A worker that died of one
    would make the training fail before it has written its checkpoint. But torch ends workers by
    SIGTERM as well. So a thread waits for that signal and obeys it only if the training sent it.

    Args:
        worker: Number of the worker, which torch passes.
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
    """A data set in which the augmentation of an image follows from the place of the image.

    It wraps another data set, and everything but the reading of images is that data set's.

    Args:
        dataset: Config of the wrapped data set.
        seed: The seed of the training.
    """

    def __init__(self, dataset: dict, seed: int) -> None:
        self.dataset = DATASETS.build(dataset)
        self.seed = seed

    def __getattr__(self, name: str) -> Any:
        # A worker unpickles this object, and asks for attributes before "dataset" is set.
        if name == "dataset":
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
        finally:  # the model draws from the same generators where there are no workers
            random.setstate(before[0])
            np.random.set_state(before[1])
            torch.default_generator.set_state(before[2])


@DATA_SAMPLERS.register_module()
class PlacedBatchSampler(BatchSampler):
    """A batch sampler that gives the place of each image instead of its index.

    The batches themselves are those of another batch sampler.

    Args:
        sampler: Gives the indices of the images that this process reads, in order.
        batch_size: Number of images in a batch of this process.
        batches: Config of the other batch sampler. None makes batches of consecutive indices.
        drop_last: Whether an incomplete last batch is left out; for consecutive indices only.
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
        """Leave out as many batches at the start of the next pass; they are not loaded."""
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

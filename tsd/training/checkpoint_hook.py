"""Checkpoints from which a training goes on as if it had never been interrupted.

mmengine's checkpoints hold the weights, the optimizer and the schedulers. A training that goes on
from one draws other random numbers and sees other batches than it would have. The hook here adds
what is missing, writes checkpoints so that a crash cannot leave half of one under its name, and
ends a training in order when it has to stop.
"""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_gather_object, all_reduce, get_rank, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from tsd.run_folder import replace_durably
from tsd.training import random_state
from tsd.training.event_log import EventLogHook
from tsd.training.interruption import InterruptedTrainingError, Interruption

KEPT = 2
"""Number of checkpoints that are kept while a training runs. It is more than one, because whatever
ends a training may damage the last one."""

CHECKPOINTS_A_TRAINING = 10
"""Number of checkpoints that a training writes, unless ``ITERATIONS_A_CHECKPOINT`` forbids it."""

ITERATIONS_A_CHECKPOINT = (10, 1000)
"""The fewest and the most iterations between two checkpoints, however long the training is."""

ITERATIONS_AN_AGREEMENT = 10
"""Iterations after which the processes of a training ask each other again whether one has to end.
They do not ask after every iteration, because asking takes time."""


def checkpoint_at(work: Path, iteration: int) -> Path:
    """The path of the checkpoint that is written after an iteration."""
    return work / f"iter_{iteration}.pth"


def checkpoints(work: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first."""
    numbered = [
        (int(match[1]), path)
        for path in work.glob("iter_*.pth")
        if (match := re.fullmatch(r"iter_(\d+)\.pth", path.name))
    ]
    return [path for _, path in sorted(numbered)]


def newest_sound_checkpoint(work: Path, announce: Callable[[str], None]) -> Path | None:
    """Find the checkpoint to go on from, and remove those that are damaged or half-written.

    Args:
        work: Folder of the checkpoints.
        announce: Called with a line about each damaged one.

    Returns:
        The newest checkpoint that is complete; None if there is none.
    """
    for partial in work.glob(".iter_*.pth"):
        partial.unlink()
    for path in reversed(checkpoints(work)):
        if _is_sound(path):
            return path
        announce(f"{path.name} is damaged; the one before it is taken")
        path.unlink()
    return None


def _is_sound(path: Path) -> bool:
    """Whether a checkpoint is complete.

    torch writes it as a zip archive, which has a checksum of each part.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, OSError, EOFError):
        return False


class CheckpointHook(Hook):
    """Writes checkpoints, and restores from them what mmengine does not restore.

    Besides what mmengine puts into it, a checkpoint holds two things of each process: the state of
    its random generators, and its losses since the last event in the log. It holds nothing about
    the order of the images, because that follows from the number of a batch
    (:mod:`tsd.training.data_order`).

    A file gets its name only when it is complete and on disk. No checkpoint is written after a loss
    that is not finite, since its weights would be of no use.

    Args:
        work: Folder of the checkpoints.
        event_log: The hook that gathers losses.
        interruption: Asked after each iteration. If it gives a reason, a checkpoint is written and
            the training ends.
        announce: Called with lines that tell a waiting person what goes wrong.
    """

    priority = "VERY_LOW"  # schedulers and event log have their turn first

    def __init__(
        self,
        work: Path,
        event_log: EventLogHook,
        interruption: Interruption,
        announce: Callable[[str], None],
    ) -> None:
        self._work = work
        self._event_log = event_log
        self._interruption = interruption
        self._announce = announce
        self._to_restore: dict[str, Any] | None = None
        self._processes: list[dict[str, Any]] = []
        self._reason_after_epoch: str | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take the state of this process out of a checkpoint, and the config as well.

        mmengine would run the config as Python code, and nothing that a file says is to be run.
        """
        for key in ("cfg", "config"):
            checkpoint.get("meta", {}).pop(key, None)
        processes = checkpoint.pop("processes", [])
        if get_rank() < len(processes):
            own = processes[get_rank()]
            self._to_restore = own["random_state"]
            self._event_log.gather_on(own["losses"])

    def before_train(self, runner: Runner) -> None:
        """Decide how often checkpoints are written."""
        low, high = ITERATIONS_A_CHECKPOINT
        self._interval = min(max(low, runner.max_iters // CHECKPOINTS_A_TRAINING), high)
        self._by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)

    def before_train_epoch(self, runner: Runner) -> None:
        """Skip the batches of this epoch that were seen before the checkpoint was written."""
        loop = runner.train_loop
        if self._by_epoch or loop.fast_forward_on_resume:
            done = runner.iter - runner.epoch * len(loop.dataloader)
            loop.dataloader.batch_sampler.skip(done)
        if runner.epoch and self._to_restore is None:
            self._to_restore = random_state.capture()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Put the random generators back to where they were before the data loader started.

        torch draws a number whenever it starts to iterate over a loader. A resumed training has to
        start its loader where an undisturbed one had it running already, and would draw once more.
        """
        if self._to_restore is not None:
            random_state.restore(self._to_restore)
            self._to_restore = None

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Write a checkpoint if it is time for one, or if the training has to end.

        Raises:
            InterruptedTrainingError: If the training has to end now.
        """
        step = runner.iter + 1
        reason = self._agreed_reason(step)
        ends_epoch = self._by_epoch and step % len(runner.train_loop.dataloader) == 0
        if ends_epoch and step < runner.max_iters:
            self._reason_after_epoch = reason
            return  # after_train_epoch saves, once the schedulers that count epochs have stepped
        last = step == runner.max_iters
        if reason is not None and not last:
            self._save(runner, runner.epoch, step)
            self._end(step, runner.max_iters, reason)
        if last or step % self._interval == 0:
            self._save(runner, runner.epoch, step)

    def after_train_epoch(self, runner: Runner) -> None:
        """Write a checkpoint between two epochs.

        Raises:
            InterruptedTrainingError: If the training has to end now.
        """
        if not self._by_epoch or runner.iter >= runner.max_iters:
            return
        self._save(runner, runner.epoch + 1, runner.iter)
        if self._reason_after_epoch is not None:
            self._end(runner.iter, runner.max_iters, self._reason_after_epoch)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the state of each process, and leave out the config, which mmengine would run."""
        checkpoint["meta"].pop("cfg", None)
        checkpoint["processes"] = self._processes

    def _agreed_reason(self, step: int) -> str | None:
        """Why the training has to end after this iteration; None if it goes on.

        If one process of several is told to end, the others would wait for it for ever. So they
        agree: every few iterations each learns whether any of them has been told.
        """
        if torch.distributed.is_initialized():
            if step % ITERATIONS_AN_AGREEMENT:
                return None
            told = torch.tensor(float(self._interruption.reason is not None))
            if torch.cuda.is_available():
                told = told.cuda()
            all_reduce(told, op="max")
            return (self._interruption.reason or "another process has to") if told else None
        return self._interruption.reason

    def _save(self, runner: Runner, epoch: int, step: int) -> None:
        """Write a checkpoint. If that fails, the training goes on and the last one stays."""
        own = {"random_state": random_state.capture(), "losses": self._event_log.gathered()}
        self._processes = all_gather_object(own)
        for process in self._processes:
            self._event_log.require_finite(runner, step, process["losses"]["sums"])
        if not is_main_process():
            return
        target = checkpoint_at(self._work, step)
        partial = self._work / f".{target.name}"
        try:
            runner.save_checkpoint(
                str(self._work), partial.name, meta={"epoch": epoch, "iter": step}, by_epoch=False
            )
            replace_durably(partial, target)
        except OSError as error:
            partial.unlink(missing_ok=True)
            self._announce(f"no checkpoint at iteration {step}, the last one stays: {error}")
            return
        for old in checkpoints(self._work)[:-KEPT]:
            old.unlink()

    def _end(self, step: int, last: int, reason: str) -> None:
        raise InterruptedTrainingError(f"{reason}; saved at iteration {step} of {last}")

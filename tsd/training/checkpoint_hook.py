"""Checkpoints that a training goes on from as if nothing had happened."""

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
from tsd.training.event_log import EventLogHook, require_finite
from tsd.training.interruption import InterruptedTrainingError, Interruption

KEPT = 2
"""Checkpoints kept while a training runs; one of them may be damaged by what ended it."""

CHECKPOINTS_A_TRAINING = 10

ITERATIONS_A_CHECKPOINT = (10, 1000)
"""At least and at most, however short or long the training."""

ITERATIONS_AN_AGREEMENT = 10
"""Several processes ask each other that often whether one has to end."""


def checkpoint_at(work: Path, iteration: int) -> Path:
    """Where the checkpoint after an iteration lies."""
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
    """The checkpoint to go on from; damaged ones and half-written ones are removed.

    Args:
        work: Folder of the checkpoints.
        announce: Takes a line about each one removed.
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
    """Whether a checkpoint is complete: torch writes zip archives, with a checksum of each part."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, OSError, EOFError):
        return False


class CheckpointHook(Hook):
    """Writes checkpoints, and brings back what mmengine leaves out of them.

    Besides mmengine's weights, optimizer and schedulers a checkpoint holds what each process has of
    its own: the state of its random generators, and its losses since the last event. Batches follow
    from their number (:mod:`tsd.training.data_order`). A file takes its name once it is complete
    and on disk. The last two are kept. None is written after a loss that is not finite.

    Args:
        work: Folder of the checkpoints.
        event_log: The hook that gathers losses.
        interruption: Asked after each iteration; if it has a reason, a checkpoint is written and
            the training ends.
        announce: Takes a line for the person who waits.
    """

    priority = "VERY_LOW"  # after schedulers and event log

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
        """Take what was this process's own; have nothing run that a file says."""
        for key in ("cfg", "config"):
            checkpoint.get("meta", {}).pop(key, None)
        processes = checkpoint.pop("processes", [])
        if get_rank() < len(processes):
            own = processes[get_rank()]
            self._to_restore = own["random_state"]
            self._event_log.gather_on(own["losses"])

    def before_train(self, runner: Runner) -> None:
        """Settle how often to save."""
        low, high = ITERATIONS_A_CHECKPOINT
        self._interval = min(max(low, runner.max_iters // CHECKPOINTS_A_TRAINING), high)
        self._by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)

    def before_train_epoch(self, runner: Runner) -> None:
        """Begin where the checkpoint ended, perhaps in the midst of an epoch."""
        loop = runner.train_loop
        if self._by_epoch or loop.fast_forward_on_resume:
            done = runner.iter - runner.epoch * len(loop.dataloader)
            loop.dataloader.batch_sampler.skip(done)
        if runner.epoch and self._to_restore is None:
            self._to_restore = random_state.capture()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Undo what the start of an epoch's workers drew, which may happen once or twice."""
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
        """Save every so often, and before an interruption.

        Raises:
            InterruptedTrainingError: If the training has to end now.
        """
        step = runner.iter + 1
        reason = self._agreed_reason(step)
        ends_epoch = self._by_epoch and step % len(runner.train_loop.dataloader) == 0
        if ends_epoch and step < runner.max_iters:
            self._reason_after_epoch = reason
            return  # schedulers that count epochs have their turn first
        last = step == runner.max_iters
        if reason is not None and not last:
            self._save(runner, runner.epoch, step)
            self._end(step, runner.max_iters, reason)
        if last or step % self._interval == 0:
            self._save(runner, runner.epoch, step)

    def after_train_epoch(self, runner: Runner) -> None:
        """Save between two epochs.

        Raises:
            InterruptedTrainingError: If the training has to end now.
        """
        if not self._by_epoch or runner.iter >= runner.max_iters:
            return
        self._save(runner, runner.epoch + 1, runner.iter)
        if self._reason_after_epoch is not None:
            self._end(runner.iter, runner.max_iters, self._reason_after_epoch)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add what is each process's own; leave out the config, which mmengine would run."""
        checkpoint["meta"].pop("cfg", None)
        checkpoint["processes"] = self._processes

    def _agreed_reason(self, step: int) -> str | None:
        """Why all processes have to end now: one has been told to."""
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
        own = {"random_state": random_state.capture(), "losses": self._event_log.gathered()}
        self._processes = all_gather_object(own)
        for process in self._processes:
            require_finite(step, process["losses"]["sums"])
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

"""The hook that writes the course of a training to plain files.

A training does not talk to MLflow, which may be slow or away. It writes files, and another process
reads them and feeds MLflow.
"""

import json
import math
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any

import torch
from mmengine.dist import all_gather_object, all_reduce, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from tsd.results.status import read_status
from tsd.run_folder import RunFolder, update_status, write_text
from tsd.training.batch_boxes import Examination, ImageBoxes, boxes_of, examine
from tsd.training.course_measures import CourseMeasures


class NonFiniteLossError(RuntimeError):
    """A loss became infinite or NaN.

    The message names the iteration and the terms, and whether the data or a setting is to blame.
    """


class EventLogHook(Hook):
    """Writes ``events.jsonl`` and ``status.json``, and tells a waiting person how far it is.

    A resumed training repeats the iterations after its checkpoint. Their events are dropped from
    the log first, so that each iteration is in it once.

    Of several processes only the first one writes, and what it writes are means over all of them.
    They all see these means, so that a loss that is not finite ends every one of them.

    Args:
        folder: Folder of the run.
        announce: Called with lines that tell a waiting person how far it is.
        interval: Iterations between two events. An event holds the mean losses of these iterations,
            and what :mod:`tsd.training.course_measures` measures.
        announce_every: Seconds between two announcements.
    """

    priority = "LOW"  # before CheckpointHook, whose checkpoints hold what is gathered here

    def __init__(
        self,
        folder: RunFolder,
        announce: Callable[[str], None],
        interval: int = 10,
        announce_every: float = 30,
    ) -> None:
        self._folder = folder
        self._announce = announce
        self._interval = interval
        self._announce_every = announce_every
        self._measures: CourseMeasures | None = None
        self._sums: dict[str, float] = defaultdict(float)
        self._count = 0
        self._started = self._announced = time.time()
        self._first_iteration = 0
        self._seconds_before: float | None = 0.0
        # A bad batch may spoil the weights first, and show in the losses of the next ones.
        self._seen: deque[list[ImageBoxes]] = deque(maxlen=2 * interval)

    def before_train(self, runner: Runner) -> None:
        """Drop the events of iterations that are about to be repeated."""
        self._first_iteration = runner.iter
        self._started = self._announced = time.time()
        if not is_main_process():
            return
        self._measures = CourseMeasures(runner)
        if self._folder.events.exists():
            lines = self._folder.events.read_text(encoding="utf-8").splitlines()
            kept = [f"{line}\n" for line in lines if _step(line) <= runner.iter]
            write_text(self._folder.events, "".join(kept))
        status = read_status(self._folder)
        # Unknown where earlier attempts did not write theirs down, or it was lost.
        is_first = status.get("attempts", 1) == 1 and not runner.iter
        self._seconds_before = 0.0 if is_first else status.get("seconds")
        update_status(self._folder, iteration=runner.iter, max_iterations=runner.max_iters)
        if runner.iter:
            self._announce(f"resumes at iteration {runner.iter} of {runner.max_iters}")

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Have the gradients of an iteration looked at that an event follows."""
        if self._measures is not None:
            self._measures.expect(self._is_due(runner))

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Gather the losses, and write their means every ``interval`` iterations.

        Raises:
            NonFiniteLossError: If a mean over the interval is infinite or NaN.
        """
        for name, value in (outputs or {}).items():
            self._sums[name] += value.detach() if hasattr(value, "detach") else value
        self._count += 1
        self._seen.append(boxes_of(data_batch))
        step = runner.iter + 1
        if not self._is_due(runner):
            return
        means = self._means_over_processes()
        self._sums.clear()
        self._count = 0
        self.require_finite(runner, step, means)
        if not is_main_process():
            return
        learning_rate = runner.optim_wrapper.get_lr()["lr"][0]
        course = self._measures.measure(step) if self._measures is not None else {}
        metrics = {**means, "lr": learning_rate, **course}
        event = {"step": step, "time": time.time(), "metrics": metrics}
        with self._folder.events.open("a", encoding="utf-8") as log:
            log.write(json.dumps(event) + "\n")
        self._report(step, runner.max_iters, means.get("loss", math.nan))

    def _is_due(self, runner: Runner) -> bool:
        """Whether an event follows the iteration that is under way."""
        step = runner.iter + 1
        return step % self._interval == 0 or step == runner.max_iters

    def _seconds(self, now: float) -> float | None:
        """The seconds of all attempts up to now."""
        if self._seconds_before is None:
            return None
        return round(self._seconds_before + now - self._started, 1)

    def images_per_second(self, runner: Runner) -> float | None:
        """How many images this attempt has trained on in a second; None where it had none left."""
        iterations = runner.iter - self._first_iteration
        if not iterations:
            return None
        images = iterations * runner.cfg.train_dataloader.batch_size * runner.world_size
        return images / (time.time() - self._started)

    def gathered(self) -> dict[str, Any]:
        """What this process has gathered since the last event.

        Returns:
            ``sums``, the sum of each loss, and ``count``, the number of iterations in these sums.
        """
        sums = {name: float(total) for name, total in self._sums.items()}
        return {"sums": sums, "count": self._count}

    def gather_on(self, gathered: dict[str, Any]) -> None:
        """Continue from what :meth:`gathered` returned when a checkpoint was written."""
        self._sums.update(gathered["sums"])
        self._count = gathered["count"]

    def require_finite(self, runner: Runner, step: int, losses: Mapping[str, float]) -> None:
        """End the training if a loss is infinite or NaN, after a look at the data.

        Of several processes all call this with the same losses, and each has seen its own images.

        Raises:
            NonFiniteLossError: If one of the losses is.
        """
        broken = {name: value for name, value in losses.items() if not math.isfinite(value)}
        if not broken:
            return
        examination = Examination()
        for found in all_gather_object(examine(image for batch in self._seen for image in batch)):
            examination.add(found)
        terms = ", ".join(f"{name} = {value}" for name, value in broken.items())
        if examination.faulty:
            remedy = "correct these annotations, or how the images are read"
        else:
            rate = runner.optim_wrapper.get_lr()["lr"][0]
            remedy = (
                f"look at optim_wrapper.optimizer.lr, which is {rate:g} by now, at param_scheduler "
                "and at optim_wrapper.clip_grad"
            )
        raise NonFiniteLossError(f"iteration {step}: {terms}; {examination}; {remedy}")

    def _means_over_processes(self) -> dict[str, float]:
        names = sorted(self._sums)
        means = torch.tensor(
            [float(self._sums[name]) / self._count for name in names], dtype=torch.float64
        )
        if torch.distributed.is_initialized():
            if torch.cuda.is_available():
                means = means.cuda()
            all_reduce(means, op="mean")
        return dict(zip(names, means.tolist(), strict=True))

    def _report(self, step: int, last: int, loss: float) -> None:
        now = time.time()
        seconds_left = (now - self._started) / (step - self._first_iteration) * (last - step)
        update_status(
            self._folder,
            iteration=step,
            max_iterations=last,
            loss=loss,
            seconds=self._seconds(now),
            seconds_left=round(seconds_left),
        )
        if now - self._announced >= self._announce_every:
            self._announced = now
            self._announce(
                f"iteration {step} of {last}, loss {loss:.3f}, {_minutes(seconds_left)} left"
            )


def _step(line: str) -> float:
    """The step of an event.

    A line that was cut short when the process was killed has none. Its step counts as infinity, so
    that the line is dropped with the events after the checkpoint.
    """
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError):
        return math.inf


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"

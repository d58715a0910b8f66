"""Ending a training in order before it is killed."""

import os
import signal
import time
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""What schedulers send before they kill, what Ctrl-C sends, and what a user may have sent ahead of
a time limit (``sbatch --signal=USR1@120``)."""

SHARE_TO_END = 0.1
"""Of a job's time, left for its start and for the checkpoint, between these bounds:"""

SECONDS_TO_END = (60, 300)

SECONDS_TO_BE_ENDED = 300


class InterruptedTrainingError(Exception):
    """A training saved its state and ended before it was done; another attempt goes on with it."""


class Interruption:
    """Notices that a training has to end; a context in which signals do no more than that.

    A second Ctrl-C ends the program as ever; schedulers repeat their signals without meaning more.

    Args:
        minutes: Time that the job has from now on; None for no limit.

    Attributes:
        by_scheduler: Whether SLURM said so, which will end the job itself.
    """

    by_scheduler = False

    def __init__(self, minutes: float | None = None) -> None:
        self._reason: str | None = None
        self._deadline: float | None = None
        if minutes is not None:
            seconds, (low, high) = minutes * 60, SECONDS_TO_END
            to_end = min(max(SHARE_TO_END * seconds, low), high, seconds / 2)
            self._deadline = time.monotonic() + seconds - to_end
            self._limit = f"its {minutes:g} minutes are nearly over"

    @property
    def reason(self) -> str | None:
        """Why the training has to end now; None while it need not."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            return self._reason or self._limit
        return self._reason

    def wait_to_be_ended(self) -> None:
        """Stay until SLURM ends the job, for the time that clusters commonly leave.

        A job that is preempted goes back into the queue if it is ended, not if it ends by itself.
        """
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        time.sleep(SECONDS_TO_BE_ENDED)

    def __enter__(self) -> Self:
        self._before = {int(number): signal.signal(number, self._notice) for number in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _notice(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            signal.signal(number, self._before[number])
        self._reason = f"signal {signal.Signals(number).name}"
        self.by_scheduler = number == signal.SIGTERM and "SLURM_JOB_ID" in os.environ

"""Ending a training in order before it is killed.

A scheduler kills a job whose time is over, or whose machine is needed for another, but it announces
that by a signal. A training that takes notice in time can write a checkpoint, and loses nothing.
"""

import os
import signal
import time
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""Schedulers send the first before they kill, and Ctrl-C sends the second. A user can ask SLURM to
send the third some time before the time limit (``sbatch --signal=USR1@120``)."""

SHARE_TO_END = 0.1
"""The share of a job's time that a training leaves unused, so that it can start and save."""

SECONDS_TO_END = (60, 300)
"""The least and the most that this share comes to."""

SECONDS_TO_BE_ENDED = 300
"""How long a training that was told to end waits for SLURM to end it."""


class InterruptedTrainingError(Exception):
    """A training has ended before it was done, and has saved its state for the next attempt."""


class Interruption:
    """Knows whether a training has to end, and why.

    As a context manager it takes over the signals: within the context a signal is only noted, so
    that the training can end at the next opportunity. A second Ctrl-C ends the program at once, as
    it does everywhere. A second signal of another kind changes nothing, since schedulers repeat
    theirs.

    Args:
        minutes: Time that the job has from now on; None if there is no limit.

    Attributes:
        by_scheduler: Whether SLURM told the training to end. SLURM will then end the job itself.
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
        """Why the training has to end now; None as long as it may go on."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            return self._reason or self._limit
        return self._reason

    def wait_to_be_ended(self) -> None:
        """Wait until SLURM ends the job.

        SLURM puts a preempted job back into the queue if it has to end the job, but not if the job
        ends by itself. The wait is limited to the time that clusters usually give.
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

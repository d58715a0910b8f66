"""Repeat an action beside a process until either is over."""

import signal
import sys
import threading
from collections.abc import Callable

from tsd.liveness import is_alive, start_of


def repeat_beside(parent_pid: int, action: Callable[[], bool], interval_s: float) -> None:
    """Call an action again and again; a last time after the process has gone.

    Nothing is raised: what goes wrong is printed to stderr and tried again after the interval.
    SIGTERM and SIGINT end the interval, not more: who stops a training often signals all of its
    processes, and how it ended is still to be told.

    Args:
        parent_pid: The process.
        action: Returns whether it was the last time.
        interval_s: Seconds between calls.
    """
    started = start_of(parent_pid)
    hurry = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: hurry.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    over = False
    while not over:
        hurry.clear()
        # Asked before the action, which then sees all that the process has left.
        gone = not is_alive(parent_pid, started)
        try:
            over = action()
        except Exception as error:
            print(f"tracking: {error}", file=sys.stderr, flush=True)
        over = over or gone
        if not over:
            hurry.wait(interval_s)
    for number, handler in before.items():
        signal.signal(number, handler)

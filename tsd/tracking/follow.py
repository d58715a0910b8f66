"""Repeat an action beside a process until either is over."""

import os
import sys
import time
from collections.abc import Callable


def repeat_beside(parent_pid: int, action: Callable[[], bool], interval_s: float) -> None:
    """Call an action again and again; a last time after the process has gone.

    Nothing is raised: what goes wrong is printed to stderr and tried again after the interval.

    Args:
        parent_pid: The process.
        action: Returns whether it was the last time.
        interval_s: Seconds between calls.
    """
    while True:
        # Asked before the action, which then sees all that the process has left.
        over = not _is_alive(parent_pid)
        try:
            over = action() or over
        except Exception as error:
            print(f"tracking: {error}", file=sys.stderr, flush=True)
        if over:
            return
        time.sleep(interval_s)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

"""Whether the process that trains a run is still at work, as far as that can be known.

A process is told by its machine, its number, and the time when it started: numbers are given to
other processes in the course of time, and after a restart of the machine.
"""

import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SILENCE = 1800
"""Seconds without a sign after which a training on another machine counts as ended."""


def this_process() -> dict[str, Any]:
    """What ``status.json`` says of the process that trains: machine, number, start."""
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "pid_started": start_of(os.getpid()),
    }


WORKFLOW_VARIABLE = "TSD_WORKFLOW"
"""By this environment variable a training knows which Snakemake waits for it."""


def name_workflow() -> None:
    """Tell the programs that this process starts that it is the Snakemake which waits for them."""
    os.environ[WORKFLOW_VARIABLE] = json.dumps(this_process())


def named_workflow() -> dict[str, Any] | None:
    """The Snakemake that waits for this process; None if a person has started it."""
    named = os.environ.get(WORKFLOW_VARIABLE)
    return json.loads(named) if named else None


def start_of(pid: int) -> int | None:
    """When a process of this machine started, in clock ticks since the machine did.

    None if there is no such process, or nothing but its exit status is left of it.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field, the program's name in brackets, may hold spaces and brackets itself.
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else int(fields[18])


def is_alive(pid: int, started: int | None) -> bool:
    """Whether a process of this machine lives.

    Args:
        pid: Its number.
        started: What ``start_of`` has said of it; None where that was not written down.
    """
    now = start_of(pid)
    return now is not None and started in (None, now)


def is_training(status: Mapping[str, Any]) -> bool:
    """Whether a training goes on.

    Args:
        status: Content of ``status.json``. Of a process on another machine no more is known than
            when it last wrote there; where no process is named, its word is taken.
    """
    if status.get("state") != "running":
        return False
    if "pid" not in status:
        return True
    if status.get("host") != socket.gethostname():
        return bool(time.time() - status.get("updated", 0) < SILENCE)
    return is_alive(status["pid"], status.get("pid_started"))

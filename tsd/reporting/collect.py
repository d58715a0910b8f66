"""Gathering what the runs' folders hold into the one file that reporting reads."""

import socket
import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tsd import provenance
from tsd.experiments.grid import Grid, Job
from tsd.experiments.metrics import METRICS
from tsd.run_folder import read_json

PAPER_SCALE = "paper"

SILENCE = 1800
"""Seconds without a sign after which a job on another machine counts as interrupted."""


def collect(grid: Grid, jobs: Iterable[Job]) -> dict[str, Any]:
    """The results of the given jobs with all that is needed to present them.

    Args:
        grid: The jobs' grid.
        jobs: Those to gather; the other runs are left out.

    Returns:
        Plain data: ``scale``, ``dataset``, ``metrics`` and ``tables`` as declared, and ``runs``:
        id → declaration, digest and, by seed, :func:`collect_job`.
    """
    head, dirty = provenance.commit()
    runs: dict[str, Any] = {}
    for job in jobs:
        run = runs.setdefault(
            job.run.id,
            {
                "why": job.run.why,
                "base": job.run.base,
                "set": job.run.set,
                "digest": job.digest,
                "tables": grid.experiments.tables_of(job.run.id),
                "seeds": {},
            },
        )
        run["seeds"][str(job.seed)] = collect_job(job)
    return {
        "grid": grid.name,
        "generated": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": head,
        "dirty": dirty,
        "scale": {
            "id": grid.scale.id,
            "title": grid.scale.title,
            "note": grid.scale.note,
            "is_paper": grid.name == PAPER_SCALE,
        },
        "dataset": grid.dataset.model_dump(),
        "metrics": {name: asdict(metric) for name, metric in METRICS.items()},
        "tables": [table.model_dump() for table in grid.experiments.tables.values()],
        "runs": runs,
    }


def collect_job(job: Job) -> dict[str, Any]:
    """State, metrics and provenance of one job."""
    folder = job.folder
    status = read_json(folder.status) or {}
    trained, detected, metrics = map(read_json, (folder.train, folder.detect, folder.metrics))
    state = job_state(status, evaluated=metrics is not None)
    collected = {
        "state": state,
        "error": status.get("error"),
        "iteration": status.get("iteration"),
        "max_iterations": status.get("max_iterations"),
        "seconds_left": status.get("seconds_left") if state == "running" else None,
        "folder": str(folder.path),
        "train": trained,
        "detect": detected,
        "tracking": read_json(folder.tracking),
    }
    if state == "done":
        collected["metrics"] = {**metrics["metrics"], "params": trained["parameters"] / 1e6}
        collected["grid"] = metrics["grid"]
    return collected


def job_state(status: dict[str, Any], evaluated: bool) -> str:
    """``done``, ``trained``, ``failed``, ``running``, ``interrupted`` or ``pending``.

    Args:
        status: Content of ``status.json``, empty where there is none.
        evaluated: Whether the metrics are there.
    """
    state = status.get("state", "pending")
    if state == "done":
        return "done" if evaluated else "trained"
    if state == "running":
        if status["host"] == socket.gethostname():
            alive = Path(f"/proc/{status['pid']}").exists()
        else:
            alive = time.time() - status["updated"] < SILENCE
        return "running" if alive else "interrupted"
    return state

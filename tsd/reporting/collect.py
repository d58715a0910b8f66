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
from tsd.experiments.schema import Run
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
    for run in grid.experiments.runs.values():
        if not grid.has(run):
            runs[run.id] = {**_declaration(grid, run), "digest": None, "at_scale": False}
    for job in jobs:
        collected = runs.setdefault(
            job.run.id,
            {**_declaration(grid, job.run), "digest": job.digest, "at_scale": True},
        )
        collected["seeds"][str(job.seed)] = collect_job(job)
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
        "figures": [figure.model_dump() for figure in grid.experiments.figures.values()],
        "claims": [claim.model_dump() for claim in grid.claims],
        "inconsistencies": [entry.model_dump() for entry in grid.inconsistencies],
        "runs": runs,
    }


def _declaration(grid: Grid, run: Run) -> dict[str, Any]:
    return {
        "why": run.why,
        "base": run.base,
        "backbone": run.backbone,
        "dataset": grid.dataset_of(run).id,
        "set": run.set,
        "tables": grid.experiments.tables_of(run.id),
        "seeds": {},
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
        "scheduler_job": status.get("scheduler_job"),
        "train": trained,
        "detect": detected,
        "latency": read_json(folder.latency),
        "tracking": read_json(folder.tracking),
    }
    if state == "done":
        collected["metrics"] = {
            **metrics["metrics"],
            **(_by_size(metrics["grid"]) if metrics["grid"] else {}),
            "params": trained["parameters"] / 1e6,
        }
        if collected["latency"]:
            collected["metrics"]["runtime"] = collected["latency"]["median_ms"]
        collected["grid"] = metrics["grid"]
    return collected


def _by_size(grid: dict[str, Any]) -> dict[str, float | None]:
    """AP of each object size at each IoU threshold, as Table 9 has them: ``APs@50`` and so on."""
    return {
        f"AP{area[0]}@{round(100 * iou)}": grid["AP"][t][a]
        for t, iou in enumerate(grid["iou"])
        for a, area in enumerate(grid["area"])
        if area != "all"
    }


def job_state(status: dict[str, Any], evaluated: bool) -> str:
    """``done``, ``trained``, ``failed``, ``running``, ``interrupted`` or ``pending``.

    Args:
        status: Content of ``status.json``, empty where there is none.
        evaluated: Whether the metrics are there.
    """
    state = status.get("state", "pending")
    if evaluated and state in ("done", "failed"):
        return "done"  # what failed came after the metrics, which training again would remove
    if state == "done":
        return "trained"
    if state == "running":
        if status["host"] == socket.gethostname():
            alive = Path(f"/proc/{status['pid']}").exists()
        else:
            alive = time.time() - status["updated"] < SILENCE
        return "running" if alive else "interrupted"
    return state

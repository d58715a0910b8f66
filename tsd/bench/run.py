"""Runs the rows of the bench, prints one table and writes one JSON file."""

import json
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from tsd import provenance
from tsd.bench import (
    coco_evaluation,
    network,
    one_process,
    pipeline,
    pooling,
    shared_gpu,
    small_step,
    tracking,
)
from tsd.bench.rows import Bench, NotMeasuredError, Row

ROWS = (
    *pooling.ROWS,
    *network.ROWS,
    *small_step.ROWS,
    *shared_gpu.ROWS,
    *one_process.ROWS,
    *coco_evaluation.ROWS,
    *tracking.ROWS,
    *pipeline.ROWS,
)
PACKAGES = ("torch", "torchvision", "mmdet", "mmcv", "mmengine")


def run_bench(
    bench: Bench, out: Path | None = None, only: Iterable[str] | None = None
) -> list[dict[str, Any]]:
    """Measure all rows, one after another; what a row cannot do is said in its place.

    Args:
        bench: How.
        out: The JSON file, written anew after each row; None for none.
        only: Ids of the rows that are measured; None for all.

    Returns:
        What was measured, as the JSON file has it.
    """
    wanted = [row for row in ROWS if only is None or row.id in only]
    where = _where(bench)
    print(", ".join(f"{name} {value}" for name, value in where.items()))
    measured = []
    for row in wanted:
        measured.append({**_measure(row, bench), **where})
        print(_line(row, measured[-1]), flush=True)
        if out is not None:
            out.write_text(json.dumps(measured, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return measured


def _measure(row: Row, bench: Bench) -> dict[str, Any]:
    """What a row gives, or why it gives nothing."""
    sizes = {
        "shape": bench.shape,
        "rois": bench.rois,
        "images": f"{bench.images:,}",
        "runs": f"{bench.runs:,}",
    }
    told = {"id": row.id, "title": row.title.format(**sizes), "unit": row.unit, "bar": row.bar}
    if bench.device not in row.devices:
        return {**told, "not_measured": f"it is for {' or '.join(row.devices)}"}
    try:
        found = row.measure(bench)
    except (NotMeasuredError, RuntimeError, ImportError, OSError) as error:
        return {**told, "not_measured": str(error).splitlines()[0] if str(error) else repr(error)}
    low, high = found.spread
    values = {"value": found.median, "from": low, "to": high, "rounds": len(found.values)}
    return {**told, **values, "seconds": found.seconds}


def _where(bench: Bench) -> dict[str, str]:
    """On what, and with what, the bench runs."""
    commit, dirty = provenance.commit()
    cpu = f"{platform.machine()}, {torch.get_num_threads()} threads"
    return {
        "device": torch.cuda.get_device_name() if bench.device == "cuda" else cpu,
        "commit": (commit or "unknown")[:10] + "+dirty" * dirty,
        **{name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str:
    """Of an installed package, whatever name its maintained line has."""
    for name in (package, f"onedl-{package}", f"onedl-{package}ection"):
        try:
            return version(name)
        except ImportError:
            continue
    return "unknown"


def _line(row: Row, measured: dict[str, Any]) -> str:
    """A line of the table, with its times below it."""
    title = measured["title"]
    if "not_measured" in measured:
        return f"{title}\n    not measured: {measured['not_measured']}"
    value = measured["value"]
    written, low, high = (_written(measured[key]) for key in ("value", "from", "to"))
    told = f"{written} {row.unit} ({low} to {high})"
    if row.bar is not None:
        at = "at least " * row.more_is_better
        told += f", bar {at}{_written(row.bar)}: {'met' if row.meets(value) else 'missed'}"
    times = ", ".join(f"{name} {1e3 * s:.2f} ms" for name, s in measured["seconds"].items())
    return f"{title}\n    {told}" + (f"; {times}" if times else "")


def _written(value: float) -> str:
    """A number with three digits, or with all before the point if these are more."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"

"""Merging results into a folder of results: a plan first, in full, and only then any change.

**The unit is a training.** Files of two attempts are never mixed, since ``status.json`` of the one
says nothing of the weights of the other. Where both sides have a training, the side that came
further counts; where both came equally far, the one that is there stays, and gains those files that
only the other has, provided that both are known to have the same weights.

**A conflict** is a training that both have with another content of what decides: its metrics, its
detections or the sum of its weights. Nobody but a person can tell which one is right.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

from tsd.liveness import is_training
from tsd.results.bundle_format import BundleError, bundled_paths
from tsd.run_folder import RunFolder, read_json, replace_durably


class Stage(IntEnum):
    """How far a training came."""

    STARTED = 0
    TRAINED = 1
    EVALUATED = 2


@dataclass
class Plan:
    """What merging changes.

    Args:
        copies: Files to copy, each to its place, in this order.
        conflicts: Why nothing can be merged, each with the name of what it is about.
        kept: Trainings of which the folder keeps its own, although the other's files differ.
    """

    copies: list[tuple[Path, Path]] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def carry_out(self) -> None:
        """Make the changes.

        Raises:
            BundleError: There are conflicts; nothing was changed.
            OSError: A file cannot be written. Each is whole or not there, and the status of a
                training is written last, so that merging once more completes what is missing.
        """
        if self.conflicts:
            raise BundleError(
                "nothing was changed, because of "
                + "; ".join(self.conflicts)
                + ". Remove one of the two, or merge into another folder with --results"
            )
        # One time for all: to Snakemake a file that is older than what it was made from is stale.
        now = time.time()
        for source, target in self.copies:
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{target.name}.merged")
            try:
                shutil.copyfile(source, partial)
                os.utime(partial, (now, now))
                replace_durably(partial, target)
            finally:
                partial.unlink(missing_ok=True)


def plan_merge(source: Path, target: Path) -> Plan:
    """Plan how to bring results into a folder of results.

    Args:
        source: Folder ``results`` of what is to be brought.
        target: Folder ``results`` that takes it; it need not exist.
    """
    plan = Plan()
    for check in sorted(source.glob("*/datasets/*.json")):
        _plan_check(plan, check, target / check.relative_to(source))
    for folder in _trainings(source):
        _plan_training(plan, folder, target / folder.relative_to(source))
    return plan


def _trainings(results: Path) -> Iterator[Path]:
    return (path for path in sorted(results.glob("*/*/*/seed*")) if path.is_dir())


def _plan_check(plan: Plan, source: Path, target: Path) -> None:
    """Plan for the record of a data set's check: one folder has one."""
    if not target.exists():
        plan.copies.append((source, target))
    elif _counted(source) != _counted(target) or _has_other_images(source, target):
        plan.conflicts.append(f"{target}: the data set of the same name has another content")


def _counted(path: Path) -> Any:
    """What a data set holds; where it lies may differ from machine to machine."""
    try:
        content = read_json(path)
        splits = [{**content[split]} for split in ("train", "val")]
    except (ValueError, TypeError, KeyError, UnicodeDecodeError):
        return path.read_bytes()
    return [
        {key: split.get(key) for key in ("images", "annotations", "fates", "per_class", "sizes")}
        for split in splits
    ]


def _has_other_images(source: Path, target: Path) -> bool:
    """Whether the checks found other images in a split; embedded data are made on each machine."""
    contents: list[dict[str, Any]] = []
    for path in (source, target):
        content = _object(path)
        pixels = content.get("pixels")
        if not isinstance(pixels, dict) or (content.get("dataset") or {}).get("embedded"):
            return False
        contents.append({split: found.get("content") for split, found in pixels.items() if found})
    one, two = contents
    return any(one[split] != two[split] for split in one.keys() & two.keys())


def _plan_training(plan: Plan, source: Path, target: Path) -> None:
    ours = _files(source)
    if has_other_weights(source):
        plan.conflicts.append(f"{source}: its weights are not those that its record tells of")
    if not target.exists():
        plan.copies += [(source / name, target / name) for name in _in_order(ours)]
        return
    theirs = _files(target)
    differing = [n for n in ours if n in theirs and _sum(source / n) != _sum(target / n)]
    missing = [name for name in ours if name not in theirs]
    if not differing and not missing:
        return
    if is_training(_object(target / "status.json")):
        plan.conflicts.append(f"{target}: is being trained there")
        return
    other = _evidence(source), _evidence(target)
    for what in other[0].keys() & other[1].keys():
        if other[0][what] != other[1][what]:
            plan.conflicts.append(f"{target}: has other {what}")
    changed: list[str]
    if _stage(source) > _stage(target):
        changed = differing + missing
    else:
        same = other[0].get("weights", 0) == other[1].get("weights", 1)
        changed = missing if same else []
        if len(changed) < len(differing + missing):
            plan.kept.append(str(target))
    plan.copies += [(source / name, target / name) for name in _in_order(changed)]


def _in_order(names: list[str]) -> list[str]:
    """Put the status last: until then a report takes the training for what it was before."""
    return sorted(names, key=lambda name: (name == "status.json", name))


def _files(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in bundled_paths(folder, with_weights=True)]


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stage(folder: Path) -> Stage:
    run = RunFolder(folder)
    if run.metrics.is_file() and _object(run.status).get("state") in ("done", "failed"):
        return Stage.EVALUATED
    return Stage.TRAINED if run.trained.is_file() or run.train.is_file() else Stage.STARTED


def _evidence(folder: Path) -> dict[str, str]:
    """What decides whether two folders hold the same training, by what it is called."""
    run, found = RunFolder(folder), dict[str, str]()
    if run.metrics.is_file():
        metrics = _object(run.metrics)
        deciding = {key: metrics.get(key) for key in ("version", "metrics", "per_class")}
        found["metrics"] = json.dumps(deciding, sort_keys=True)  # as text, in which NaN equals NaN
    if run.detections.is_file():
        found["detections"] = _sum(run.detections)
    weights = recorded_weights(folder)
    if weights is None and run.weights.is_file():
        weights = _sum(run.weights)
    if weights is not None:
        found["weights"] = weights
    return found


def recorded_weights(folder: Path) -> str | None:
    """The sum of a training's weights, as its record says; None where there is none."""
    run = RunFolder(folder)
    said = (_object(run.trained) or _object(run.train)).get("weights_sha256")
    return said if isinstance(said, str) else None


def has_other_weights(folder: Path) -> bool:
    """Whether the weights in a training's folder are not those of its record."""
    weights = RunFolder(folder).weights
    return weights.is_file() and recorded_weights(folder) not in (None, _sum(weights))


def _object(path: Path) -> dict[str, Any]:
    """The content of a JSON file with an object; empty where there is none."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}

"""What tracking reads from a run's folder, checked; nothing here knows of MLflow."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tsd.event_file import DisorderedEventsError, check_order
from tsd.liveness import is_training
from tsd.results.records import RecordError, Records, read_records
from tsd.run_folder import RunFolder, read_json

STATES = ("running", "interrupted", "done", "failed")
FINAL_PREFIX = "final/"
PAPER_PREFIX = "paper/"

VAL_PREFIX = "val/"
"""Before the id of a metric of the val split, at the step of the training where it was measured."""


class TrackingError(RuntimeError):
    """A run could not be ingested: the store is unusable or a file of the run is malformed."""


@dataclass(frozen=True)
class Event:
    """Measurements at one training step.

    Args:
        step: Iterations done.
        time_ms: Unix time in milliseconds.
        metrics: Values by name, as they stand in the file.
    """

    step: int
    time_ms: int
    metrics: dict[str, Any]


@dataclass(frozen=True)
class RunFiles:
    """The content of a run's folder at one moment.

    Args:
        key: Identity of the run.
        name: For people.
        experiment: MLflow experiment it belongs to.
        tags: Of the run, and ``tsd.error`` if it failed.
        params: Of the run, other values than text as JSON.
        state: One of STATES; a training whose process is gone is interrupted.
        updated_ms: When the state was written, Unix time in milliseconds; None if not told.
        events: By increasing step.
        final: What was measured of the whole training, each metric's id after FINAL_PREFIX, and
            what the paper prints for it, after PAPER_PREFIX, as an event of step 0.
        on_the_way: What the network was worth on the way of the training and at its end, each
            metric's id after VAL_PREFIX, by increasing step; empty where nothing was measured on
            the way.
        data: The data set: ``name``, ``digest`` and ``source``; empty where the card has none.
        artifacts: Files to keep with the run, those that exist.
    """

    key: str
    name: str
    experiment: str
    tags: dict[str, str]
    params: dict[str, str]
    state: str
    updated_ms: int | None
    events: list[Event]
    final: Event
    on_the_way: list[Event]
    data: dict[str, str]
    artifacts: list[Path]


def read_run(folder: RunFolder) -> RunFiles:
    """Read a run's folder while its training may be writing there.

    Raises:
        TrackingError: A file is malformed or the card is missing; names file and key.
    """
    card = _read_object(folder.card)
    for key in ("key", "name", "experiment", "tags", "params"):
        kind = dict if key in ("tags", "params") else str
        if not isinstance(card.get(key), kind):
            raise TrackingError(f"{folder.card}: {key!r} is missing or no {kind.__name__}")
    status = _read_object(folder.status)
    state = status.get("state", "running")
    if state not in STATES:
        raise TrackingError(f"{folder.status}: state {state!r} is none of {', '.join(STATES)}")
    if state == "running" and status and not is_training(status):
        state = "interrupted"  # killed, with no time to write that down
    error = {"tsd.error": status.get("error") or "no reason given"} if state == "failed" else {}
    try:
        records = read_records(folder)
    except RecordError as broken:
        raise TrackingError(str(broken)) from broken
    latency = {"runtime_device": records.latency.device} if records.latency else {}
    trained = records.train
    weights = {"weights_sha256": trained.weights_sha256} if trained else {}
    versions = {"versions": json.dumps(trained.versions)} if trained else {}
    where = {name: status.get(name) for name in ("host", "scheduler_job", "attempts")}
    known = {name: value for name, value in {**where, **weights}.items() if value is not None}
    tags = card["tags"] | latency | versions | known | error
    updated = status.get("updated")
    artifacts = (
        folder.config,
        folder.train,
        folder.detections,
        folder.metrics,
        folder.per_class,
        folder.milestones,
        *([folder.log] if state != "running" else []),  # it grows until then
    )
    return RunFiles(
        key=card["key"],
        name=card["name"],
        experiment=card["experiment"],
        tags={name: str(value) for name, value in tags.items()},
        params={
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in card["params"].items()
        },
        state=state,
        updated_ms=None if updated is None else round(updated * 1000),
        events=_read_events(folder.events),
        final=_final(folder, records, card.get("paper") or {}),
        on_the_way=_on_the_way(folder, records),
        data={name: str(value) for name, value in (card.get("data") or {}).items()},
        artifacts=[path for path in artifacts if path.exists()],
    )


def _read_object(path: Path) -> dict[str, Any]:
    """A JSON object, empty where there is no such file."""
    try:
        content = read_json(path)
    except ValueError as error:
        raise TrackingError(f"{path}: not JSON: {error}") from error
    if not isinstance(content, dict | None):
        raise TrackingError(f"{path}: expected an object, got {type(content).__name__}")
    return content or {}


def _read_events(path: Path) -> list[Event]:
    """The events of a file; a last line that is still being written is left out."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").removesuffix("\n").split("\n")
    events: list[Event] = []
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            event = Event(
                step=int(entry["step"]),
                time_ms=round(entry["time"] * 1000),
                metrics=dict(entry["metrics"]),
            )
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            if number == len(lines):
                break
            raise TrackingError(f"{path}:{number}: not an event: {error!r}") from error
        events.append(event)
    try:
        # Every line is an event, so that the place in the list is that in the file.
        check_order(path, enumerate((event.step for event in events), start=1))
    except DisorderedEventsError as error:
        raise TrackingError(str(error)) from error
    return events


def _final(folder: RunFolder, records: Records, paper: dict[str, Any]) -> Event:
    """Everything that was measured of the training, as it stands in the report, and the paper's."""
    named = {FINAL_PREFIX + name: value for name, value in records.metrics.items()}
    named |= {PAPER_PREFIX + name: value for name, value in paper.items()}
    # The files' time puts a later measurement after an earlier one of the same step.
    measured = (folder.train, folder.metrics, folder.latency)
    times = [path.stat().st_mtime for path in measured if path.exists()]
    return Event(step=0, time_ms=round(max(times, default=0) * 1000), metrics=named)


def _on_the_way(folder: RunFolder, records: Records) -> list[Event]:
    """The curve of the training on the val split; empty where nothing was measured on its way."""
    curve = records.on_the_way
    if not curve:
        return []
    time_ms = round(folder.milestones.stat().st_mtime * 1000)
    return [
        Event(step, time_ms, {VAL_PREFIX + name: value for name, value in metrics.items()})
        for step, metrics in curve.items()
    ]

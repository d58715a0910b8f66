"""Ingest a run's folder into MLflow, as often as wanted; nothing else imports mlflow.

Training writes plain files and knows nothing of MLflow: a store that is slow, locked or away
cannot stop it. What the store lacks is added by the next sync, from the same files.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

# First, since it settles what mlflow reads when it is imported.
from tsd.tracking.connection import STORE_ERRORS, may_pass, open_experiment, use_store

# isort: split
from mlflow import MlflowClient
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    Metric,
    Param,
    Run,
    RunTag,
)

from tsd.run_folder import RunFolder
from tsd.tracking import names
from tsd.tracking.batches import (
    BYTES_PER_BATCH,
    METRICS_PER_BATCH,
    PAIRS_PER_BATCH,
    chunks,
    event_batches,
    pair_batches,
)
from tsd.tracking.follow import repeat_beside
from tsd.tracking.run_files import (
    FINAL_PREFIX,
    PAPER_PREFIX,
    VAL_PREFIX,
    Event,
    RunFiles,
    read_run,
)
from tsd.tracking.uri import artifact_folder, redact

MLFLOW_STATUS = {
    "running": "RUNNING",
    "interrupted": "KILLED",
    "done": "FINISHED",
    "failed": "FAILED",
}
OPENED_TAG = "tsd.opened"
"""Tag of an experiment: when a workflow last tried whether it can write there."""


def prepare_store(uri: str, experiments: Sequence[str]) -> None:
    """Create the schema and the experiments of a store, and see that each takes what is written.

    An experiment that exists keeps its content; the time of this call is written into a tag of it.
    Call it once before jobs fan out: MLflow's creation of a schema races with itself.

    Args:
        uri: MLflow tracking URI of a database or a server, not of a folder.
        experiments: Names.

    Raises:
        TrackingError: The store cannot be used or an experiment was deleted. Says what to do.
    """

    def open_experiments(client: MlflowClient) -> None:
        for experiment in experiments:
            now = time.strftime("%Y-%m-%d %H:%M:%S")
            client.set_experiment_tag(
                open_experiment(client, names.name(experiment)), OPENED_TAG, now
            )

    use_store(uri, open_experiments)


def describe_experiment(uri: str, experiment: str, tags: Mapping[str, str]) -> None:
    """Write tags of an experiment, such as its description and its views, where they differ.

    Args:
        uri: As for ``prepare_store``.
        experiment: Name.
        tags: Value by name.

    Raises:
        TrackingError: The store cannot be used or the experiment was deleted.
    """

    def describe(client: MlflowClient) -> None:
        number = open_experiment(client, names.name(experiment))
        stored = client.get_experiment(number).tags
        for tag, text in tags.items():
            if stored.get(tag) != text:
                client.set_experiment_tag(number, tag, text)

    use_store(uri, describe)


def experiment_number(uri: str, experiment: str) -> str | None:
    """MLflow's number of an experiment; None if there is none of that name.

    Raises:
        TrackingError: The store cannot be used.
    """

    def find(client: MlflowClient) -> str | None:
        found = client.get_experiment_by_name(names.name(experiment))
        return None if found is None else found.experiment_id

    return use_store(uri, find)


def sync_run(run_dir: Path, uri: str) -> dict[str, str]:
    """Bring a run's entry in MLflow up to date with its folder; a second call changes nothing.

    The entry is found by the card's key (tag ``tsd.key``). A step up to the last one stored is
    never logged again, a param keeps its first value (tag ``tsd.param_conflict`` tells of
    another), values that are not finite are left out. Names and values are adapted to MLflow's
    rules (:mod:`tsd.tracking.names`). When MLflow refuses one part of a run, the other parts are
    stored all the same, and its status above all: no run stays RUNNING for the sake of a tag. Any
    number of runs may be synced at once, but each by one process at a time.

    Args:
        run_dir: The folder of one training, see ``RunFolder``.
        uri: As for ``prepare_store``.

    Returns:
        Where the entry is: ``uri`` without credentials, ``experiment_id`` and ``run_id``.

    Raises:
        TrackingError: The store cannot be used, has refused a part of the run, or a file of the
            run is malformed. The next call adds what is missing.
    """
    files = names.adapted(read_run(RunFolder(run_dir)))

    def ingest(client: MlflowClient) -> Run:
        run = _find_or_create_run(client, files)
        parts: tuple[Callable[[], None], ...] = (
            lambda: _log_params(client, run, files.params),
            lambda: _set_tags(client, run, files.tags),
            lambda: _log_metrics(client, run, files),
            lambda: _log_data(client, run, files.data),
            lambda: _log_artifacts(client, run, files.artifacts),
            lambda: _set_status(client, run, files),
        )
        failures = []
        for part in parts:
            try:
                part()
            except STORE_ERRORS as error:
                if may_pass(error):
                    raise
                failures.append(error)
        if failures:
            raise failures[0]
        return run

    info = use_store(uri, ingest).info
    return {"uri": redact(uri), "experiment_id": info.experiment_id, "run_id": info.run_id}


def follow_run(run_dir: Path, uri: str, parent_pid: int, interval_s: float = 10) -> None:
    """Sync a run until its training or the process has ended; for a process of its own.

    Nothing is raised: what goes wrong is printed to stderr and tried again after the interval.

    Args:
        run_dir: As for ``sync_run``.
        uri: As for ``prepare_store``.
        parent_pid: The process that trains.
        interval_s: Seconds between syncs.
    """

    def sync() -> bool:
        state = read_run(RunFolder(run_dir)).state
        sync_run(run_dir, uri)
        return state != "running"

    repeat_beside(parent_pid, sync, interval_s)


def _find_or_create_run(client: MlflowClient, files: RunFiles) -> Run:
    experiment_id = open_experiment(client, files.experiment)
    found = client.search_runs([experiment_id], f"tags.`tsd.key` = '{files.key}'", max_results=1)
    if found:
        return found[0]
    started = files.events[0].time_ms if files.events else None
    # The key goes in with the creation: a job killed right after it finds its run again.
    return client.create_run(experiment_id, started, {"tsd.key": files.key}, files.name)


def _log_params(client: MlflowClient, run: Run, params: dict[str, str]) -> None:
    stored = run.data.params
    new = {name: value for name, value in params.items() if name not in stored}
    for batch in pair_batches(new, PAIRS_PER_BATCH, BYTES_PER_BATCH):
        client.log_batch(run.info.run_id, params=[Param(*pair) for pair in batch])
    changed = [name for name, value in params.items() if stored.get(name, value) != value]
    if changed:
        notes = [f"{name}: kept {stored[name]!r}, not {params[name]!r}" for name in changed]
        note = names.value("; ".join(notes), names.TAG_LENGTH)
        _set_tags(client, run, {"tsd.param_conflict": note})


def _set_tags(client: MlflowClient, run: Run, tags: dict[str, str]) -> None:
    new = {name: value for name, value in tags.items() if run.data.tags.get(name) != value}
    for batch in pair_batches(new, PAIRS_PER_BATCH, BYTES_PER_BATCH):
        client.log_batch(run.info.run_id, tags=[RunTag(*pair) for pair in batch])


def _log_metrics(client: MlflowClient, run: Run, files: RunFiles) -> None:
    # The protobuf is MLflow's only public view of the step that a latest value belongs to.
    latest = run.data.to_proto().metrics
    measured_later = (FINAL_PREFIX, PAPER_PREFIX, VAL_PREFIX)
    last = max((m.step for m in latest if not m.key.startswith(measured_later)), default=-1)
    events = [event for event in files.events if event.step > last]
    on_the_way = _not_stored(files.on_the_way, {m.key: (m.step, m.value) for m in latest})
    final = {k: v for k, v in files.final.metrics.items() if run.data.metrics.get(k) != v}
    # A request is stored as a whole. It holds whole steps, so that none is stored by half.
    new = [*events, *on_the_way, replace(files.final, metrics=final)]
    for batch in event_batches(new, METRICS_PER_BATCH):
        metrics = [
            Metric(name, value, event.time_ms, event.step)
            for event in batch
            for name, value in event.metrics.items()
        ]
        for part in chunks(metrics, METRICS_PER_BATCH):
            client.log_batch(run.info.run_id, metrics=part)


def _log_data(client: MlflowClient, run: Run, data: dict[str, str]) -> None:
    """Say once which data set the run was trained on."""
    inputs = run.inputs.dataset_inputs if run.inputs else []
    known = {(one.dataset.name, one.dataset.digest) for one in inputs}
    if not data or (data["name"], data["digest"]) in known:
        return
    dataset = Dataset(data["name"], data["digest"], "local", json.dumps({"uri": data["source"]}))
    context = InputTag("mlflow.data.context", "training")
    client.log_inputs(run.info.run_id, [DatasetInput(dataset, [context])])


def _not_stored(curve: list[Event], latest: dict[str, tuple[int, float]]) -> list[Event]:
    """The part of a curve that is not stored; all of a metric whose last value is another now.

    Args:
        curve: Events by increasing step.
        latest: Name of a metric → the last step of it that is stored, and the value there.
    """
    values = {(event.step, name): value for event in curve for name, value in event.metrics.items()}
    stored = {
        name: step
        for name, (step, value) in latest.items()
        if values.get((step, name), value) == value
    }
    new = [
        {name: value for name, value in event.metrics.items() if event.step > stored.get(name, -1)}
        for event in curve
    ]
    return [replace(event, metrics=metrics) for event, metrics in zip(curve, new, strict=True)]


def _log_artifacts(client: MlflowClient, run: Run, paths: list[Path]) -> None:
    """Upload the files whose content is not that of the last upload, told by a tag."""
    folder = artifact_folder(client.tracking_uri, run.info.artifact_uri or "")
    for path in paths:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        tag = names.name(f"tsd.sha256.{path.name}")
        if run.data.tags.get(tag) == digest:
            continue
        if folder is None:
            client.log_artifact(run.info.run_id, str(path))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            partial = folder / f".{path.name}.{os.getpid()}"
            shutil.copyfile(path, partial)
            partial.replace(folder / path.name)
        client.set_tag(run.info.run_id, tag, digest)


def _set_status(client: MlflowClient, run: Run, files: RunFiles) -> None:
    if "tsd.error" in run.data.tags and "tsd.error" not in files.tags:
        client.delete_tag(run.info.run_id, "tsd.error")
    status = MLFLOW_STATUS[files.state]
    if status == run.info.status:
        return
    if files.state == "running":
        client.update_run(run.info.run_id, status)
    else:
        client.set_terminated(run.info.run_id, status, files.updated_ms)

"""One entry in MLflow for each run over its seeds; it is replaced as a whole when it changes.

MLflow keeps every value that a metric ever had, and can forget none. A summary whose gain or whose
interval is no longer known, since a training was removed, could therefore not say so. An entry is
written once instead, with a digest of its content (tag :data:`DIGEST_TAG`). Where the content has
changed, a new entry takes the place of the old one, which is deleted as MLflow's page deletes runs.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

# First, since it settles what mlflow reads when it is imported.
from tsd.tracking.connection import open_experiment, use_store

# isort: split
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag

from tsd.tracking import names
from tsd.tracking.batches import (
    BYTES_PER_BATCH,
    METRICS_PER_BATCH,
    PAIRS_PER_BATCH,
    chunks,
    pair_batches,
)

SUMMARY_FILTER = "tags.kind = 'summary'"
DIGEST_TAG = "tsd.summary_digest"
"""Tag that is written last, so that an entry without it is one that was begun and not finished."""

RESULTS_TAG = "tsd.results"
"""Tag that tells which folder of results a summary was written from."""


@dataclass(frozen=True)
class Summary:
    """What MLflow is told of a run over its seeds.

    Args:
        key: Its identity in the store.
        name: For people.
        tags: Among them ``kind``, which is ``summary``.
        params: As those of the run's trainings; other values than text as JSON.
        metrics: Values by name.
    """

    key: str
    name: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]

    @property
    def digest(self) -> str:
        """Tells one content from another."""
        content = json.dumps([self.name, self.tags, self.params, self.metrics], sort_keys=True)
        return hashlib.sha256(content.encode(errors="surrogatepass")).hexdigest()


def sync_summaries(
    uri: str,
    experiment: str,
    results: str,
    summaries: Sequence[Summary],
    is_gone: Callable[[Mapping[str, str]], bool],
) -> dict[str, str]:
    """Have a store hold some summaries, each once; a second call changes nothing.

    Args:
        uri: As for :func:`tsd.tracking.store.prepare_store`.
        experiment: Name of the experiment.
        results: Identity of the folder of results that the summaries are made from.
        summaries: Those that there are now.
        is_gone: Told the tags of a summary that was made from this folder and is none of these,
            it says whether the trainings behind it are no longer there. Such a summary is deleted.
            Summaries of other folders stay.

    Returns:
        Key of each summary → id of its entry.

    Raises:
        TrackingError: The store cannot be used. The next call does what is missing.
    """
    wanted = {one.key: one for one in (_adapted(one, results) for one in summaries)}

    def bring_in(client: MlflowClient) -> dict[str, str]:
        number = open_experiment(client, names.name(experiment))
        stored: dict[str, list[Run]] = {}
        for run in _stored(client, number):
            stored.setdefault(run.data.tags.get("tsd.key", ""), []).append(run)
        ids = {}
        for key, summary in wanted.items():
            entries = [
                run
                for run in stored.pop(key, [])
                if run.data.tags.get(RESULTS_TAG) == summary.tags[RESULTS_TAG]
            ]
            same = [run for run in entries if run.data.tags.get(DIGEST_TAG) == summary.digest]
            kept = same[0].info.run_id if same else _create(client, number, summary)
            for run in entries:
                if run.info.run_id != kept:
                    client.delete_run(run.info.run_id)
            ids[key] = kept
        for run in (run for entries in stored.values() for run in entries):
            if run.data.tags.get(RESULTS_TAG) == results and is_gone(run.data.tags):
                client.delete_run(run.info.run_id)
        return ids

    ids = use_store(uri, bring_in)
    return {one.key: ids[names.name(one.key)] for one in summaries}


def _adapted(summary: Summary, results: str) -> Summary:
    """The summary with names and values as MLflow takes them, and with the folder's identity."""
    numbers = {name: names.measurement(value) for name, value in summary.metrics.items()}
    tags = {**summary.tags, RESULTS_TAG: results}
    return replace(
        summary,
        key=names.name(summary.key),
        name=names.value(summary.name, names.NAME_LENGTH) or "unnamed",
        tags={names.name(tag): names.value(v, names.TAG_LENGTH) for tag, v in tags.items()},
        params={
            names.name(param): names.value(v, names.PARAM_LENGTH)
            for param, v in summary.params.items()
        },
        metrics={names.name(name): v for name, v in numbers.items() if v is not None},
    )


def _stored(client: MlflowClient, experiment: str) -> Iterator[Run]:
    """Every summary of an experiment that is not deleted."""
    token = None
    while True:
        page = client.search_runs([experiment], SUMMARY_FILTER, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _create(client: MlflowClient, experiment: str, summary: Summary) -> str:
    """Write a summary as a new entry, and return its id."""
    now = round(time.time() * 1000)
    # These go in with the creation: whatever is left of an attempt that breaks off is found.
    tags = {"tsd.key": summary.key, **{tag: summary.tags[tag] for tag in ("kind", RESULTS_TAG)}}
    run_id: str = client.create_run(experiment, now, tags, summary.name).info.run_id
    for batch in pair_batches(summary.params, PAIRS_PER_BATCH, BYTES_PER_BATCH):
        client.log_batch(run_id, params=[Param(*pair) for pair in batch])
    metrics = [Metric(name, value, now, 0) for name, value in summary.metrics.items()]
    for part in chunks(metrics, METRICS_PER_BATCH):
        client.log_batch(run_id, metrics=part)
    for batch in pair_batches(summary.tags, PAIRS_PER_BATCH, BYTES_PER_BATCH):
        client.log_batch(run_id, tags=[RunTag(*pair) for pair in batch])
    client.set_terminated(run_id)
    client.set_tag(run_id, DIGEST_TAG, summary.digest)
    return run_id

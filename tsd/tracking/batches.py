"""Cut lists to the sizes that one request may have."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from tsd.tracking.run_files import Event

METRICS_PER_BATCH = 1000
PAIRS_PER_BATCH = 100  # params or tags
BYTES_PER_BATCH = 500_000  # MLflow takes 1 MB, indentation included

T = TypeVar("T")


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Consecutive parts of at most ``size`` items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def event_batches(events: Sequence[Event], size: int) -> Iterator[list[Event]]:
    """Consecutive events with at most ``size`` metrics together; one event is never divided."""
    batch: list[Event] = []
    count = 0
    for event in events:
        if batch and count + len(event.metrics) > size:
            yield batch
            batch, count = [], 0
        batch.append(event)
        count += len(event.metrics)
    if batch:
        yield batch


def pair_batches(
    pairs: Mapping[str, str], most: int, most_bytes: int
) -> Iterator[list[tuple[str, str]]]:
    """Consecutive pairs of name and value, limited in number and in size.

    Args:
        pairs: Value by name; none is larger than a request may be.
        most: Pairs of a batch.
        most_bytes: Size of a batch as JSON.
    """
    batch: list[tuple[str, str]] = []
    size = 0
    for pair in pairs.items():
        added = len(json.dumps(pair))
        if batch and (len(batch) == most or size + added > most_bytes):
            yield batch
            batch, size = [], 0
        batch.append(pair)
        size += added
    if batch:
        yield batch

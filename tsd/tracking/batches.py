"""Cut lists to the sizes that one request may have."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from tsd.tracking.run_files import Event

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

"""How many objects of the validation set a number rests on.

AP of large objects is a precise-looking number also where there are three of them. Each metric is
therefore shown with the number of objects that it was measured on, as the check of the data found
it, and with a warning where they are few.
"""

from collections.abc import Iterable, Sequence

from tsd.experiments.metrics import Metric, Step
from tsd.reporting.comparability import shown_runs
from tsd.reporting.wording import count, listed
from tsd.results.collected import Results

FEW = 30
"""Below so many objects a metric comes with a warning: one object more or less that is found moves
its recall by more than three points."""

ALL = "all"


def data_of(results: Results, names: Iterable[str | None]) -> str | None:
    """Return the id of the one data set that some runs are trained on.

    Args:
        results: What was collected.
        names: Ids of the runs.

    Returns:
        None where no run is shown, or where the data sets differ.
    """
    found = {run.dataset for run in shown_runs(results, names).values()}
    return found.pop() if len(found) == 1 else None


def objects_behind(results: Results, dataset: str | None, metric: str) -> int | None:
    """Count the objects of the validation set that a metric rests on.

    Args:
        results: What was collected.
        dataset: Id of the data set; None where there is no single one.
        metric: Id of the metric.

    Returns:
        None where the metric is none of detections, or where the data were not counted.
    """
    check = results.data[dataset].check if dataset in results.data and dataset else None
    if check is None or results.metrics[metric].step is not Step.EVALUATE:
        return None
    size, val = size_of(results.metrics[metric]), check.val
    if results.metrics[metric].of_masks and val.masks and val.usable_masks < val.objects:
        # Objects without a usable mask are left out, and nobody counts the others by their size.
        return val.usable_masks if size == ALL else None
    return val.objects if size == ALL else val.sizes.get(size)


def size_of(metric: Metric) -> str:
    """Return the size of the objects that a metric is about, as COCO calls it."""
    return str(metric.arguments.get("size", ALL))


def object_remarks(
    results: Results, names: Sequence[str | None], metrics: Sequence[str]
) -> list[str]:
    """Say how many objects some metrics of some runs rest on, and warn where they are few.

    Args:
        results: What was collected.
        names: Ids of the runs.
        metrics: Ids of the metrics.

    Returns:
        A sentence on the numbers and one of warning; either is missing where it has nothing to say.
    """
    by_count = _titles_by_count(results, names, metrics)
    if not by_count:
        return []
    rest = [
        f"{listed(titles)} {'rests' if len(titles) == 1 else 'rest'} on {count(objects, 'object')}"
        for objects, titles in by_count.items()
    ]
    warning = few_objects(results, names, metrics)
    return [f"In the validation set, {'; '.join(rest)}.", *([warning] if warning else [])]


def few_objects(results: Results, names: Sequence[str | None], metrics: Sequence[str]) -> str:
    """Warn of metrics that rest on few objects; the empty text where none does.

    Args:
        results: What was collected.
        names: Ids of the runs.
        metrics: Ids of the metrics.
    """
    by_count = _titles_by_count(results, names, metrics)
    few = [title for objects, titles in by_count.items() if objects < FEW for title in titles]
    if not few:
        return ""
    return f"Fewer than {FEW} objects are behind {listed(few)}, so that chance decides there."


def _titles_by_count(
    results: Results, names: Sequence[str | None], metrics: Sequence[str]
) -> dict[int, list[str]]:
    """Group the titles of metrics by the number of objects that they rest on."""
    dataset = data_of(results, names)
    titles: dict[int, list[str]] = {}
    for metric in metrics:
        objects = objects_behind(results, dataset, metric)
        if objects is not None:
            titles.setdefault(objects, []).append(results.metrics[metric].title)
    return titles

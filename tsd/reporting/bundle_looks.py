"""What the looks of several bundles have come to together (:mod:`tsd.experiments.looks`)."""

from collections.abc import Sequence
from pathlib import Path

from tsd.reporting.training_hours import price_of
from tsd.results.bundle_format import BundleError
from tsd.results.collected import CollectedLooks, Results


def require_same_looks(
    first: CollectedLooks | None, other: CollectedLooks | None, origins: tuple[Path, Path]
) -> None:
    """Refuse two bundles whose claims are not judged by the same looks.

    Args:
        first: What the looks of the one bundle have come to; None where its seeds are fixed.
        other: The same of the other bundle.
        origins: The files of both.

    Raises:
        BundleError: They are judged otherwise; the message names both bundles and the difference.
    """
    if first is None and other is None:
        return
    remedy = "make both bundles with the same scale and the same setting of seeds"
    if first is None or other is None:
        fixed, looked = origins if first is None else origins[::-1]
        raise BundleError(
            f"{origins[0]} and {origins[1]}: nothing was changed, since {looked} has looks at "
            f"growing results (seeds=auto), and {fixed} a fixed number of seeds; {remedy}"
        )
    for name in ("seeds", "errors", "budget_hours"):
        values = getattr(first, name), getattr(other, name)
        if values[0] != values[1]:
            raise BundleError(
                f"{origins[0]} and {origins[1]}: nothing was changed, since {name} of the looks "
                f"is {values[0]} in the one and {values[1]} in the other; {remedy}"
            )


def combined_looks(looks: Sequence[CollectedLooks]) -> CollectedLooks:
    """Put together what the looks of bundles have come to that are judged by the same looks.

    Looks at the same runs are the same looks at several times, of which the latest counts. Looks at
    other runs are looks of their own, each with its own budget. Of such, so many are over as of
    those that go on and have come least far, since a look is judged only once it is over for all
    runs; where none goes on, all that were taken are over.

    Args:
        looks: Those of each bundle, at least one.

    Returns:
        The looks at all of the runs. Of their ``hours`` it is not known how many they share, so
        that they are counted anew by :func:`hours_after_first_look`.
    """
    latest: dict[frozenset[str], CollectedLooks] = {}
    for one in looks:
        runs = frozenset(one.runs)
        latest[runs] = max(latest.get(runs, one), one, key=_progress)
    different = list(latest.values())
    if len(different) == 1:
        return different[0]
    going_on = [one.taken for one in different if one.end is None]
    ends = dict.fromkeys(one.end for one in different if one.end is not None)
    budget = different[0].budget_hours
    return different[0].model_copy(
        update={
            "runs": list(dict.fromkeys(run for one in different for run in one.runs)),
            "taken": min(going_on) if going_on else max(one.taken for one in different),
            "hours": sum(one.hours for one in different),
            "budget_hours": None if budget is None else budget * len(different),
            "end": None if going_on else ", and ".join(ends),
        }
    )


def hours_after_first_look(results: Results) -> float:
    """Sum what the trainings took that the looks after the first one asked for.

    Args:
        results: What was collected of a grid with looks.
    """
    if results.looks is None:
        return 0.0
    first = results.looks.seeds[0]
    prices = (
        price_of(training.train)
        for name in results.looks.runs
        if name in results.runs
        for _, training in sorted(results.runs[name].seeds.items())[first:]
    )
    return sum(price.hours or 0.0 for price in prices if price is not None)


def _progress(looks: CollectedLooks) -> tuple[int, bool]:
    return looks.taken, looks.end is not None

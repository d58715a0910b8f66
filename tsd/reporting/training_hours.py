"""What trainings took, and what those to come may take.

The surest source that there is says what a training costs: its own record once it has ended; other
seeds of the same run, which are the same work; the declared costs, for trainings that are counted
in epochs; what the same training took for a published report, though perhaps on another machine;
and the mean over what else of the selection is trained. Hours are those of one CPU core, or of one
GPU where a training ran on GPUs. They are the time for which it was held, so that what else a
machine has to do makes a training dearer: of the seeds of a run the median counts.
"""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tsd.experiments.costs import Costs
from tsd.experiments.job import Job
from tsd.experiments.reading import DeclarationError
from tsd.results.collected import CollectedRun, Results, ResultsError
from tsd.results.records import TrainRecord


class Source(StrEnum):
    """Where the hours of a training are from, the surest first."""

    MEASURED = "measured"
    OTHER_SEEDS = "measured with other seeds"
    DECLARED = "declared costs"
    PUBLISHED = "measured for the published report"
    OTHER_RUNS = "measured of other runs"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Price:
    """The hours of one training.

    Args:
        hours: Hours of a core or a GPU; None where nothing is known.
        unit: What they are hours of; empty where nothing is known.
        source: Where the number is from.
    """

    hours: float | None
    unit: str
    source: Source


class Prices:
    """The hours of the trainings of a grid.

    Args:
        jobs: Trainings of the grid, from which the others' hours are estimated.
        costs: The declared costs; None where there are none.
        published: Id and digest of a run → what it took where a report was published of it.
    """

    def __init__(
        self,
        jobs: Iterable[Job],
        costs: Costs | None,
        published: Mapping[tuple[str, str], Price] | None = None,
    ):
        self._costs = costs
        self._published = published or {}
        measured = (price for job in jobs if (price := measured_price(job)) is not None)
        self._others = list(measured)
        self._of_run: dict[str, Price | None] = {}

    def of(self, job: Job) -> Price:
        """The hours of a training, measured or estimated.

        Args:
            job: The training; it is compiled.
        """
        own = measured_price(job)
        if own is not None:
            return own
        if job.run.id not in self._of_run:
            self._of_run[job.run.id] = _middle(_other_seeds(job), Source.OTHER_SEEDS)
        return (
            self._of_run[job.run.id]
            or self._declared(job)
            or self._published.get((job.run.id, job.digest))
            or _middle(self._others, Source.OTHER_RUNS, statistics.fmean)
            or Price(None, "", Source.UNKNOWN)
        )

    def _declared(self, job: Job) -> Price | None:
        """What the costs say; None where they say nothing of such a training."""
        if self._costs is None:
            return None
        try:
            hours, _ = self._costs.gpu_hours(job)
        except DeclarationError:
            return None
        return Price(hours, "GPU", Source.DECLARED)


def published_prices(report: Path) -> dict[tuple[str, str], Price]:
    """What the trainings of a published report took: id and digest of a run → median of its seeds.

    Args:
        report: The folder of the report. Nothing is known where it is not there, or where another
            version of this project wrote it.
    """
    path = report / "results.json"
    if not path.is_file():
        return {}
    try:
        results = Results.read(path)
    except ResultsError:
        return {}
    found = {}
    for name, run in results.runs.items():
        prices = [price for one in run.seeds.values() if (price := price_of(one.train))]
        price = _middle(prices, Source.PUBLISHED)
        if run.digest is not None and price is not None:
            found[name, run.digest] = price
    return found


def measured_price(job: Job) -> Price | None:
    """What a training took, in all of its attempts; None where it has not ended.

    Args:
        job: The training; it is compiled.
    """
    return price_of(TrainRecord.read(job.folder.trained) or TrainRecord.read(job.folder.train))


def price_of(record: TrainRecord | None) -> Price | None:
    """What a training took, by its record; None where there is none.

    Args:
        record: The record of a training that has ended.
    """
    if record is None:
        return None
    seconds = record.seconds_last_attempt if record.seconds is None else record.seconds
    on_cpu = record.device == "cpu"
    devices = record.processes * (record.threads if on_cpu else 1)
    return Price(seconds * devices / 3600, "core" if on_cpu else "GPU", Source.MEASURED)


def price_of_another(run: CollectedRun) -> Price | None:
    """What another training of a run may take: the median of those that it had.

    Args:
        run: The run.

    Returns:
        None where no training was timed in all of its attempts, or some ran on a CPU and others on
        GPUs.
    """
    timed = [one.train for one in run.seeds.values() if one.train and one.train.seconds]
    prices = [price for record in timed if (price := price_of(record)) is not None]
    if len({price.unit for price in prices}) != 1:
        return None
    return _middle(prices, Source.OTHER_SEEDS)


def _other_seeds(job: Job) -> list[Price]:
    """What the trainings of the same run took that there are, of whatever seeds."""
    files = sorted(job.folder.path.parent.glob(f"seed*/{job.folder.trained.name}"))
    return [price for file in files if (price := price_of(TrainRecord.read(file))) is not None]


def _middle(
    prices: Sequence[Price],
    source: Source,
    middle: Callable[[Sequence[float]], float] = statistics.median,
) -> Price | None:
    """The middle of some measured hours, on the device that most of them are of."""
    if not prices:
        return None
    units = [price.unit for price in prices]
    unit = max(units, key=units.count)
    hours = [price.hours for price in prices if price.unit == unit and price.hours is not None]
    return Price(middle(hours), unit, source)


def sum_text(prices: Sequence[Price], noun: str = "") -> str:
    """Say the hours of several trainings, and how many of them have no price.

    Args:
        prices: The hours of each.
        noun: What follows each unit, such as "hours".
    """
    sums: dict[str, float] = {}
    for price in prices:
        if price.hours is not None:
            sums[price.unit] = sums.get(price.unit, 0) + price.hours
    words = [f"{hours:,.2f} {unit} {noun}".rstrip() for unit, hours in sums.items()]
    unknown = sum(price.hours is None for price in prices)
    if unknown:
        words.append(f"{unknown} unknown")
    return " + ".join(words) or "0"

"""``provenance.json`` of a published report: what made its numbers, and at what expense."""

import shlex
from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from tsd.reporting.headline import headline
from tsd.reporting.summary import training_commits
from tsd.results.collected import Results, State, Training

FILE = "provenance.json"


class DeviceUse(BaseModel):
    """What was trained on one kind of device.

    ``train_hours`` is the sum of the measured ``train_seconds``, in hours. ``processor_hours`` is
    the same times the processes of each training (one for each GPU) or, on a CPU, its processes and
    threads. ``unmeasured`` counts the trainings whose time nobody wrote down.
    """

    model_config = ConfigDict(extra="forbid")

    device: str
    trainings: int
    unmeasured: int
    train_hours: float
    processor_hours: float

    @classmethod
    def of(cls, device: str, trainings: list[Training]) -> Self:
        """Sum up some trainings on a device."""
        records = [training.train for training in trainings if training.train is not None]
        timed = [(record, record.seconds) for record in records if record.seconds is not None]
        return cls(
            device=device,
            trainings=len(records),
            unmeasured=len(records) - len(timed),
            train_hours=round(sum(seconds for _, seconds in timed) / 3600, 3),
            processor_hours=round(
                sum(
                    seconds * record.processes * (record.threads if device == "cpu" else 1)
                    for record, seconds in timed
                )
                / 3600,
                3,
            ),
        )


def device_uses(results: Results) -> list[DeviceUse]:
    """Sum up the evaluated trainings by the device that they ran on.

    Args:
        results: The content of ``results.json``.
    """
    by_device: dict[str, list[Training]] = {}
    for one in _trained(results):
        if one.train is not None:
            by_device.setdefault(one.train.device, []).append(one)
    return [DeviceUse.of(*item) for item in sorted(by_device.items())]


def _trained(results: Results) -> list[Training]:
    """The evaluated trainings, without those whose weights were taken from a file."""
    return [
        one
        for one in results.trainings()
        if one.state is State.EVALUATED and one.train and one.train.taken_from is None
    ]


class Provenance(BaseModel):
    """The content of ``provenance.json``.

    ``reproduce`` is the command that trains the same runs, ``published_by`` the command that wrote
    the report. ``commits`` has the trainings by the commit that they ran at, ``versions`` by the
    software, ``machines`` by the machine. ``not_trained`` counts those with weights from a file.
    """

    model_config = ConfigDict(extra="forbid")

    grid: str
    headline: str
    reproduce: str
    published_by: str
    collected: str
    collected_at: str | None
    evaluated: int
    devices: list[DeviceUse]
    not_trained: int
    commits: dict[str, int]
    machines: dict[str, int]
    versions: dict[str, int]

    @classmethod
    def of(cls, results: Results, published_by: str) -> Self:
        """Tell the provenance of collected results.

        Args:
            results: The content of ``results.json``.
            published_by: The command that publishes them.
        """
        evaluated = [one for one in results.trainings() if one.state is State.EVALUATED]
        trained = _trained(results)
        records = [one.train for one in trained if one.train is not None]
        return cls(
            grid=results.name,
            headline=headline(results),
            reproduce=reproduce_command(results),
            published_by=published_by,
            collected=results.generated,
            collected_at=results.commit and results.commit + "+dirty" * results.dirty,
            evaluated=len(evaluated),
            devices=device_uses(results),
            not_trained=len(evaluated) - len(trained),
            commits=dict(training_commits(results)),
            machines=_counts(record.machine for record in records),
            versions=_counts(
                ", ".join(f"{name} {version}" for name, version in record.versions.items())
                for record in records
            ),
        )


def _counts(names: Any) -> dict[str, int]:
    return dict(Counter(names).most_common())


def reproduce_command(results: Results) -> str:
    """The command that trains what was evaluated, and reports all of it.

    It has a part for the runs of each number of seeds, and where there are several, one that writes
    their common report.

    Args:
        results: The content of ``results.json``.
    """
    by_seeds: dict[int, list[str]] = {}
    for name, run in results.runs.items():
        if run.evaluated:
            by_seeds.setdefault(run.evaluated, []).append(name)
    parts = []
    for seeds, names in sorted(by_seeds.items()):
        settings = _settings(results, names, seeds)
        words = [f"{key}={value}" for key, value in settings.items()]
        parts.append(" ".join(["make reproduce", *words]))
    if len(parts) > 1:
        everything = [name for names in by_seeds.values() for name in names]
        options = _settings(results, everything, max(by_seeds))
        words = [f"--{key.lower()} {value}" for key, value in options.items()]
        parts.append(" ".join(["python -m tsd report", *words]))
    return " && ".join(parts) or f"make reproduce SCALE={results.scale.id}"


def _settings(results: Results, runs: Sequence[str], seeds: int) -> dict[str, str]:
    """What a command is given, for some runs with so many seeds."""
    options = {name.upper(): shlex.quote(value) for name, value in results.options.items()}
    return {**(options or _names(results)), "ONLY": ",".join(runs), "SEEDS": str(seeds)}


def _names(results: Results) -> dict[str, str]:
    """By what the grid can be opened whose options were not collected, as far as that is known."""
    own = results.grid_name == results.scale.id
    names = {
        "SCALE": results.scale.id,
        "DATASET": None if own else results.dataset.id,
        "PROTOCOL": results.protocol,
    }
    return {name: value for name, value in names.items() if value is not None}

"""The JSON files in which the steps of a training leave what they measured, and how they are read.

Each step writes one record. :func:`read_records` reads them all, and ``Records.metrics`` is the one
mapping from a metric's id to its value: MLflow, the report and ``make status`` read that mapping,
so that no number can reach one of them and miss another.
"""

import csv
import io
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tsd.experiments.metrics import EVALUATION_VERSION, METRICS
from tsd.results.possible_values import Amount, Count, Metrics, Percentages, PossibleMetrics
from tsd.run_folder import RunFolder, write_json


class RecordError(ValueError):
    """A record's file cannot be used; the message names the file, what is wrong and a remedy."""


class Record(BaseModel):
    """Base of all records. Keys of other versions of this project are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read a record; None where there is no such file.

        Raises:
            RecordError: The file cannot be opened, is not JSON, lacks a key, or has a value that
                the key cannot have.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RecordError(f"{path}: cannot be read: {error.strerror}") from None
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or "the whole"
            said = first["msg"].removeprefix("Value error, ")
            raise RecordError(f"{path}: key {key}: {said}; {cls.remedy(path)}") from None

    @classmethod
    def remedy(cls, path: Path) -> str:
        """Say what to do about a malformed file."""
        return "delete the file to have it made anew"

    def write(self, path: Path) -> None:
        """Write the record so that a reader sees the old one or the new one, never half of it."""
        write_json(path, self.model_dump(mode="json"))


class TakenWeights(Record):
    """Where weights come from that were not trained here."""

    file: str = Field(description="name of the file that was given")
    sha256: str = Field(description="sum of the authors' file")
    detector: str = Field(description="what kind of detector the file says it is")
    says: dict[str, str] = Field(description="what the file says of itself: epoch, version")

    def __str__(self) -> str:
        said = "".join(f", {name} {value}" for name, value in self.says.items())
        return f"{self.file} (SHA-256 {self.sha256[:10]}…{said})"


class TrainRecord(Record):
    """``train.json``: a finished training, and what is needed to repeat it.

    Where the weights were not trained here, ``taken_from`` says where they are from, and there were
    no iterations.

    ``seconds`` (of all attempts), ``throughput``, ``peak_memory_mib`` and ``weights_sha256`` are
    None in the files of trainings that ended before these were written down, and so is
    ``classes`` (:mod:`tsd.experiments.label_order`).
    """

    key: str
    run: str
    digest: str
    seed: Count
    iterations: Count
    attempts: Count
    seconds_last_attempt: Amount
    seconds: Amount | None = None
    throughput: Amount | None = Field(None, description="images a second in the last attempt")
    peak_memory_mib: Amount | None = None
    parameters: Count = Field(description="of the network that inference uses")
    model_version: int
    commit: str | None
    dirty: bool | None
    versions: dict[str, str]
    machine: str
    device: str
    threads: Count
    processes: Count = 1
    batch: Count | None = None
    weights_sha256: str | None = Field(None, description="sum of the file of weights")
    classes: list[str] | None = Field(None, description="in the order of the network's labels")
    taken_from: TakenWeights | None = None

    @property
    def metrics(self) -> Metrics:
        """What a training measures; what its file does not have is left out."""
        measured: Metrics = {
            "params": self.parameters / 1e6,
            "train_seconds": self.seconds,
            "throughput": self.throughput,
            "peak_memory": self.peak_memory_mib,
        }
        return {name: value for name, value in measured.items() if value is not None}


class DetectRecord(Record):
    """``detect.json``: an inference on the val split; ``classes`` as in :class:`TrainRecord`."""

    key: str
    images: Count
    detections: Count
    seconds_per_image: Amount
    device: str
    classes: list[str] | None = None


class EvaluationRecord(Record):
    """``metrics.json``: what the detections are worth.

    ``version`` is that of the evaluation's meaning. A file without one is older than all versions.
    """

    key: str
    version: int = 0
    metrics: PossibleMetrics
    per_class: Percentages

    @property
    def is_current(self) -> bool:
        """Whether today's evaluation would give the same values to the same metrics."""
        return self.version == EVALUATION_VERSION

    def per_class_csv(self) -> str:
        """Write AP of each class as a CSV file with a line for each; an empty field is no AP."""
        lines = io.StringIO()
        csv.writer(lines, lineterminator="\n").writerows([("class", "AP"), *self.per_class.items()])
        return lines.getvalue()


class Milestone(Record):
    """What the network was worth after some iterations of its training.

    ``learning_rate`` is that of these iterations over the highest of the whole training, 1 at most;
    None where the events do not tell. Where it is far from its end, the network is not annealed
    yet, and a training that had ended there would have come out better.
    """

    iteration: Count
    learning_rate: Amount | None
    metrics: PossibleMetrics


class MilestonesRecord(Record):
    """``milestones.json``: what the networks on the way of a training are worth, in their order.

    ``version`` is that of the evaluation's meaning, as in :class:`EvaluationRecord`. ``iterations``
    is the length of the training. ``missing`` says what was not measured and why, None where
    nothing is missing.
    """

    key: str
    version: int
    iterations: Count
    milestones: list[Milestone]
    missing: str | None

    @property
    def is_current(self) -> bool:
        """Whether today's evaluation would give the same values to the same metrics."""
        return self.version == EVALUATION_VERSION


class LatencyRecord(Record):
    """``latency.json``: the time of one image through the trained network, and on what."""

    key: str
    median_ms: Amount
    p10_ms: Amount
    p90_ms: Amount
    calls: Count
    images: Count
    device: str
    threads: Count

    @property
    def metrics(self) -> Metrics:
        """The runtime is the median."""
        return {"runtime": self.median_ms}


class CardRecord(Record):
    """``card.json``, as far as it is read again: whose it is, and what its process knew."""

    key: str
    tags: dict[str, Any] = {}

    @classmethod
    def remedy(cls, path: Path) -> str:
        """Say what to do: only the process that trains knows all that stands there."""
        return "delete the file to have it made anew without what only the training knew"


class TrackingRecord(Record):
    """``tracking.json``: where the training is in MLflow, or the error that kept it out."""

    uri: str | None = None
    experiment_id: str | None = None
    run_id: str | None = None
    error: str | None = None


class SummariesRecord(Record):
    """Where the runs over their seeds are in MLflow, or the error that kept them out.

    ``runs`` has the id of MLflow's entry by the id of the run.
    """

    uri: str | None = None
    runs: dict[str, str] = {}
    error: str | None = None


class Records(Record):
    """All records of one training. A step that has not ended has none."""

    train: TrainRecord | None
    detect: DetectRecord | None
    evaluation: EvaluationRecord | None
    milestones: MilestonesRecord | None
    latency: LatencyRecord | None
    tracking: TrackingRecord | None

    @property
    def metrics(self) -> Metrics:
        """Every measured value of the training by the id of its metric."""
        measured: Metrics = {}
        for record in (self.train, self.evaluation, self.latency):
            if record is not None:
                measured |= record.metrics
        return measured

    @property
    def on_the_way(self) -> dict[int, Metrics]:
        """What the network was worth after some iterations, and at the end of its training.

        The details are left out (:class:`tsd.experiments.metrics.Metric`). It is empty where
        nothing was measured before the end.
        """
        if self.milestones is None or not self.milestones.milestones:
            return {}
        curve = {one.iteration: one.metrics for one in self.milestones.milestones}
        if self.evaluation is not None:
            curve[self.milestones.iterations] = self.evaluation.metrics
        shown = {name for name, metric in METRICS.items() if not metric.detail}
        return {
            iteration: {name: value for name, value in metrics.items() if name in shown}
            for iteration, metrics in curve.items()
        }


def read_records(folder: RunFolder) -> Records:
    """Read what the steps of a training have measured so far.

    An evaluation whose values had another meaning counts as not made. Snakemake deletes
    ``train.json`` before it runs its rule again, and in the meantime ``trained.json`` says the same
    (:mod:`tsd.training.finished`).

    Raises:
        RecordError: A file is malformed.
    """
    evaluation = EvaluationRecord.read(folder.metrics)
    milestones = MilestonesRecord.read(folder.milestones)
    return Records(
        train=TrainRecord.read(folder.train) or TrainRecord.read(folder.trained),
        detect=DetectRecord.read(folder.detect),
        evaluation=evaluation if evaluation and evaluation.is_current else None,
        milestones=milestones if milestones and milestones.is_current else None,
        latency=LatencyRecord.read(folder.latency),
        tracking=TrackingRecord.read(folder.tracking),
    )

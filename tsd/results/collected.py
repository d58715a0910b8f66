"""``results.json``: everything that a report shows, in one typed file.

Collecting writes it, reporting reads it, and both share these classes. Declarations stand in it as
they were when it was collected, so that a report can be written anew where the declarations, the
trainings and the data are not at hand.
"""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError

from tsd.experiments.claims_schema import Claim
from tsd.experiments.dataset_schema import Dataset
from tsd.experiments.declaration import Differences
from tsd.experiments.golden import Golden
from tsd.experiments.inconsistencies import Inconsistency
from tsd.experiments.metrics import Metric
from tsd.experiments.protocol_schema import Decision
from tsd.experiments.schema import Figure, Source, Table
from tsd.results.data_check import DataCheck
from tsd.results.image_noise import ImageNoise
from tsd.results.possible_values import Metrics
from tsd.results.records import (
    DetectRecord,
    LatencyRecord,
    MilestonesRecord,
    TrackingRecord,
    TrainRecord,
)
from tsd.run_folder import write_text

Declared = TypeVar("Declared", Table, Figure)


NoiseKey = tuple[str, str, str | None, tuple[str, ...], tuple[str, ...]]
"""What tells the comparisons apart whose noise is collected."""

RESULTS_VERSION: Literal[3] = 3
"""Raised when the content of ``results.json`` changes in a way that its readers notice."""


class ResultsError(ValueError):
    """A file of collected results cannot be used; the message says which command makes it anew."""


class State(StrEnum):
    """How far a training, or the value of a cell, has come."""

    EVALUATED = "evaluated"
    REFUSED = "refused"
    PARTIAL = "partial"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    RUNNING = "running"
    TRAINED = "trained"
    NOT_RUN = "not run"
    MISSING = "missing"
    NOT_MEASURED = "not measured"
    NOT_DECLARED = "not declared"
    NOT_ON_THESE_DATA = "not on this data"
    NOT_AT_SCALE = "not at this scale"
    NOT_UNDER_PROTOCOL = "under another protocol"
    NOT_POSSIBLE = "not possible"
    NOT_COLLECTED = "not collected"


UNFINISHED = (
    State.REFUSED,
    State.FAILED,
    State.INTERRUPTED,
    State.RUNNING,
    State.TRAINED,
    State.NOT_RUN,
)
"""States of a training without results; the one a reader has to know of first comes first."""

EXPLAINED = (State.REFUSED, State.FAILED)
"""States of a training in which its ``error`` tells a reader why there are no results."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Training(_Part):
    """One seed of a run: its state, what was measured of it, and how it was made.

    ``folder`` is None where nobody asked for the run, since the folder's name follows from the
    compiled config.

    ``files`` says which of the files are there that lead from a number back to what made it: what
    the file holds → its path in the folder (:attr:`tsd.run_folder.RunFolder.trail`).

    ``error`` says why the last step failed, or, of a training that is refused, which of its files
    cannot be believed, and what to do.

    ``iteration`` and ``max_iterations`` say how far it came, ``seconds_left`` how long it may take
    while it runs. ``scheduler_job`` is the id of its SLURM job. ``metrics`` is empty until the
    training is evaluated.
    """

    state: State
    folder: str | None = None
    files: dict[str, str] = {}
    error: str | None = None
    iteration: int | None = None
    max_iterations: int | None = None
    seconds_left: float | None = None
    scheduler_job: str | None = None
    metrics: Metrics = {}
    per_class: dict[str, float | None] = {}
    train: TrainRecord | None = None
    detect: DetectRecord | None = None
    milestones: MilestonesRecord | None = None
    latency: LatencyRecord | None = None
    tracking: TrackingRecord | None = None


class CollectedDeviation(_Part):
    """A question that a run answers otherwise than a protocol: its id and both answers."""

    decision: str
    here: str
    there: str


class CollectedProtocol(_Part):
    """What a reader has to know of a protocol.

    ``is_reference`` says that runs are compared with it.
    """

    title: str
    note: str
    is_reference: bool


class CollectedRun(_Part):
    """A declared run with its trainings by seed.

    A run without trainings is one that the scale does not have, or one that cannot be made from
    what is declared; then ``mistake`` says why. ``digest`` and ``network`` are None for those, and
    for a run that nobody asked for.

    ``network`` names the network that is trained, which at a small scale is another one than the
    paper's. ``dataset`` is the id of the data set that it is trained on. ``papers_data`` is what
    texts call the data set of the paper's numbers for the run. ``is_about_these_data`` is false
    where the run names a data set, and another one stands in for it. ``is_comparable`` says whether
    its numbers may be set against the paper's. ``protocol`` is the id of the protocol that it
    follows, None where it is trained as its base says. ``deviations`` has, by the id of a protocol,
    in what the run differs from it; nothing for runs that nobody asked for.
    """

    why: str
    base: str
    base_file: str
    backbone: str | None
    protocol: str | None
    deviations: dict[str, list[CollectedDeviation]] = {}
    network: str | None
    dataset: str
    papers_data: str | None
    is_about_these_data: bool
    is_on_papers_data: bool
    is_comparable: bool
    set: Differences
    tables: list[str]
    digest: str | None
    at_scale: bool
    mistake: str | None = None
    seeds: dict[int, Training]

    @property
    def is_shown(self) -> bool:
        """Whether its trainings fill rows and decide claims."""
        return self.at_scale and self.is_about_these_data and self.mistake is None

    @property
    def evaluated(self) -> int:
        """Number of its trainings that are evaluated."""
        return sum(training.state is State.EVALUATED for training in self.seeds.values())


class CollectedData(_Part):
    """A data set that runs are trained on, and what its check found; None before the check.

    ``sums`` has the SHA-256 sums of the files that tell one content of the data set from another:
    name of the file in the data set's format → sum. Files that are not there are left out.
    """

    dataset: Dataset
    check: DataCheck | None
    sums: dict[str, str] = {}


class CollectedScale(_Part):
    """What a reader has to know of the scale.

    ``comparable`` is what the scale's declaration says. ``is_paper`` says whether numbers may be
    compared with the paper's: the scale is comparable, and the data set is its own.
    """

    id: str
    title: str
    note: str
    comparable: bool
    is_paper: bool


class CollectedSelection(_Part):
    """What a report is about, where not all that is declared was asked for.

    ``asked`` are the ids of the tables, figures and runs that were asked for, by the user or by the
    scale. ``runs`` are those behind them, and also those that have results where the user has named
    nothing. ``left_out`` are the other runs of the scale: a report says how many they are and shows
    nothing of them. ``absent`` says why those of ``runs`` cannot be made that do not exist at the
    scale though the user or the scale asks for them.
    """

    asked: list[str]
    runs: list[str]
    left_out: list[str]
    absent: dict[str, str] = {}


class CollectedLooks(_Part):
    """The looks at growing results that say how many seeds each run has.

    They are about ``runs``. ``seeds`` has the number of seeds at each look, ``errors`` the error
    that its intervals may make. ``taken`` of the looks are over, the trainings after the first one
    took ``hours``, and ``end`` says why no other follows; it is None while one does.
    ``budget_hours`` is None where there is no budget.
    """

    runs: list[str]
    seeds: list[int]
    errors: list[float]
    taken: int
    hours: float
    budget_hours: float | None
    end: str | None


class CollectedLength(_Part):
    """The results at a length of the trainings: of the grid's own scale, or of a variant of it.

    ``grid`` is the name of the grid whose results these are. ``ratio`` says how many times as long
    its trainings are as those of the scale that is reported. ``trainings`` is their length in
    words, such as "3,300 iterations". ``runs`` has the metrics of the evaluated seeds of each run;
    a run without any is not in it.
    """

    scale: str
    grid: str
    ratio: float
    trainings: str
    runs: dict[str, dict[int, Metrics]]


class Results(_Part):
    """The content of ``results.json``; ``name`` is that of the grid.

    ``version`` is ``RESULTS_VERSION`` of the project that wrote it. ``protocol`` is the id of
    the protocol of all runs that name none, None for what the bases say. ``dataset`` is the data
    set of the grid, and ``data`` are those of all runs, by their ids. ``looks`` is None where the
    number of seeds is fixed. ``golden`` are the values that its runs are expected to measure, None
    where nobody has written any down. ``lengths`` has the results of the scale and of its variants
    with longer or shorter trainings, the shortest first; it is empty where there are no variants.
    ``image_noise`` says of the compared numbers how much they hang on the images of the val split.
    ``selection`` is None where all that is declared was asked for. ``options`` are the settings
    that the grid was opened with, as they were typed, less its seeds and what of it was asked for:
    name → value; a file of a scale or of a data set stands there as its path.
    """

    version: Literal[3]
    name: str
    generated: str
    commit: str | None
    dirty: bool
    scale: CollectedScale
    protocol: str | None
    protocols: dict[str, CollectedProtocol]
    decisions: dict[str, Decision]
    sources: dict[str, Source]
    dataset: Dataset
    data: dict[str, CollectedData]
    metrics: dict[str, Metric]
    tables: list[Table]
    figures: list[Figure]
    claims: list[Claim]
    inconsistencies: list[Inconsistency]
    runs: dict[str, CollectedRun]
    looks: CollectedLooks | None = None
    golden: Golden | None = None
    lengths: list[CollectedLength] = []
    image_noise: list[ImageNoise] = []
    selection: CollectedSelection | None = None
    options: dict[str, str] = {}
    _noise_index: tuple[list[ImageNoise], int, dict[NoiseKey, ImageNoise]] | None = PrivateAttr(
        None
    )

    def noise_of(self, key: NoiseKey) -> ImageNoise | None:
        """Return the noise of a comparison, found without a search through all of them.

        Args:
            key: Its run, operator, baseline, metrics and the metrics that are taken off.

        Returns:
            None where none is collected for it.
        """
        index = self._noise_index
        if index is None or index[0] is not self.image_noise or index[1] != len(index[0]):
            by_key = {
                (one.run, one.operator, one.baseline, one.metrics, one.less): one
                for one in reversed(self.image_noise)
            }
            index = self._noise_index = (self.image_noise, len(self.image_noise), by_key)
        return index[2].get(key)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read collected results.

        Raises:
            ResultsError: The file is of another version of this project, or malformed.
        """
        content = path.read_bytes()
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            remedy = (
                "to have it made anew, delete it and start `snakemake` again, or write a report of "
                "what there is with `python -m tsd report`"
            )
            mistakes = {mistake["loc"]: mistake for mistake in error.errors()}
            of_version = mistakes.get(("version",))
            if of_version is not None:
                has = (
                    "no version"
                    if of_version["type"] == "missing"
                    else (f"version {of_version['input']!r}")
                )
                raise ResultsError(
                    f"{path}: has {has}, this project reads version {RESULTS_VERSION}; {remedy}"
                ) from None
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or "the whole"
            raise ResultsError(f"{path}: key {key}: {first['msg']}; {remedy}") from None

    def write(self, path: Path) -> None:
        """Write the results so that a reader sees the old file or the new one."""
        write_text(path, self.model_dump_json(indent=1) + "\n")

    @property
    def grid_name(self) -> str:
        """Name of the results' folder: that of the report, less the protocol that it may name."""
        return self.name.removesuffix(f"-{self.protocol}")

    def trainings(self) -> Iterator[Training]:
        """Every seed of every run."""
        for run in self.runs.values():
            yield from run.seeds.values()

    def table(self, name: str) -> Table:
        """The table of that id.

        Raises:
            KeyError: There is no such table; the message names those there are.
        """
        return _named(self.tables, name, "table")

    def figure(self, name: str) -> Figure:
        """The figure of that id.

        Raises:
            KeyError: There is no such figure; the message names those there are.
        """
        return _named(self.figures, name, "figure")


def _named(declared: list[Declared], name: str, noun: str) -> Declared:
    by_id = {one.id: one for one in declared}
    if name not in by_id:
        raise KeyError(f"no {noun} {name!r} among {', '.join(by_id) or 'none'}")
    return by_id[name]

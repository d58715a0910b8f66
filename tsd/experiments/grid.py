"""The grid: which trainings a scale, a data set and the declared runs make."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

from tsd.experiments.absence import reason_of_absence
from tsd.experiments.claims_schema import Claim
from tsd.experiments.data_formats import format_of
from tsd.experiments.dataset_schema import Dataset
from tsd.experiments.figure_kinds import FIGURE_KINDS, extractions
from tsd.experiments.golden import Golden
from tsd.experiments.inconsistencies import Inconsistency
from tsd.experiments.job import Compiled, Job, experiment_of
from tsd.experiments.load import Experiments
from tsd.experiments.look_files import LookFiles
from tsd.experiments.metrics import METRICS, Step
from tsd.experiments.protocol_schema import Protocol
from tsd.experiments.reading import DeclarationError
from tsd.experiments.scale_schema import Scale
from tsd.experiments.schema import Run


@dataclass(frozen=True)
class Grid:
    """All trainings of a scale.

    Args:
        experiments: The declarations.
        claims: Sentences of the paper that its runs decide.
        inconsistencies: Numbers of the paper that disagree.
        protocol: How runs are trained that name no protocol of their own; None for what their bases
            say.
        scale: How big.
        dataset: On what, where a run names no data set of its own.
        stands_in: Whether ``dataset`` replaces also those that runs name.
        only: Ids of the tables, figures and runs that are wanted; None for all.
        is_named: Whether the user has said what is wanted; otherwise the scale says it.
        results: Folder of all results.
        command_line_options: Options that name a job's grid to ``python -m tsd``.
        target_options: The same, and how many seeds were asked for. A job does not know that: it
            would be trained anew for the sake of an option.
        report_options: The same, and which tables, figures and runs were asked for.
        checkpoints: Files of weights by the names that runs have for them.
        seeds_by_need: Whether looks at the results say how many seeds a run has
            (:mod:`tsd.experiments.looks`), in place of the scale.
        golden: What its runs are expected to measure; None where nobody has written it down.
    """

    experiments: Experiments
    claims: tuple[Claim, ...]
    inconsistencies: tuple[Inconsistency, ...]
    protocol: Protocol | None
    scale: Scale
    dataset: Dataset
    stands_in: bool
    only: tuple[str, ...] | None
    results: Path
    command_line_options: tuple[str, ...] = ()
    target_options: tuple[str, ...] = ()
    report_options: tuple[str, ...] = ()
    checkpoints: Mapping[str, Path] = field(default_factory=dict)
    seeds_by_need: bool = False
    golden: Golden | None = None
    is_named: bool = False

    @property
    def name(self) -> str:
        """Of the results' folder: the scale, and the data set if it is not the scale's own."""
        own = self.dataset.id == self.scale.dataset
        return self.scale.id if own else f"{self.scale.id}-{self.dataset.id}"

    @property
    def report_name(self) -> str:
        """Of the report's folder: that of the results, and the protocol if not the scale's own.

        Trainings under several protocols lie side by side, since their digests differ.
        """
        named = self.protocol.id if self.protocol else None
        return self.name if named == self.scale.protocol else f"{self.name}-{named}"

    @property
    def experiment(self) -> str:
        """The MLflow experiment that holds its trainings."""
        return experiment_of(self.name)

    @property
    def is_paper(self) -> bool:
        """Whether its numbers may be compared with the paper's."""
        return self.scale.comparable and self._is(self.dataset, self.scale.dataset)

    @property
    def report_folder(self) -> Path:
        """Where its report lies once all is done."""
        return Path("reports") / self.report_name

    @property
    def published_report_folder(self) -> Path:
        """Where a report of it lies that is kept in the repository, if there is one."""
        return Path("reports") / "published" / self.report_name

    @property
    def unfinished_report_folder(self) -> Path:
        """Where a report of what there is lies, while some runs have failed or are to come.

        Apart from the other: to the workflow a file in its place would be the finished one.
        """
        return Path("reports") / f"{self.report_name}.unfinished"

    def dataset_of(self, run: Run) -> Dataset:
        """The data set that a run is trained on."""
        if self.stands_in or run.dataset is None:
            return self.dataset
        return self.experiments.dataset(run.dataset)

    def protocol_of(self, run: Run) -> Protocol | None:
        """The protocol that a run follows; None for what its base says."""
        if run.protocol is None:
            return self.protocol
        return self.experiments.protocol(run.protocol)

    def is_about_these_data(self, run: Run) -> bool:
        """Whether a run trains on the data set that it names; any does that names none."""
        return run.dataset is None or self._is(self.dataset_of(run), run.dataset)

    def _is(self, dataset: Dataset, name: str) -> bool:
        """Whether a data set is the one of that id, or the same under another."""
        declared = self.experiments.datasets.get(name)
        original = name if declared is None else declared.same_as or name
        return (dataset.same_as or dataset.id) == original

    def dataset_of_paper(self, run: Run) -> Dataset | None:
        """The data set of the paper's numbers for a run; None where no scale is comparable."""
        scales = (self.scale, *self.experiments.scales.values())
        own = next((scale.dataset for scale in scales if scale.comparable), None)
        name = run.dataset or own
        return None if name is None else self.experiments.datasets.get(name)

    def is_on_papers_data(self, run: Run) -> bool:
        """Whether a run trains on the data set of the paper's numbers for it."""
        papers = self.dataset_of_paper(run)
        return papers is not None and self._is(self.dataset_of(run), papers.id)

    @property
    def datasets(self) -> dict[str, Dataset]:
        """The data sets of all trainings, by id."""
        return {job.dataset.id: job.dataset for job in self.jobs}

    def data_check(self, dataset: str) -> Path:
        """The file that says what was found when the data set of that id was checked."""
        return self.results / self.name / "datasets" / f"{dataset}.json"

    @property
    def looks(self) -> LookFiles | None:
        """The looks at what is asked for; None where the number of seeds is fixed.

        Each thing that is asked for has looks of its own, as it has claims of its own.
        """
        if not self.seeds_by_need:
            return None
        asked = "all" if self.only is None else "+".join(sorted(self.only))
        if len(asked) > 40:
            asked = hashlib.sha256(asked.encode()).hexdigest()[:10]
        folder = self.results / self.name / "looks" / f"{self.report_name}-{asked}"
        return LookFiles(folder, tuple(self.scale.looks))

    def asking_for(self, targets: Sequence[str]) -> "Grid":
        """The same grid where only these tables, figures and runs are asked for."""
        options = (*self.target_options, f"--only={','.join(targets)}")
        return replace(self, only=tuple(targets), report_options=options, is_named=True)

    def presentation(self) -> str:
        """A digest of all that a report shows without training for it: texts, published values."""
        shown = {
            "metrics": [asdict(metric) for metric in METRICS.values()],
            "tables": [table.model_dump() for table in self.experiments.tables.values()],
            "figures": [figure.model_dump() for figure in self.experiments.figures.values()],
            "claims": [claim.model_dump() for claim in self.claims],
            "inconsistencies": [entry.model_dump() for entry in self.inconsistencies],
            "runs": {name: run.model_dump() for name, run in self.experiments.runs.items()},
            "backbones": {b: d.model_dump() for b, d in self.experiments.backbones.items()},
            "protocols": {p: d.model_dump() for p, d in self.experiments.protocols.items()},
            "decisions": {d: e.model_dump() for d, e in self.experiments.decisions.items()},
            "sources": {s: e.model_dump() for s, e in self.experiments.sources.items()},
            "scale": self.scale.model_dump(),
            "dataset": self.dataset.model_dump(),
            "golden": self.golden and self.golden.model_dump(),
        }
        canonical = json.dumps(shown, sort_keys=True, default=str)
        return hashlib.sha256(canonical.encode()).hexdigest()[:10]

    @property
    def jobs(self) -> list[Job]:
        """Every run that there is at this scale, with each of its seeds.

        Listing them compiles none. Some may turn out to be impossible (``Job.mistake``).
        """
        runs = self.experiments.runs.values()
        return [job for run in runs if self.has(run) for job in self.jobs_of(run.id)]

    @property
    def found(self) -> list[Job]:
        """The jobs of runs that have results, whether anybody asks for them now or not."""
        return [job for job in self.jobs if (self.results / self.name / job.run.id).is_dir()]

    @property
    def shown(self) -> list[Job]:
        """The jobs of which a report shows how far they are: those wanted, and those found.

        The others are shown as not run, and never compiled.
        """
        return self._in_order([*self.wanted, *self.found])

    @property
    def selected(self) -> list[Job]:
        """The jobs that a status is about: those that the user names, else those shown."""
        return self._in_order(self.wanted) if self.is_named else self.shown

    def _in_order(self, jobs: Iterable[Job]) -> list[Job]:
        """Some of the jobs, each once, in the order of their declaration."""
        chosen = {id(job) for job in jobs}
        return [job for job in self.jobs if id(job) in chosen]

    def has(self, run: Run) -> bool:
        """Whether the scale has something to stand for the run's backbone, and data that it is on.

        A run that takes weights from a file also needs that file.

        On a user's data set nothing is trained for runs that are about another one: they would
        repeat others.
        """
        return self.why_absent(run) is None and self.has_data(run)

    def why_absent(self, run: Run) -> str | None:
        """Why a run does not exist at this scale, whatever the data set; None if it does."""
        return reason_of_absence(run, self.scale, self.checkpoints)

    def has_data(self, run: Run) -> bool:
        """Whether the data set of the grid may stand for the one that the run is about."""
        return self.dataset.id == self.scale.dataset or self.is_about_these_data(run)

    def jobs_of(self, run: str) -> list[Job]:
        """A run with each of its seeds."""
        count = 0 if self.looks is None else self.looks.count(run, self.looks.taken())
        return [self.job(run, seed) for seed in self.seeds_at(run, count)]

    def seeds_at(self, run: str, count: int) -> list[int]:
        """The seeds of a run, of which there are ``count`` where they are chosen by need.

        A run that declares seeds of its own has these, whatever is asked for.
        """
        own = self.experiments.run(run).seeds
        return own or (list(range(count)) if self.seeds_by_need else self.scale.seeds)

    def job(self, run: str, seed: int) -> Job:
        """One training.

        Raises:
            DeclarationError: If there is no such run, or not at this scale.
        """
        if (run, seed) not in self._made:
            self._made[run, seed] = self._job(self.experiments.run(run), seed)
        return self._made[run, seed]

    @cached_property
    def _made(self) -> dict[tuple[str, int], Job]:
        """Jobs made before."""
        return {}

    @cached_property
    def _compiled(self) -> dict[str, Compiled]:
        """Of each run, for all its seeds: there may be thousands of jobs."""
        return {}

    def _job(self, declared: Run, seed: int) -> Job:
        absent = self.why_absent(declared)
        if absent is not None:
            raise DeclarationError(
                f"run {declared.id} cannot be made at scale {self.scale.id}: {absent}"
            )
        backbone = self.experiments.backbones[declared.backbone] if declared.backbone else None
        protocol = self.protocol_of(declared)
        parts = (declared, backbone, protocol, self.scale, self.dataset_of(declared))
        weights = self.checkpoints.get(declared.checkpoint) if declared.checkpoint else None
        compiled = Compiled(*parts, self.results, checkpoint=weights)
        return Job(
            *parts,
            seed,
            self.results,
            self.name,
            self.command_line_options,
            self._compiled.setdefault(declared.id, compiled),
            weights,
        )

    def job_at(self, key: str) -> Job:
        """The training whose folder below ``results`` is ``key``.

        Raises:
            DeclarationError: If no declared run has it, at this scale and as it is declared now.
        """
        _, run, _, seed = key.split("/")
        job = self.job(run, int(seed.removeprefix("seed")))
        if job.key != key:
            raise DeclarationError(f"no declared run has the results folder {self.results / key}")
        return job

    def jobs_for(self, target: str) -> list[Job]:
        """The trainings behind a table, a figure or a run, also those that are impossible.

        A table's include the baselines of its rows. Runs are left out if nothing stands for their
        backbone, or if they are about other data than the user's.
        """
        runs = map(self.experiments.run, self.experiments.runs_for(target))
        return [job for run in runs if self.has(run) for job in self.jobs_of(run.id)]

    def files_behind(self, target: str) -> list[str]:
        """The files that a table, a figure or a run is made from: its trainings' results.

        A table with a runtime needs each training's latency too, a figure that looks into the
        network what was extracted from its runs' first seeds, and one that follows trainings what
        these were worth on their way. Trainings that are impossible have no
        files, so that the others' results are shown without them.
        """
        jobs = possible(self.jobs_for(target))
        files = [
            job.folder.path / name for job in jobs for name in ("metrics.json", "tracking.json")
        ]
        figure = self.experiments.figures.get(target)
        if self._has_runtimes(target):
            files += [path for job in jobs for path in (job.folder.latency, job.folder.retracking)]
        if figure:
            first = [job for job in jobs if job.seed == self.jobs_of(job.run.id)[0].seed]
            if figure.kind in extractions():
                files += [job.folder.extracted(figure.kind) for job in first]
            if FIGURE_KINDS[figure.kind].follows_trainings and self.scale.milestones:
                files += [
                    path
                    for job in first
                    if job.checkpoint is None
                    for path in (job.folder.milestones, job.folder.milestones_tracking)
                ]
        return [str(path) for path in files]

    def _has_runtimes(self, target: str) -> bool:
        """Whether a table, a figure or a run is a table that shows the latency of its runs."""
        table = self.experiments.tables.get(target)
        return table is not None and any(METRICS[m].step is Step.LATENCY for m in table.metrics)

    @property
    def timed_tables(self) -> list[str]:
        """Ids of the tables that are wanted and show the latency of their runs."""
        return [name for name in self.wanted_tables if self._has_runtimes(name)]

    @property
    def wanted_tables(self) -> list[str]:
        """Ids of the tables that are wanted."""
        return [name for name in self.experiments.tables if self.only is None or name in self.only]

    @property
    def wanted_figures(self) -> list[str]:
        """Ids of the figures that are wanted."""
        return [name for name in self.experiments.figures if self.only is None or name in self.only]

    @property
    def wanted_targets(self) -> list[str]:
        """Ids of the tables, figures and runs that are wanted."""
        return self.experiments.targets if self.only is None else list(self.only)

    @property
    def wanted(self) -> list[Job]:
        """The trainings behind all that is wanted, each once, also those that are impossible."""
        jobs = (job for name in self.wanted_targets for job in self.jobs_for(name))
        return list({id(job): job for job in jobs}.values())

    @property
    def wanted_files(self) -> list[str]:
        """The files that the report is made from, each once."""
        files = (file for name in self.wanted_targets for file in self.files_behind(name))
        return list(dict.fromkeys(files))


def possible(jobs: Iterable[Job]) -> list[Job]:
    """Leave out the trainings that cannot be made from what is declared; compiles them all."""
    return [job for job in jobs if job.mistake is None]


def dataset_files(dataset: Dataset) -> list[str]:
    """The files that say that a data set is there and which it is."""
    if dataset.embedded is not None:
        return [str(Path(dataset.root) / "manifest.json")]
    # A file that is missing is for the check to explain, not for the workflow to stumble over.
    return [str(path) for path in format_of(dataset).files.values() if path.is_file()]

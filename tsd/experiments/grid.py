"""The grid: which trainings a scale, a data set and the declared runs make."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mmengine.config import Config

from tsd.experiments.compile import compile_run, digest
from tsd.experiments.load import DeclarationError, Experiments, load_experiments, suggest
from tsd.experiments.schema import Dataset, Run, Scale
from tsd.run_folder import RunFolder


@dataclass(frozen=True)
class Job:
    """One training: a run at a scale, on a data set, with a seed."""

    run: Run
    scale: Scale
    dataset: Dataset
    seed: int
    results: Path
    grid_options: tuple[str, ...] = ()

    @cached_property
    def config(self) -> Config:
        """The compiled config, the seed left out."""
        return compile_run(self.run, self.scale, self.dataset)

    @cached_property
    def digest(self) -> str:
        """Of the compiled config."""
        return digest(self.config)

    @property
    def key(self) -> str:
        """Identity of the training, and its folder below ``results``."""
        grid = grid_name(self.scale, self.dataset)
        return f"{grid}/{self.run.id}/{self.digest}/seed{self.seed}"

    @property
    def folder(self) -> RunFolder:
        """Where it keeps its files."""
        return RunFolder(self.results / self.key)

    @property
    def command_line_options(self) -> list[str]:
        """Options that name this job to ``python -m tsd``."""
        return [
            *self.grid_options,
            f"--run={self.run.id}",
            f"--seed={self.seed}",
            f"--digest={self.digest}",
        ]


@dataclass(frozen=True)
class Grid:
    """All trainings of a scale on a data set.

    Args:
        experiments: The declarations.
        scale: How big.
        dataset: On what.
        results: Folder of all results.
        command_line_options: Options that name this grid to ``python -m tsd``.
    """

    experiments: Experiments
    scale: Scale
    dataset: Dataset
    results: Path
    command_line_options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of the results' and the report's folder."""
        return grid_name(self.scale, self.dataset)

    @property
    def report_folder(self) -> Path:
        """Where its report lies once all is done."""
        return Path("reports") / self.name

    @property
    def unfinished_report_folder(self) -> Path:
        """Where a report of what there is lies, while some runs have failed or are to come.

        Apart from the other: to the workflow a file in its place would be the finished one.
        """
        return Path("reports") / f"{self.name}.unfinished"

    def dataset_files(self) -> list[str]:
        """The files that say that the data set is there and which it is."""
        root = Path(self.dataset.root)
        if self.dataset.embedded is not None:
            return [str(root / "manifest.json")]
        splits = (self.dataset.train, self.dataset.val)
        # A file that is missing is for the check to explain, not for the workflow to stumble over.
        return [str(p) for split in splits if (p := root / split.annotations).is_file()]

    def presentation(self) -> str:
        """A digest of all that a report shows without training for it: texts, published values."""
        shown = {
            "tables": [table.model_dump() for table in self.experiments.tables.values()],
            "runs": {job.key: job.run.model_dump() for job in self.jobs},
            "scale": self.scale.model_dump(),
            "dataset": self.dataset.model_dump(),
        }
        canonical = json.dumps(shown, sort_keys=True, default=str)
        return hashlib.sha256(canonical.encode()).hexdigest()[:10]

    @cached_property
    def jobs(self) -> list[Job]:
        """Every run with each of its seeds."""
        return [job for run in self.experiments.runs.values() for job in self.jobs_of(run.id)]

    def jobs_of(self, run: str) -> list[Job]:
        """A run with each of its seeds."""
        declared = self.experiments.run(run)
        return [self.job(run, seed) for seed in declared.seeds or self.scale.seeds]

    def job(self, run: str, seed: int) -> Job:
        """One training."""
        declared = self.experiments.run(run)
        return Job(
            declared, self.scale, self.dataset, seed, self.results, self.command_line_options
        )

    def jobs_for_table(self, table: str) -> list[Job]:
        """The trainings that fill a table, the baselines of its rows among them."""
        rows = self.experiments.table(table).rows
        names = [name for row in rows for name in (row.run, row.baseline) if name]
        return [job for name in dict.fromkeys(names) for job in self.jobs_of(name)]


SETTINGS = ("scale", "dataset", "experiments")
"""What ``snakemake --config`` takes."""


def open_grid(settings: Mapping[str, Any], results: Path = Path("results")) -> Grid:
    """The grid that a user's settings name.

    Args:
        settings: ``scale``, id of a declared scale or a YAML file, mini by default; ``dataset``,
            likewise, the scale's own by default; ``experiments``, folder of the declarations.
        results: Folder of the results.

    Raises:
        DeclarationError: On a setting or name that does not exist, or a faulty declaration.
    """
    for name in settings:
        if name not in SETTINGS:
            raise DeclarationError(f"unknown setting {name!r}" + suggest(name, SETTINGS))
    folder = str(settings.get("experiments") or "experiments")
    experiments = load_experiments(Path(folder))
    scale = str(settings.get("scale") or "mini")
    chosen = experiments.scale(scale)
    dataset = str(settings.get("dataset") or chosen.dataset)
    options = (f"--experiments={folder}", f"--scale={scale}", f"--dataset={dataset}")
    return Grid(experiments, chosen, experiments.dataset(dataset), results, options)


def grid_name(scale: Scale, dataset: Dataset) -> str:
    """The scale's id, with the data set's where that is not the scale's own."""
    return scale.id if dataset.id == scale.dataset else f"{scale.id}-{dataset.id}"

"""One training of the grid, and what it is compiled to."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mmengine.config import Config

from tsd.experiments.checkpoints import content_sum
from tsd.experiments.compile import backbone_id, compile_run, digest, pretrained_part, use_split
from tsd.experiments.dataset_schema import Dataset
from tsd.experiments.folds import data_of_seed
from tsd.experiments.protocol_schema import Protocol
from tsd.experiments.reading import DeclarationError
from tsd.experiments.scale_schema import Scale
from tsd.experiments.schema import Backbone, Run
from tsd.run_folder import RunFolder


class Compiled:
    """The compiled config of a run; one for all its seeds, which do not change it.

    Args:
        declared: What it is compiled from, as ``compile_run`` takes it.
        checkpoint: The file that the run's weights come from; None where the run is trained. The
            sum of its content is part of the config, so that another file has another digest.
    """

    def __init__(self, *declared: Any, checkpoint: Path | None = None):
        self.declared = declared
        self.checkpoint = checkpoint

    @cached_property
    def config(self) -> Config:
        """The compiled config, the seed left out.

        Raises:
            DeclarationError: The run cannot be compiled, for whatever reason.
        """
        with self._explained():
            config = compile_run(*self.declared)
            if self.checkpoint is not None:
                config.checkpoint_sha256 = content_sum(self.checkpoint)
            return config

    @cached_property
    def digest(self) -> str:
        """Of the compiled config.

        Raises:
            DeclarationError: The run cannot be compiled.
        """
        config = self.config
        with self._explained():
            return digest(config)

    @cached_property
    def mistake(self) -> str | None:
        """Why the run cannot be compiled; None if it can."""
        try:
            _ = self.digest
        except DeclarationError as error:
            return str(error)
        return None

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn whatever mmengine or a value raises that no check foresaw into a mistake of the run.

        One run's declaration is never in the way of others, so that every error has to be one that
        those who ask for many runs expect.
        """
        try:
            yield
        except DeclarationError:
            raise
        except Exception as error:
            run = self.declared[0]
            raise DeclarationError(
                f"{run.origin}: base {run.base!r} and the settings for it do not make a config: "
                f"{type(error).__name__}: {error}"
            ) from error


@dataclass(frozen=True)
class Job:
    """One training: a run at a scale, on a data set, with a seed."""

    run: Run
    backbone: Backbone | None
    protocol: Protocol | None
    scale: Scale
    dataset: Dataset
    seed: int
    results: Path
    grid_name: str
    grid_options: tuple[str, ...] = ()
    shared: Compiled | None = field(default=None, compare=False, repr=False)
    """What its run's other seeds are compiled to."""
    checkpoint: Path | None = None
    """The file that its weights come from; None where it is trained."""

    @cached_property
    def compiled(self) -> Compiled:
        """The config and its digest; of its own where it differs from the run's other seeds."""
        declared = (
            self.run,
            self.backbone,
            self.protocol,
            self.scale,
            self.dataset,
            self.results,
        )
        shared = self.shared
        if shared is not None and (shared.declared, shared.checkpoint) == (
            declared,
            self.checkpoint,
        ):
            return shared
        return Compiled(*declared, checkpoint=self.checkpoint)

    @cached_property
    def config(self) -> Config:
        """The compiled config, the seed left out but for the fold that it stands for."""
        config = self.compiled.config
        if self.dataset.folds is None:
            return config
        content = config.to_dict()
        for loader, split in (("train", self.data.train), ("test", self.data.val)):
            use_split(content[f"{loader}_dataloader"]["dataset"], self.data, split)
        return Config(content, format_python_code=False)

    @property
    def data(self) -> Dataset:
        """The data set with the splits that this seed trains on and is tested on."""
        checks = self.results / self.grid_name / "datasets"
        return data_of_seed(self.dataset, self.seed, checks)

    @property
    def digest(self) -> str:
        """Of the compiled config."""
        return self.compiled.digest

    @property
    def mistake(self) -> str | None:
        """Why the training cannot be made from what is declared; None if it can."""
        return self.compiled.mistake

    @property
    def backbone_id(self) -> str | None:
        """Id of the declared backbone that it has, its own or the scale's; None if neither is."""
        return backbone_id(self.run, self.scale)

    @property
    def starts_from(self) -> str | None:
        """The pretrained weights that its backbone starts from; None if it starts at random."""
        part = pretrained_part(self.config.to_dict()["model"])
        return None if part is None else part.get("checkpoint")

    @property
    def predicts_masks(self) -> bool:
        """Whether the detector has a head for masks beside that for boxes."""
        return "mask_head" in self.config.model.get("roi_head", {})

    @property
    def key(self) -> str:
        """Identity of the training, and its folder below ``results``."""
        return f"{self.grid_name}/{self.run.id}/{self.digest}/seed{self.seed}"

    @property
    def experiment(self) -> str:
        """The MLflow experiment that holds it: one for each grid."""
        return experiment_of(self.grid_name)

    @property
    def submission(self) -> str:
        """What a submission rests on besides the training, which the digest leaves out."""
        split, config = self.dataset.test, self.config.to_dict()
        augmentation = config.get("submission_augmentation")
        return json.dumps([split and split.model_dump(), augmentation], sort_keys=True)

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


def experiment_of(grid_name: str) -> str:
    """Name of the MLflow experiment of a grid."""
    return f"tsd-{grid_name}"

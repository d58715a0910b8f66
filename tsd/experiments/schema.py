"""What a YAML file in ``experiments/`` may say.

Every class is one kind of declaration, every attribute one key. Unknown keys and wrong types are
refused when a file is loaded; names of other declarations are checked once all are loaded
(:mod:`tsd.experiments.load`).
"""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, StringConstraints

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
"""Lower-case name: part of paths, target names and MLflow tags, never parsed for its meaning."""

Seed = Annotated[int, Field(ge=0)]

Differences = dict[str, Any]
"""Dotted path of an existing setting in the compiled config → the value that replaces it."""


class Declaration(BaseModel):
    """Base of all declarations: immutable, strict about keys and types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    _origin: str = PrivateAttr("")

    @property
    def origin(self) -> str:
        """File, and name within it, that errors refer to."""
        return self._origin

    def with_origin(self, origin: str) -> Self:
        """The same declaration, knowing where it was read."""
        self._origin = origin
        return self


class Run(Declaration):
    """A model that is trained once for each scale, data set and seed."""

    id: Identifier
    base: Annotated[str, Field(description="a config in tsd/configs, without .py")]
    why: Annotated[str, Field(description="what the run is for, in a sentence")]
    set: Annotated[Differences, Field(description="differences from the base")] = {}
    seeds: Annotated[
        list[Seed] | None, Field(min_length=1, description="instead of the scale's")
    ] = None


class Row(Declaration):
    """A table row: the run that fills it and what the paper printed."""

    label: str
    run: Annotated[
        Identifier | None, Field(description="run id; absent: published values only")
    ] = None
    baseline: Annotated[
        Identifier | None, Field(description="run id that the row's gain is counted from")
    ] = None
    attributes: Annotated[dict[str, str], Field(description="the table's descriptive cells")] = {}
    published: Annotated[
        dict[str, float | None], Field(description="metric → the paper's value; null: none")
    ] = {}
    note: str | None = None


class Table(Declaration):
    """One of the paper's tables, or one of your own."""

    id: Identifier
    title: str
    source: Annotated[str, Field(description="where in the paper")]
    attributes: Annotated[list[str], Field(description="heads of the descriptive columns")] = []
    metrics: Annotated[list[str], Field(min_length=1, description="heads of the measured columns")]
    rows: Annotated[list[Row], Field(min_length=1)]
    note: str | None = None


class Resources(Declaration):
    """What one training or inference job asks for."""

    threads: Annotated[int, Field(ge=1)] = 1
    mem_mb: Annotated[int, Field(ge=1)] = 4000
    runtime: Annotated[int, Field(ge=1, description="minutes")] = 60
    gpus: Annotated[int, Field(ge=0)] = 0


class Scale(Declaration):
    """How big a run is: data set, resolution, schedule, resources."""

    id: Identifier
    title: str
    note: Annotated[str, Field(description="what a reader of its numbers has to know")]
    dataset: Annotated[Identifier, Field(description="data set used unless another is asked for")]
    seeds: Annotated[list[Seed], Field(min_length=1)] = [0]
    resources: Resources = Resources()
    extends: Annotated[
        Identifier | None, Field(description="scale that gives what is not said here")
    ] = None
    set: Annotated[Differences, Field(description="applied before the run's differences")] = {}


class Split(Declaration):
    """One split of a data set, paths relative to its root."""

    annotations: str
    images: str


class Embedded(Declaration):
    """Parameters of the data set that is made rather than found."""

    seed: int = 0
    train_images: Annotated[int, Field(ge=1)] = 1200
    val_images: Annotated[int, Field(ge=1)] = 200
    size: Annotated[int, Field(ge=32, description="image side in pixels")] = 160


class Dataset(Declaration):
    """A COCO-format data set."""

    id: Identifier
    title: str
    licence: str
    root: Annotated[str, Field(description="folder; relative to where the workflow runs")]
    train: Split
    val: Split
    classes: Annotated[list[str], Field(min_length=1, description="category names, in order")]
    embedded: Annotated[
        Embedded | None, Field(description="set: the workflow makes the data under root")
    ] = None
    set: Annotated[Differences, Field(description="applied after the scale's differences")] = {}

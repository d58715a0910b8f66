"""What a YAML file in ``experiments/`` may say.

Every class is one kind of declaration, every attribute one key. Unknown keys and wrong types are
refused when a file is loaded; names of other declarations are checked once all are loaded
(:mod:`tsd.experiments.load`).
"""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, StringConstraints

from tsd.experiments.metrics import MAIN

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
    base: Annotated[
        str,
        Field(description="a config in tsd/configs, or mmdet's as mmdet::family/name; without .py"),
    ]
    why: Annotated[str, Field(description="what the run is for, in a sentence")]
    backbone: Annotated[
        Identifier | None, Field(description="declared backbone; absent: the base's own")
    ] = None
    dataset: Annotated[
        Identifier | None, Field(description="instead of the scale's, unless that stands in")
    ] = None
    set: Annotated[Differences, Field(description="differences from the base")] = {}
    seeds: Annotated[
        list[Seed] | None, Field(min_length=1, description="instead of the scale's")
    ] = None


class Backbone(Declaration):
    """A backbone that runs refer to, at its full size."""

    id: Identifier
    title: str
    set: Annotated[Differences, Field(description="differences from the base")] = {}


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
    paper: Annotated[
        bool,
        Field(
            description="Whether the paper prints this table, so that its published values are "
            "the paper's own numbers wherever a run is compared with the paper."
        ),
    ] = False
    attributes: Annotated[list[str], Field(description="heads of the descriptive columns")] = []
    metrics: Annotated[list[str], Field(min_length=1, description="heads of the measured columns")]
    rows: Annotated[list[Row], Field(min_length=1)]
    note: str | None = None


class Series(Declaration):
    """Part of a figure that stands for one run, or for a curve with a run at each of its points."""

    label: str
    run: Annotated[Identifier | None, Field(description="run id; absent: a curve")] = None
    points: Annotated[
        dict[float, Identifier], Field(description="position on the x axis → run id")
    ] = {}
    published: Annotated[
        list[float] | None,
        Field(description="the paper's values, one for each of the figure's metrics"),
    ] = None


class Figure(Declaration):
    """One of the paper's figures, or one of your own."""

    id: Identifier
    title: str
    source: Annotated[str, Field(description="where in the paper")]
    kind: Annotated[
        Identifier,
        Field(description="how it is drawn: a name in tsd/experiments/figure_kinds.py"),
    ]
    metrics: Annotated[
        list[str],
        Field(
            min_length=1,
            description="Metrics that are drawn, in the order in which the series' published "
            "values stand.",
        ),
    ] = [MAIN]
    series: Annotated[list[Series], Field(min_length=1)]
    note: str | None = None

    @property
    def runs(self) -> list[str]:
        """Ids of the runs that it shows, each once, in the order of its series."""
        named = [[s.run] if s.run else [*s.points.values()] for s in self.series]
        return list(dict.fromkeys(run for runs in named for run in runs))


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
    comparable: Annotated[
        bool,
        Field(
            description="Whether its numbers on its own data set may be compared with the paper's. "
            "At other scales only the direction of a gain may be."
        ),
    ] = False
    seeds: Annotated[list[Seed], Field(min_length=1)] = [0]
    resources: Resources = Resources()
    extends: Annotated[
        Identifier | None, Field(description="scale that gives what is not said here")
    ] = None
    stands_in: Annotated[
        bool, Field(description="the data set replaces also those that runs name")
    ] = False
    only: Annotated[
        list[Identifier] | None,
        Field(min_length=1, description="tables, figures and runs made unless asked otherwise"),
    ] = None
    pretrained: Annotated[
        bool, Field(description="false: no weights are at hand, everything starts at random")
    ] = True
    set: Annotated[Differences, Field(description="for every run")] = {}
    bases: Annotated[
        dict[str, Differences], Field(description="pattern of a base's name → for runs with it")
    ] = {}
    backbones: Annotated[
        dict[Identifier, Differences] | None,
        Field(description="backbone → what stands for it; absent: the declared ones in full size"),
    ] = None


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


class OpenImages(Declaration):
    """What a data set in Open Images' format has beside its splits; paths relative to its root."""

    labels: Annotated[str, Field(description="label, name and id of each class")]
    hierarchy: Annotated[str, Field(description="which class is one of which, as a plain array")]
    verified: Annotated[str, Field(description="classes looked for in each image of val")]


class Dataset(Declaration):
    """A data set, in COCO's format unless it says otherwise."""

    id: Identifier
    title: str
    licence: str
    root: Annotated[str, Field(description="folder; relative to where the workflow runs")]
    train: Split
    val: Split
    test: Annotated[
        Split | None, Field(description="images whose annotations only a server has")
    ] = None
    classes: Annotated[list[str], Field(min_length=1, description="category names, in order")]
    embedded: Annotated[
        Embedded | None, Field(description="set: the workflow makes the data under root")
    ] = None
    openimages: Annotated[
        OpenImages | None, Field(description="set: in the Open Images Challenge's format")
    ] = None
    set: Annotated[Differences, Field(description="applied after the scale's differences")] = {}

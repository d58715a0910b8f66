"""What a YAML file in ``experiments/`` may say.

Every class is one kind of declaration, every attribute one key. Unknown keys and wrong types are
refused when a file is loaded; names of other declarations are checked once all are loaded
(:mod:`tsd.experiments.load`).
"""

from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    model_validator,
)

from tsd.experiments.metrics import MAIN

Identifier = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$"), Field(title="name")
]
"""Lower-case name: part of paths, target names and MLflow tags, never parsed for its meaning."""

Seed = Annotated[int, Field(ge=0)]

Differences = Annotated[dict[str, Any], Field(title="settings")]
"""Dotted path of an existing setting in the compiled config → the value that replaces it."""


class Declaration(BaseModel):
    """Base of all declarations: immutable, strict about keys and types.

    The text below each key describes it to the users of the files: ``docs/declarations.md`` and the
    JSON schemas are made from it (:mod:`tsd.experiments.documentation`).
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
    )

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

    id: Annotated[Identifier, Field(examples=["tsd_pc"])]
    """Tables, figures and claims refer to the run by this name, which is also the name of its
    folder of results."""

    base: Annotated[
        str,
        Field(examples=["tsd_faster-rcnn_r50_fpn", "mmdet::retinanet/retinanet_r50_fpn_1x_coco"]),
    ]
    """The run starts from this config: a file in ``tsd/configs/`` without its ``.py``, or one of
    mmdet's as ``mmdet::family/name``."""

    why: Annotated[str, Field(examples=["Does a wider reach of the derived proposals help?"])]
    """This sentence says what the run is for; the report shows it."""

    backbone: Annotated[Identifier | None, Field(examples=["r101-dcn"])] = None
    """This declared backbone replaces the one of the base."""

    dataset: Annotated[Identifier | None, Field(examples=["openimages-challenge"])] = None
    """The run trains on this data set instead of the scale's, unless the scale says
    ``stands_in`` or the user names a data set."""

    set: Annotated[
        Differences, Field(examples=[{"model.roi_head.derived_proposals.gamma": 0.2}])
    ] = {}
    """The run differs from its base in these settings; they are applied last, after those of the
    backbone, the scale and the data set."""

    seeds: Annotated[list[Seed] | None, Field(min_length=1, examples=[[0, 1, 2]])] = None
    """The run is trained once with each of these seeds instead of the scale's."""


class Backbone(Declaration):
    """A backbone that runs refer to, at its full size."""

    id: Annotated[Identifier, Field(examples=["r101"])]
    """Runs and scales refer to the backbone by this name, which is also the name of its file."""

    title: Annotated[str, Field(examples=["ResNet-101"])]
    """The literature calls the backbone by this name."""

    set: Annotated[Differences, Field(examples=[{"model.backbone.depth": 101}])] = {}
    """These settings turn the backbone of a base into this one."""


class Row(Declaration):
    """A table row: the run that fills it and what the paper printed."""

    label: Annotated[str, Field(examples=["TSD w/o PC"])]
    """The row's first cell shows this text."""

    run: Annotated[Identifier | None, Field(examples=["tsd_wo_pc"])] = None
    """The measured values of the row come from this run; without a run the row has published
    values only."""

    baseline: Annotated[Identifier | None, Field(examples=["r50"])] = None
    """The gain of the row is counted from the values of this run."""

    attributes: Annotated[dict[str, str], Field(examples=[{"M_cls": "✓"}])] = {}
    """The row's descriptive cells show these texts; each key is one of the table's
    ``attributes``."""

    published: Annotated[
        dict[str, float | None], Field(examples=[{"AP": 38.2, "AP50": 60.5, "AP75": None}])
    ] = {}
    """The paper prints these values; each key is one of the table's ``metrics``, and ``null``
    says that the paper prints no value."""

    note: Annotated[str | None, Field(examples=["The paper gives no AP.75."])] = None
    """This remark stands below the table, beside the row's label."""


class Table(Declaration):
    """One of the paper's tables, or one of your own."""

    id: Annotated[Identifier, Field(examples=["table1"])]
    """Commands and claims refer to the table by this name, which is also the name of its file."""

    title: Annotated[str, Field(examples=["Disentanglement options"])]
    """This heading stands above the table in the report."""

    source: Annotated[str, Field(examples=["Table 1, Section 3.2"])]
    """This says where the table stands in the paper, or who made it."""

    paper: Annotated[bool, Field(examples=[True])] = False
    """If ``true``, the paper prints this table, and its published values are the paper's own
    numbers wherever a run is compared with the paper."""

    attributes: Annotated[list[str], Field(examples=[["TSD", "M_cls", "M_loc"]])] = []
    """The table has a descriptive column under each of these heads; the ``attributes`` of a row
    fill them."""

    metrics: Annotated[list[str], Field(min_length=1, examples=[["AP", "AP50", "AP75"]])]
    """The table shows these metrics, in this order; ``tsd/experiments/metrics.py`` lists all
    that there are."""

    rows: Annotated[
        list[Row],
        Field(
            min_length=1,
            examples=[[{"label": "ResNet-50", "run": "r50", "published": {"AP": 36.1}}]],
        ),
    ]
    """The table has these rows, from top to bottom."""

    note: Annotated[
        str | None, Field(examples=["All rows train jointly with the sibling head."])
    ] = None
    """This remark stands below the table."""

    def printed(self, run: str, metric: str) -> float | None:
        """Return the published value of a run: that of the first row of the run that has one.

        Args:
            run: Id of the run.
            metric: Id of the metric.

        Returns:
            None where no row has one.
        """
        for row in self.rows:
            value = row.published.get(metric)
            if row.run == run and value is not None:
                return value
        return None


class Series(Declaration):
    """Part of a figure that stands for runs: one, or one for each point of a curve."""

    label: Annotated[str, Field(examples=["TSD w. cls"])]
    """The figure calls the series by this text."""

    run: Annotated[Identifier | None, Field(examples=["tsd_joint"])] = None
    """The series shows this one run; a series with ``points`` leaves it out."""

    points: Annotated[
        dict[float, Identifier], Field(examples=[{0.1: "tsd_pc_cls_01", 0.2: "tsd_pc_cls"}])
    ] = {}
    """The series is a curve through these runs; each key is a position on the x axis, and its
    value is the run that is measured there."""

    published: Annotated[list[float] | None, Field(examples=[[58.1, 53.3, 45, 30.8, 8.1]])] = None
    """The paper shows these values of the series, in the order of the figure's x axis."""


class Figure(Declaration):
    """One of the paper's figures."""

    id: Annotated[Identifier, Field(examples=["figure4"])]
    """Commands refer to the figure by this name, which is also the name of its file."""

    title: Annotated[str, Field(examples=["AP over the margin of the progressive constraint"])]
    """This heading stands above the figure in the report."""

    source: Annotated[str, Field(examples=["Figure 4, Section 3.2"])]
    """This says where the figure stands in the paper."""

    kind: Annotated[
        Literal["iou", "margins", "sensitivity", "proposals"], Field(examples=["margins"])
    ]
    """The kind decides what is drawn: AP over IoU thresholds, AP over margins, maps of how
    sensitive a trained network is, or its proposals and detections."""

    metrics: Annotated[list[str], Field(min_length=1, examples=[["AP50", "AP60", "AP70"]])] = [MAIN]
    """The figure draws these metrics; a series' published values stand in the same order."""

    series: Annotated[
        list[Series], Field(min_length=1, examples=[[{"label": "sibling head", "run": "r50"}]])
    ]
    """The figure shows these series, in this order."""

    note: Annotated[
        str | None, Field(examples=["The paper draws these curves without printing their values."])
    ] = None
    """This remark stands below the figure."""

    def printed(self, run: str, metric: str) -> float | None:
        """Return the published value of a run that has a series of its own.

        Args:
            run: Id of the run.
            metric: Id of one of the figure's metrics.

        Returns:
            None where the figure publishes no value of this metric for the run.
        """
        for series in self.series:
            if series.run == run and series.published is not None:
                return dict(zip(self.metrics, series.published, strict=False)).get(metric)
        return None

    @property
    def runs(self) -> list[str]:
        """Ids of the runs that it shows."""
        named = [[s.run] if s.run else [*s.points.values()] for s in self.series]
        return list(dict.fromkeys(run for runs in named for run in runs))

    @property
    def extract(self) -> bool:
        """Whether it shows what a trained network does, not only its metrics."""
        return self.kind in ("sensitivity", "proposals")


class Resources(Declaration):
    """What one training or inference job asks for."""

    threads: Annotated[int, Field(ge=1, examples=[4])] = 1
    """Each process of a job uses this many CPU threads; a training has one process for each GPU."""

    mem_mb: Annotated[int, Field(ge=1, examples=[16000])] = 4000
    """Each process of a job uses at most this many MB of memory."""

    runtime: Annotated[int, Field(ge=1, examples=[1440])] = 60
    """A job on a cluster takes at most this many minutes; each further attempt may take that
    much longer."""

    gpus: Annotated[int, Field(ge=0, examples=[16])] = 0
    """A training on a cluster uses this many GPUs; without a cluster it uses at most one."""


class SettingsForBases(Declaration):
    """What a scale changes in the runs whose base has a certain name."""

    match: Annotated[str, Field(examples=["*-rcnn_r50_fpn"])]
    """The entry applies to bases whose name fits this pattern, in which ``*`` is any text, even
    none."""

    but_not: Annotated[list[str], Field(examples=[["*cascade-rcnn_r50_fpn"]])] = []
    """The entry does not apply to bases whose name fits one of these patterns."""

    set: Annotated[Differences, Field(examples=[{"model.roi_head.bbox_head.in_channels": 48}])]
    """Runs with such a base differ from it in these settings."""

    @property
    def bases(self) -> tuple[str, ...]:
        """Which bases are meant: ``match``, then the patterns of ``but_not``."""
        return (self.match, *self.but_not)

    def applies_to(self, base: str) -> bool:
        """Whether runs with this base are meant."""
        return fnmatchcase(base, self.match) and not any(
            fnmatchcase(base, pattern) for pattern in self.but_not
        )


class Scale(Declaration):
    """How big a run is: data set, resolution, schedule, resources."""

    id: Annotated[Identifier, Field(examples=["mini"])]
    """Commands refer to the scale by this name, which is also the name of its file and of the
    folder of its results."""

    title: Annotated[str, Field(examples=["minutes a run on two CPU cores"])]
    """These words say how big the scale is; the report shows them."""

    note: Annotated[
        str,
        Field(
            examples=["Its AP is not the paper's; only the direction of a gain may be compared."]
        ),
    ]
    """This text says what a reader of the scale's numbers has to know; the report shows it at
    its top."""

    dataset: Annotated[Identifier, Field(examples=["coco2017"])]
    """Runs train on this data set unless they or the user name another."""

    comparable: Annotated[bool, Field(examples=[True])] = False
    """If ``true``, numbers on the scale's own data set may be compared with the paper's. At other
    scales only the direction of a gain may be. A scale that extends this one has to say it anew."""

    seeds: Annotated[list[Seed], Field(min_length=1, examples=[[0, 1, 2]])] = [0]
    """Each run is trained once with each of these seeds."""

    resources: Annotated[
        Resources, Field(examples=[{"threads": 4, "mem_mb": 16000, "runtime": 1440, "gpus": 16}])
    ] = Resources()
    """Each job asks for these resources."""

    extends: Annotated[Identifier | None, Field(examples=["mini"])] = None
    """Keys that are not given here come from this other scale; ``set``, and entries of ``bases``
    for the same bases, are combined setting by setting, and what is given here wins."""

    stands_in: Annotated[bool, Field(examples=[True])] = False
    """If ``true``, the scale's data set also replaces those that runs name."""

    only: Annotated[
        list[Identifier] | None, Field(min_length=1, examples=[["table2", "figure6", "r50"]])
    ] = None
    """Only these tables, figures and runs are made unless the user asks for others; ``null``
    means all of them."""

    pretrained: Annotated[bool, Field(examples=[False])] = True
    """If ``false``, no pretrained weights are loaded, and every network starts at random."""

    set: Annotated[Differences, Field(examples=[{"auto_scale_lr.enable": True}])] = {}
    """Every run differs from its base in these settings."""

    bases: Annotated[
        list[ForBases],
        Field(
            examples=[
                [{"match": "*-rcnn_r50_fpn", "set": {"model.roi_head.bbox_head.in_channels": 48}}]
            ]
        ),
    ] = []
    """Runs differ in further settings by the name of their base: every entry that applies does
    so, in this order. Where there are entries, a run that none of them applies to is refused."""

    backbones: Annotated[
        dict[Identifier, Differences] | None,
        Field(examples=[{"r101": {"model.backbone.depth": 18}}]),
    ] = None
    """Smaller networks stand for the declared backbones; each key is a backbone, and its value
    holds the settings that make it smaller. Runs whose backbone is missing here are left out.
    ``null`` means all backbones at their full size."""

    @model_validator(mode="after")
    def _describes_no_bases_twice(self) -> Self:
        seen = set()
        for entry in self.bases:
            if entry.bases in seen:
                raise ValueError(
                    f"key bases: there are two entries with match {entry.match!r} and but_not "
                    f"{entry.but_not}; write their settings into one"
                )
            seen.add(entry.bases)
        return self

    def has_settings_for(self, base: str) -> bool:
        """Whether runs with this base can be made: any, unless the scale says what to change."""
        return not self.bases or any(entry.applies_to(base) for entry in self.bases)


class Split(Declaration):
    """One split of a data set; its paths are relative to the data set's root."""

    annotations: Annotated[str, Field(examples=["annotations/instances_train2017.json"])]
    """This file holds the annotations."""

    images: Annotated[str, Field(examples=["train2017/"])]
    """This folder holds the images."""


class Embedded(Declaration):
    """The content of the data set that the workflow makes itself, digits on photographs."""

    seed: Annotated[int, Field(examples=[0])] = 0
    """The random choices of the images follow from this number."""

    train_images: Annotated[int, Field(ge=1, examples=[24])] = 1200
    """The training split has this many images."""

    val_images: Annotated[int, Field(ge=1, examples=[12])] = 200
    """The validation split has this many images."""

    size: Annotated[int, Field(ge=32, examples=[160])] = 160
    """Each image is this many pixels wide and high."""


class OpenImages(Declaration):
    """The files of a data set in Open Images' format beside its splits, relative to its root."""

    labels: Annotated[str, Field(examples=["annotations/cls-label-description.csv"])]
    """This CSV file gives the label, the name and the number of each class."""

    hierarchy: Annotated[str, Field(examples=["annotations/class_label_tree.npy"])]
    """This numpy file says, as a matrix, which class is a kind of which other."""

    verified: Annotated[str, Field(examples=["annotations/validation-image-labels.csv"])]
    """This CSV file says which classes an annotator looked for in each validation image."""


class Dataset(Declaration):
    """A data set, in COCO's format unless it says otherwise."""

    id: Annotated[Identifier, Field(examples=["aquarium"])]
    """Scales, runs and commands refer to the data set by this name, which is also the name of a
    file in ``experiments/datasets/``."""

    title: Annotated[str, Field(examples=["Aquarium, seven classes of sea animals"])]
    """The report calls the data set this."""

    licence: Annotated[str, Field(examples=["CC BY 4.0"])]
    """Annotations and images are under this licence, which the report repeats."""

    root: Annotated[str, Field(examples=["data/aquarium"])]
    """All files of the data set lie in this folder; the path is absolute or relative to the
    folder that the workflow runs in."""

    train: Annotated[
        Split, Field(examples=[{"annotations": "instances_train.json", "images": "train/"}])
    ]
    """Models are trained on this split."""

    val: Annotated[
        Split, Field(examples=[{"annotations": "instances_valid.json", "images": "valid/"}])
    ]
    """Models are evaluated on this split."""

    test: Annotated[
        Split | None,
        Field(examples=[{"annotations": "annotations/test-dev2017.json", "images": "test2017/"}]),
    ] = None
    """Detections on this split can be packed for an evaluation server, which alone has its
    annotations."""

    classes: Annotated[list[str], Field(min_length=1, examples=[["fish", "jellyfish", "penguin"]])]
    """The classes have these names, in the order in which networks number them."""

    embedded: Annotated[
        Embedded | None,
        Field(examples=[{"seed": 0, "train_images": 24, "val_images": 12, "size": 160}]),
    ] = None
    """If given, the workflow makes the data set with this content."""

    openimages: Annotated[
        OpenImages | None,
        Field(examples=[{"labels": "labels.csv", "hierarchy": "tree.npy", "verified": "seen.csv"}]),
    ] = None
    """If given, the data set is in the format of the Open Images Challenge and has these files
    beside its splits."""

    set: Annotated[
        Differences,
        Field(examples=[{"model.backbone.init_cfg.checkpoint": "weights/mobilenet_v2_1.0.pth"}]),
    ] = {}
    """These settings are needed on this data set; they are applied after those of the scale and
    before those of the run."""

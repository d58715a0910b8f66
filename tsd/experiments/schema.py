"""What a YAML file says of a run, a backbone, a table or a figure."""

from typing import Annotated

from pydantic import Field

from tsd.experiments.declaration import Declaration, Differences, Identifier, Seed
from tsd.experiments.figure_kinds import FIGURE_KINDS, kinds_in_words
from tsd.experiments.metrics import MAIN


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
    """The run is about this data set and trains on it instead of the scale's. Where another data
    set stands in for it, because the scale says ``stands_in``, the run fills no row of a table and
    decides no claim. Where the user names another data set, the run is left out."""

    protocol: Annotated[Identifier | None, Field(examples=["released"])] = None
    """The run is about this protocol and follows it whatever the scale or the user name."""

    set: Annotated[
        Differences, Field(examples=[{"model.roi_head.derived_proposals.gamma": 0.2}])
    ] = {}
    """The run differs from its base in these settings; they are applied last, after those of the
    backbone, the protocol, the scale and the data set."""

    seeds: Annotated[list[Seed] | None, Field(min_length=1, examples=[[0, 1, 2]])] = None
    """The run is trained once with each of these seeds instead of the scale's."""

    checkpoint: Annotated[Identifier | None, Field(examples=["released_r50"])] = None
    """If given, the run is not trained. Its weights come from the file that the setting
    ``checkpoint`` gives under this name; without such a file there is no such run."""


class Backbone(Declaration):
    """A backbone that runs refer to, at its full size."""

    id: Annotated[Identifier, Field(examples=["r101"])]
    """Runs and scales refer to the backbone by this name, which is also the name of its file."""

    title: Annotated[str, Field(examples=["ResNet-101"])]
    """The literature calls the backbone by this name."""

    set: Annotated[Differences, Field(examples=[{"model.backbone.depth": 101}])] = {}
    """These settings turn the backbone of a base into this one."""


class Source(Declaration):
    """Somebody other than the paper who published numbers of the same methods."""

    id: Annotated[Identifier, Field(examples=["simpledet"])]
    """Rows of tables refer to the source by this name."""

    title: Annotated[str, Field(examples=["simpledet"])]
    """Reports call the source by this text."""

    where: Annotated[str, Field(examples=["tusen-ai/simpledet, pull request 354"])]
    """This says where its numbers stand."""

    note: Annotated[str, Field(examples=["Another code base, with another schedule."])]
    """This says how its protocol differs from the paper's."""


class Row(Declaration):
    """A table row: the run that fills it and what the paper printed."""

    label: Annotated[str, Field(examples=["TSD w/o PC"])]
    """The row's first cell shows this text."""

    run: Annotated[Identifier | None, Field(examples=["tsd_wo_pc"])] = None
    """The measured values of the row come from this run; without a run the row has published
    values only."""

    baseline: Annotated[Identifier | None, Field(examples=["r50"])] = None
    """The gain of the row is counted from the values of this run."""

    protocol: Annotated[Identifier | None, Field(examples=["released"])] = None
    """The row is about this protocol. It stays empty where its run follows another one, because the
    user has asked for that."""

    attributes: Annotated[dict[str, str], Field(examples=[{"M_cls": "✓"}])] = {}
    """The row's descriptive cells show these texts; each key is one of the table's
    ``attributes``."""

    published: Annotated[
        dict[str, float | None], Field(examples=[{"AP": 38.2, "AP50": 60.5, "AP75": None}])
    ] = {}
    """The paper prints these values; each key is one of the table's ``metrics``, and ``null``
    says that the paper prints no value."""

    elsewhere: Annotated[
        dict[Identifier, dict[str, float]], Field(examples=[{"simpledet": {"AP": 38.9}}])
    ] = {}
    """Others published these values of the same method; each key is one of
    ``experiments/sources.yaml``, and its value holds numbers by metric."""

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

    within: Annotated[float | None, Field(gt=0, examples=[0.2])] = None
    """If given, the report says below the table which measured values lie within this much of the
    published ones, and which do not."""

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
    """Part of a figure that stands for one run, or for a curve with a run at each of its points."""

    label: Annotated[str, Field(examples=["TSD w. cls"])]
    """The figure calls the series by this text."""

    run: Annotated[Identifier | None, Field(examples=["tsd_joint"])] = None
    """The series shows this one run; a series with ``points`` leaves it out."""

    baseline: Annotated[Identifier | None, Field(examples=["r50"])] = None
    """The series shows the gain of its run over this one, in figures of gains."""

    points: Annotated[
        dict[float, Identifier], Field(examples=[{0.1: "tsd_pc_cls_01", 0.2: "tsd_pc_cls"}])
    ] = {}
    """The series is a curve through these runs; each key is a position on the x axis, and its
    value is the run that is measured there."""

    published: Annotated[list[float] | None, Field(examples=[[58.1, 53.3, 45, 30.8, 8.1]])] = None
    """The paper shows these values of the series, one for each of the figure's ``metrics``."""


class Figure(Declaration):
    """One of the paper's figures, or one of your own."""

    id: Annotated[Identifier, Field(examples=["figure4"])]
    """Commands refer to the figure by this name, which is also the name of its file."""

    title: Annotated[str, Field(examples=["AP over the margin of the progressive constraint"])]
    """This heading stands above the figure in the report."""

    source: Annotated[str, Field(examples=["Figure 4, Section 3.2"])]
    """This says where the figure stands in the paper."""

    kind: Annotated[
        str,
        Field(
            description=kinds_in_words(),
            examples=["margins"],
            json_schema_extra={"enum": list(FIGURE_KINDS)},
        ),
    ]

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
        """Ids of the runs that it shows, each once, in the order of its series."""
        named = [[s.run, s.baseline] if s.run else [*s.points.values()] for s in self.series]
        return list(dict.fromkeys(run for runs in named for run in runs if run is not None))

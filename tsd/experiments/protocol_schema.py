"""What YAML files say of a protocol, and of the questions that protocols answer."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from tsd.experiments.base_schema import ForBases
from tsd.experiments.declaration import Declaration, Differences, Identifier
from tsd.experiments.schema import Run


class SettingsOfPart(ForBases):
    """The settings by which a part of a protocol comes about, for runs by their base."""

    dataset: Annotated[Identifier | None, Field(examples=["openimages-challenge"])] = None
    """If given, the entry applies only to runs that are about this data set."""

    backbone: Annotated[Identifier | None, Field(examples=["x101-64x4d-dcn"])] = None
    """If given, the entry applies only to runs that name this backbone."""

    set: Annotated[
        Differences,
        Field(examples=[{"model.roi_head.bbox_head.loss_bbox": {"type": "L1Loss"}}]),
    ]
    """Runs to which the entry applies differ from their base in these settings."""

    def applies_to(self, run: Run) -> bool:
        """Whether a run is meant."""
        return (
            self.is_for(run.base)
            and self.dataset in (None, run.dataset)
            and self.backbone in (None, run.backbone)
        )


class Part(Declaration):
    """How a protocol answers one question."""

    does: Annotated[str, Field(examples=["Smooth L1, quadratic below a residual of 1"])]
    """These words say what the protocol does."""

    source: Annotated[str, Field(examples=["Faster R-CNN [30], Eq. 1"])]
    """This says where it stands that this is so."""

    settings: Annotated[
        list[SettingsOfPart],
        Field(
            min_length=1,
            examples=[
                [
                    {
                        "match": "*-rcnn_r50_fpn",
                        "set": {"model.roi_head.bbox_head.loss_bbox.type": "SmoothL1Loss"},
                    }
                ]
            ],
        ),
    ]
    """Every entry that applies to a run does so, in this order."""


class Protocol(Declaration):
    """How runs are trained and tested, as differences from their bases."""

    id: Annotated[Identifier, Field(examples=["released"])]
    """Commands, scales and runs refer to the protocol by this name, which is also the name of its
    file."""

    title: Annotated[str, Field(examples=["as the authors' released code trains"])]
    """These words say whose protocol it is; the report shows them."""

    note: Annotated[str, Field(examples=["The bases are taken as they are."])]
    """This text says what a reader of the protocol's numbers has to know."""

    reference: Annotated[bool, Field(examples=[True])] = False
    """If ``true``, the report says of each run how it differs from this protocol."""

    extends: Annotated[Identifier | None, Field(examples=["paper"])] = None
    """Parts that are not given here come from this other protocol."""

    parts: Annotated[
        dict[Identifier, Part],
        Field(
            examples=[
                {
                    "proposals": {
                        "does": "2,000",
                        "source": "[30]",
                        "settings": [
                            {
                                "match": "*",
                                "set": {"model.train_cfg.rpn_proposal.max_per_img": 2000},
                            }
                        ],
                    }
                }
            ]
        ),
    ] = {}
    """The protocol differs from the bases in these parts. Each key is the ``id`` of a question in
    ``experiments/decisions.yaml``."""

    def settings_for(self, run: Run) -> Iterator[tuple[str, Differences]]:
        """The settings of a run under the protocol, each with the place where they are declared."""
        for name in self.parts:
            for settings in self.settings_of(name, run):
                yield f"{self.origin}: part {name}", settings

    def settings_of(self, part: str, run: Run) -> list[Differences]:
        """What one part of the protocol sets in a run; nothing if it has no such part.

        Args:
            part: Id of the question that the part answers.
            run: The run.
        """
        declared = self.parts.get(part)
        entries = [] if declared is None else declared.settings
        return [entry.set for entry in entries if entry.applies_to(run)]


class Decision(Declaration):
    """A question that the paper leaves open, or that the released code answers otherwise."""

    id: Annotated[Identifier, Field(examples=["box-loss"])]
    """Parts of protocols refer to the question by this name."""

    question: Annotated[str, Field(examples=["Box loss of the heads"])]
    """These words say what the question is about."""

    paper: Annotated[str, Field(examples=["L_loc is not specified."])]
    """This is what the paper says."""

    code: Annotated[str, Field(examples=["Smooth L1, β = 1 (`faster_rcnn_r50_fpn_TSD_1x.py`)"])]
    """This is what the authors' released code does."""

    here: Annotated[str, Field(examples=["L1, as in mmdet 3"])]
    """This is what the bases do, and with them every protocol without a part for the question."""

    why: Annotated[str | None, Field(examples=["Every row of a table has the same loss."])] = None
    """This says why the bases do so, or what depends on it."""

    setting: Annotated[str | None, Field(examples=["…bbox_head.loss_bbox"])] = None
    """By this setting another answer is chosen; ``null`` where no setting reaches it."""

"""What figures show of a network: ``sensitivity.json``, ``proposals.json``, ``siblings.json``.

Evaluation writes these files and reporting draws them. Boxes are (x1, y1, x2, y2) and points are
(x, y), both in pixels of the original image, with the origin in its upper left corner.
"""

from pydantic import AliasChoices, ConfigDict, Field

from tsd.results.records import Record

Box = tuple[float, float, float, float]
Point = tuple[float, float]


class _Extract(Record):
    """Base of the classes here. The key ``class`` has another name in Python, which reserves it."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)


class TrainingExtract(_Extract):
    """Base of the whole files; ``key`` is that of the training whose network they show."""

    key: str


class LabelledBox(_Extract):
    """An object on an image: its box and the name of its class."""

    class_name: str = Field(validation_alias="class", serialization_alias="class")
    box: Box


class ExampleObject(LabelledBox):
    """An annotated object, together with the image on which a figure shows it.

    ``image`` is the path of the image file, and ``image_id`` its id in the annotation file.
    ``width`` and ``height`` are those that the annotation file gives, in pixels. They are None in
    files that were written before sizes decided how an image is turned.
    """

    image: str
    image_id: int | str
    width: float | None = None
    height: float | None = None


class SensitivityMaps(ExampleObject):
    """How the head's answers depend on where the proposal lies: both maps of one object.

    ``x`` (W values) and ``y`` (H values) are the positions of the proposal's centre. Each map is a
    list of H rows with W values from 0 to 1. ``classification`` holds the score of the object's
    class, and ``localization`` the IoU of the regressed box with the annotated one. ``stride`` is
    that of the pyramid level that the proposal is pooled from, in pixels of the network's input.
    """

    stride: int
    x: list[float]
    y: list[float]
    classification: list[list[float]]
    localization: list[list[float]]


class SensitivityExtract(TrainingExtract):
    """``sensitivity.json``: the maps of a few objects.

    ``margin`` is the room that the positions have around an object's box, on each side, over the
    box's width and height.
    """

    margin: float
    instances: list[SensitivityMaps]


class Proposal(_Extract):
    """A proposal of the RPN, and its IoU with the object that the image was chosen for."""

    box: Box
    iou: float


class DerivedProposals(_Extract):
    """What TSD derives from a proposal P.

    ``cls_points`` are the centres of the k × k bins of P̂_c, row by row. ``reg_box`` is P̂_r; where
    P̂_r is point-wise, it is no box, and ``reg_points`` are the centres of its bins in its stead.
    """

    cls_points: list[Point]
    reg_box: Box | None
    reg_points: list[Point] | None


class Detection(LabelledBox):
    """A detected object with its score."""

    score: float


class ImageProposals(ExampleObject):
    """What a detector proposes and detects on one image.

    ``ground_truth`` are all annotated objects, also the one that the image was chosen for.
    ``proposal`` is None where the RPN proposes nothing, and ``derived`` also where the head derives
    nothing, as a sibling head does.
    """

    ground_truth: list[LabelledBox]
    proposal: Proposal | None
    derived: DerivedProposals | None
    detections: list[Detection]


class ProposalsExtract(TrainingExtract):
    """``proposals.json``: a few images.

    ``resting_offset`` (x, y), in proportion to P, was subtracted from the offsets, because with it
    the network reads a bin around its centre.
    """

    images: list[ImageProposals]
    resting_offset: Point = (0.0, 0.0)


class SiblingBin(_Extract):
    """TSD and its sibling head on proposals whose IoU with an object lies from ``low`` to ``high``.

    ``proposals`` is their number; the means over none are None. Scores are those of the object's
    class, IoUs those of the regressed box with the annotated one. ``ahead_in_score`` and
    ``ahead_in_iou`` are the parts of the proposals at which TSD's is the higher one. ``m_cls`` and
    ``m_loc`` are the terms of the progressive constraint, whether the training had them or not.
    ``sibling_order`` and ``tsd_order`` are Spearman's correlation of a head's scores with its IoUs.
    """

    low: float
    high: float
    proposals: int
    sibling_score: float | None
    tsd_score: float | None
    sibling_iou: float | None
    tsd_iou: float | None
    ahead_in_score: float | None
    ahead_in_iou: float | None
    m_cls: float | None
    m_loc: float | None
    sibling_order: float | None
    tsd_order: float | None


class SiblingStage(_Extract):
    """Both heads after some iterations: on all positive proposals, and by how good those are."""

    iteration: int
    all: SiblingBin
    by_proposal_iou: list[SiblingBin]


class LossCurve(_Extract):
    """A term of the loss over the training."""

    name: str
    steps: list[int]
    values: list[float]


class SiblingsExtract(TrainingExtract):
    """``siblings.json``: both heads at each milestone of a training and at its end.

    ``images`` is the number of images whose proposals were looked at. ``m_c`` and ``m_r`` are the
    margins of ``m_cls`` and ``m_loc``. ``asks_for_score`` and ``asks_for_iou`` say whether the
    training had these terms, in which case the margins are those of the training. Both are None in
    files that were written before margins followed the training; such a file has one ``margin``.
    """

    m_c: float = Field(validation_alias=AliasChoices("m_c", "margin"))
    m_r: float = Field(validation_alias=AliasChoices("m_r", "margin"))
    asks_for_score: bool | None = None
    asks_for_iou: bool | None = None
    images: int
    stages: list[SiblingStage]
    losses: list[LossCurve]

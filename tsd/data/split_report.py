"""What the check of a split found: how many annotations there are, and what becomes of each.

Every annotation of a split has exactly one *fate*, so that the numbers of a report add up to the
number of annotations. Those of a split for training are the fates of :data:`OF_TRAINING`, those of
a split for evaluation the fates of :data:`OF_EVALUATION`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Purpose(StrEnum):
    """What a split is for."""

    TRAINING = "training"
    EVALUATION = "evaluation"


class Fate(StrEnum):
    """What becomes of an annotation. ``text`` says it to a reader who sees the number before it."""

    TRAINED = "trained"
    EVALUATED = "evaluated"
    EVALUATED_THOUGH_FLAGGED = "evaluated_though_flagged"
    NEVER_FOUND = "never_found"
    GROUP = "group"
    CROWD = "crowd"
    FLAGGED = "flagged"
    OUTSIDE = "outside"
    EMPTY = "empty"
    SMALL_IMAGE = "small_image"
    OTHER_CLASS = "other_class"

    @property
    def text(self) -> str:
        """What becomes of such annotations, to follow their number."""
        return _TEXTS[self]


_TEXTS = {
    Fate.TRAINED: "trained on",
    Fate.EVALUATED: "evaluated",
    Fate.EVALUATED_THOUGH_FLAGGED: "evaluated in spite of 'ignore': 1, a flag that COCO's "
    "evaluation does not know",
    Fate.NEVER_FOUND: "evaluated, but without width or height or outside of the image: an object "
    "that counts as missed",
    Fate.GROUP: "group: evaluation takes any number of detections in it for one",
    Fate.CROWD: "crowd: a region that neither training nor evaluation takes for an object",
    Fate.FLAGGED: "left out of training because of 'ignore': 1",
    Fate.OUTSIDE: "left out of training: the box lies outside of its image",
    Fate.EMPTY: "left out of training: the box is below one pixel in width or height, or its "
    "'area' is 0",
    Fate.SMALL_IMAGE: "left out of training: the image is smaller than training takes",
    Fate.OTHER_CLASS: "of a category that is none of the declared classes",
}

OF_TRAINING = (
    Fate.TRAINED,
    Fate.CROWD,
    Fate.FLAGGED,
    Fate.OUTSIDE,
    Fate.EMPTY,
    Fate.SMALL_IMAGE,
    Fate.OTHER_CLASS,
)
"""The fates that annotations of a split for training may have."""

OF_EVALUATION = (
    Fate.EVALUATED,
    Fate.EVALUATED_THOUGH_FLAGGED,
    Fate.NEVER_FOUND,
    Fate.GROUP,
    Fate.CROWD,
    Fate.OTHER_CLASS,
)
"""The fates that annotations of a split for evaluation may have."""

OBJECTS = frozenset(
    {
        Fate.TRAINED,
        Fate.EVALUATED,
        Fate.EVALUATED_THOUGH_FLAGGED,
        Fate.NEVER_FOUND,
        Fate.GROUP,
    }
)
"""The fates of what counts as an object of one of the classes."""


class Mask(StrEnum):
    """What the mask of an object is worth to a run with masks."""

    POLYGONS = "polygons"
    RUN_LENGTHS = "run_lengths"
    MISSING = "missing"
    MALFORMED = "malformed"
    NO_AREA = "no_area"

    @property
    def usable(self) -> bool:
        """Whether a run with masks can train on the mask, and be evaluated with it."""
        return self in (Mask.POLYGONS, Mask.RUN_LENGTHS)


@dataclass(frozen=True)
class SplitReport:
    """What one split holds.

    An *object* is an annotation whose fate is among :data:`OBJECTS`.

    Attributes:
        annotation_file: The file that was checked.
        purpose: What the split is for.
        images: Number of images.
        images_without_objects: Number of images that have no object.
        annotations: Number of annotations of every kind.
        fates: Number of annotations of each fate that a split of this purpose may have. The
            numbers add up to ``annotations``.
        per_class: Number of objects of each class, in the order of the declaration.
        sizes: Number of objects of each of COCO's sizes; empty in formats that do not know them.
        masks: Number of objects by what their mask is worth, which adds up to the number of
            objects; empty in formats without masks.
        notes: Sentences about what a person should know of the split.
    """

    annotation_file: str
    purpose: Purpose
    images: int
    images_without_objects: int
    annotations: int
    fates: dict[Fate, int]
    per_class: dict[str, int]
    sizes: dict[str, int] = field(default_factory=dict)
    masks: dict[Mask, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def objects(self) -> int:
        """Number of objects."""
        return sum(count for fate, count in self.fates.items() if fate in OBJECTS)

    @property
    def usable_masks(self) -> int:
        """Number of objects that have a mask of use to a run with masks."""
        return sum(count for mask, count in self.masks.items() if mask.usable)


def counts_of(purpose: Purpose, fates: Iterable[Fate]) -> dict[Fate, int]:
    """Count fates.

    Args:
        purpose: That of the split.
        fates: One for each annotation.

    Returns:
        The number of each fate that a split of this purpose may have, which may be 0.
    """
    counts = dict.fromkeys(OF_TRAINING if purpose is Purpose.TRAINING else OF_EVALUATION, 0)
    for fate in fates:
        counts[fate] += 1
    return counts

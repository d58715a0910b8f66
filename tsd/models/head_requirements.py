"""What our RoI heads require of the settings and of the parts that they are given.

Our classes hand settings on to the classes of mmdet from which they derive. mmdet accepts settings
that our ``forward`` does not read, so that they would change nothing without a word. And a part
that does not fit would be noticed in the first step of a training, by an error that names neither
the setting nor the remedy. So all of this is checked when a model is built.

The letters are those of ``tsd/models/roi_head.py``.
"""

import inspect
from collections.abc import Mapping
from typing import Any

from mmdet.models.roi_heads.bbox_heads import BBoxHead
from torch import nn

NO_SHARED_HEAD = "the box heads read what is pooled as it is, from the levels of a neck such as FPN"
"""Why a RoI head of ours takes no ``shared_head``."""


def require_settings(
    owner: str, given: Mapping[str, Any], required: Mapping[str, Any], why: str
) -> None:
    """Make sure that settings which a class does not read have the values that they stand for.

    Args:
        owner: Name of the class.
        given: All settings that it was given.
        required: Name of a setting → the only value that the class can honour.
        why: The reason, which ends the message.

    Raises:
        ValueError: If a setting has another value.
    """
    for name, value in required.items():
        if given.get(name, value) != value:
            raise ValueError(
                f"{owner}: {name}={given[name]!r} would not be honoured; leave it out, or set "
                f"{name}={value!r} where a base config has it, because {why}"
            )


def require_usual_training(owner: str, train_cfg: Mapping[str, Any] | None) -> None:
    """Make sure that RoIs are to be sampled and weighed as in mmdet's ``StandardRoIHead``.

    Args:
        owner: Name of the RoI head.
        train_cfg: How the RoI head is to be trained; None at inference.

    Raises:
        ValueError: If there are settings which another RoI head of mmdet's reads alone, or a
            sampler which needs such a head.
    """
    train_cfg = train_cfg or {}
    why = "it is read by another RoI head of mmdet's alone: DynamicRoIHead or PISARoIHead"
    require_settings(
        f"{owner}.train_cfg", train_cfg, dict.fromkeys(("dynamic_rcnn", "isr", "carl")), why
    )
    if train_cfg.get("sampler", {}).get("type") == "ScoreHLRSampler":
        raise ValueError(
            f"{owner}.train_cfg: sampler is ScoreHLRSampler, which only PISARoIHead can be trained "
            "with; expected one that samples alone, such as RandomSampler"
        )


def require_extractor(extractor: nn.Module, head: BBoxHead) -> None:
    """Make sure that an extractor pools moved bins, and pools them as the box head reads them.

    Args:
        extractor: The part that ``bbox_roi_extractor`` declares.
        head: The part that ``bbox_head`` declares.

    Raises:
        ValueError: If the extractor cannot move bins, if k × k bins are not square or not those of
            the head, or if C is not the head's.
    """
    if not hasattr(extractor, "prepare") or not _takes(extractor, 3):
        raise ValueError(
            f"bbox_roi_extractor is {type(extractor).__name__}, which cannot move the bins of a "
            "RoI; expected DeformableRoIPooling. In a config that inherits an extractor of mmdet's "
            "write bbox_roi_extractor=dict(_delete_=True, type='DeformableRoIPooling', "
            "out_channels=…, featmap_strides=…)"
        )
    rows, columns = head.roi_feat_size
    if rows != columns:
        raise ValueError(
            f"bbox_head.roi_feat_size is {head.roi_feat_size}; derived proposals have k × k bins, "
            "so that both numbers have to be the same"
        )
    for theirs, pooled, ours, read in (
        ("output_size", "bins", "roi_feat_size", head.roi_feat_size),
        ("out_channels", "channels", "in_channels", head.in_channels),
    ):
        value = getattr(extractor, theirs, read)
        if value != read:
            raise ValueError(
                f"bbox_roi_extractor.{theirs} is {value}, but bbox_head.{ours} is {read}; the head "
                f"has to read as many {pooled} as are pooled, so set both alike"
            )


def require_box_head(head: BBoxHead, setting: str, features: int, example: str) -> None:
    """Make sure that a box head takes what it is given and gives what its losses read.

    Args:
        head: The head.
        setting: The name under which a config has the head.
        features: How many RoI features it is called with.
        example: A class that would do.

    Raises:
        ValueError: If it takes another number of features, does not both classify and regress, or
            describes a box by other than four numbers.
    """
    name = type(head).__name__
    if not _takes(head, features):
        wanted = "two RoI features, F̂_c and F̂_r" if features == 2 else "one RoI feature, F"
        raise ValueError(
            f"{setting} is {name}; expected a head that takes {wanted}, such as {example}"
        )
    if not head.with_cls or not head.with_reg:
        raise ValueError(
            f"{setting}: with_cls and with_reg have to be true, because {name} is to classify and "
            "to regress"
        )
    if head.bbox_coder.encode_size != 4:
        coder = type(head.bbox_coder).__name__
        raise ValueError(
            f"{setting}: bbox_coder={coder} describes a box by {head.bbox_coder.encode_size} "
            "numbers; expected a coder of four, such as DeltaXYWHBBoxCoder"
        )


def require_same_classes(sibling: BBoxHead, head: BBoxHead) -> None:
    """Make sure that both heads mean the same by a label.

    Args:
        sibling: The sibling head.
        head: TSD's head.

    Raises:
        ValueError: If they have different numbers of classes.
    """
    if sibling.num_classes != head.num_classes:
        raise ValueError(
            f"sibling_head.num_classes is {sibling.num_classes}, but bbox_head.num_classes is "
            f"{head.num_classes}; leave it out of sibling_head, which then takes it from bbox_head"
        )


def _takes(module: nn.Module, count: int) -> bool:
    """Whether a module can be called with so many arguments."""
    try:
        inspect.signature(module.forward).bind(*[None] * count)
    except TypeError:
        return False
    return True

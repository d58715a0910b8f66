"""The scores that a box head gives the classes, as M_cls and the figures read them.

The letters are those of ``tsd/models/roi_head.py``.
"""

import torch
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from torch import Tensor


def class_scores(head: BBoxHead, logits: Tensor) -> Tensor:
    """The scores that a head gives the classes at inference, Tensor[N, K + 1].

    They are the softmax of the logits, unless the head's loss has an activation of its own.
    ``SeesawLoss`` has one: it splits the logits in those of the classes and those that tell objects
    from the background, and multiplies the scores of both.

    Args:
        head: An mmdet ``BBoxHead``.
        logits: What its classifier gives, Tensor[N, K + 1], the background last; a loss with an
            activation of its own may ask for another number of columns.
    """
    if head.custom_activation:
        scores: Tensor = head.loss_cls.get_activation(logits)
        return scores
    return logits.softmax(dim=1)


def require_class_scores(head: BBoxHead, setting: str, with_background: bool) -> None:
    """Make sure that a head's scores are those which its loss trains, as Eq. 7 compares them.

    Args:
        head: An mmdet ``BBoxHead``.
        setting: The name under which a config has the head, for the error.
        with_background: Whether the score of the background is compared as well.

    Raises:
        ValueError: If the loss trains a sigmoid for each class, of which mmdet's box heads take
            the softmax at inference, so that there is no one score of a class; or if the loss's
            own activation gives the background no score and ``with_background`` asks for it.
    """
    loss = type(head.loss_cls).__name__
    if head.custom_activation:
        columns = head.num_classes + 1
        if head.custom_cls_channels:
            columns = head.loss_cls.get_cls_channels(head.num_classes)
        scores = head.loss_cls.get_activation(torch.zeros(1, columns))
        if with_background and scores.shape[1] != head.num_classes + 1:
            raise ValueError(
                f"progressive_constraint: M_cls (Eq. 7) compares the scores of all sampled RoIs, "
                f"but {setting}.loss_cls={loss} gives the background no score; set "
                "over_negatives=False to compare the positive RoIs alone, or m_c=None"
            )
    elif getattr(head.loss_cls, "use_sigmoid", False):
        raise ValueError(
            f"progressive_constraint: M_cls (Eq. 7) compares class scores, but "
            f"{setting}.loss_cls={loss} trains a sigmoid for each class, while mmdet's box heads "
            "take the softmax at inference, so that there is no one score to compare; use a loss "
            "with use_sigmoid=False, such as CrossEntropyLoss, or set m_c=None"
        )

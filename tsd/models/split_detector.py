"""Backbone disentanglement: from one stage on, everything is doubled (Figure 3 (a)–(c), Table 1).

image ─▶ trunk ─┬─▶ later stages ─▶ FPN ─▶ cls pyramid ─ pool P ─▶ F_c ─▶ f_c ─▶ C
                │
                └─▶ their copies ─▶ FPN ─▶ reg pyramid ─ pool P ─▶ F_r ─▶ f_r ─▶ R
                                                └─▶ RPN ─▶ P
"""

import copy
from collections.abc import Sequence
from typing import Literal, get_args

from mmdet.models.detectors import FasterRCNN
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.registry import MODELS
from torch import Tensor, nn

Task = Literal["cls", "reg"]


class TaskPyramids(tuple):
    """A feature pyramid for each task.

    As a tuple it is the pyramid that the RPN reads, so whatever in mmdet expects one pyramid
    takes that one.

    Attributes:
        cls_levels: Pyramid of the classification, Tensor[B, C, H_l, W_l] fine to coarse.
        reg_levels: Pyramid of the localisation likewise.
    """

    cls_levels: tuple[Tensor, ...]
    reg_levels: tuple[Tensor, ...]

    def __new__(
        cls, cls_levels: Sequence[Tensor], reg_levels: Sequence[Tensor], rpn_pyramid: Task
    ) -> "TaskPyramids":
        """Both pyramids; ``rpn_pyramid`` says which one the tuple is."""
        pyramids = super().__new__(cls, cls_levels if rpn_pyramid == "cls" else reg_levels)
        pyramids.cls_levels, pyramids.reg_levels = tuple(cls_levels), tuple(reg_levels)
        return pyramids


@MODELS.register_module()
class SplitRoIHead(StandardRoIHead):
    """RoI head that pools the one proposal P from the pyramid of each task.

    The sibling head's losses under their usual names. ``bbox_head`` has to take two RoI features,
    as ``TSDBBoxHead`` does: its trunks are the disentangled heads of Figure 3.
    """

    def _bbox_forward(self, x: TaskPyramids, rois: Tensor) -> dict[str, Tensor]:
        """Score F_c and regress F_r, in training and inference.

        Args:
            x: The pyramids.
            rois: P, Tensor[N, 5].

        Returns:
            ``cls_score`` Tensor[N, K + 1] and ``bbox_pred`` Tensor[N, 4 · K] or Tensor[N, 4].

        Raises:
            TypeError: If the detector made one pyramid only.
        """
        if not isinstance(x, TaskPyramids):
            raise TypeError("SplitRoIHead reads two pyramids: it needs model.type=SplitFasterRCNN")
        cls_score, bbox_pred = self.bbox_head(
            self.bbox_roi_extractor(x.cls_levels, rois),
            self.bbox_roi_extractor(x.reg_levels, rois),
        )
        return {"cls_score": cls_score, "bbox_pred": bbox_pred}


@MODELS.register_module()
class SplitFasterRCNN(FasterRCNN):
    """Faster R-CNN whose tasks part in the backbone: D_s8, D_s16 and D_s32 of Table 1.

    ``backbone`` stays whole. Its stages up to the split are the trunk, the later ones with
    ``neck`` serve the classification; ``reg_stages`` and ``reg_neck`` are the localisation's own.
    The copied stages start from the weights of those they copy, pretrained or random, and take
    over which of them are frozen and which normalise with running statistics.

    Args:
        split_at: Output stride of the last shared stage. 32 shares the whole backbone and doubles
            FPN and head, 16 doubles the last stage as well, and so on.
        neck: Config of the FPN, of which each task has one.
        rpn_pyramid: The task whose pyramid proposals are made from. The paper does not say, and
            its parameter counts are the same either way. Localisation by default: proposals know
            no classes, and what is an object to the RPN is decided by overlap alone.
        kwargs: Those of ``FasterRCNN``. The backbone has to list its stages by name in
            ``res_layers`` or ``layers``, as mmdet's ResNet family and MobileNetV2 do.

    Raises:
        ValueError: If no stage that feeds the FPN has the stride ``split_at``, a stride being what
            the RoI extractor's ``featmap_strides`` says of the stage's pyramid level; on an
            unknown ``rpn_pyramid``; on a backbone without named stages; on another RoI head.
    """

    def __init__(self, *, split_at: int, neck: dict, rpn_pyramid: Task = "reg", **kwargs) -> None:
        super().__init__(neck=neck, **kwargs)
        if not isinstance(self.roi_head, SplitRoIHead):
            raise ValueError(
                f"roi_head is {type(self.roi_head).__name__}; expected SplitRoIHead, which reads "
                "a pyramid for each task"
            )
        if rpn_pyramid not in get_args(Task):
            raise ValueError(f"rpn_pyramid is {rpn_pyramid!r}; expected one of {get_args(Task)}")
        self.rpn_pyramid: Task = rpn_pyramid
        stages, outputs = _stage_names(self.backbone), self.backbone.out_indices
        strides = list(self.roi_head.bbox_roi_extractor.featmap_strides)[: len(outputs)]
        if split_at not in strides:
            raise ValueError(
                f"split_at is {split_at!r}; expected the output stride of a stage, "
                f"one of {', '.join(map(str, strides))}"
            )
        self.shared_levels = strides.index(split_at) + 1
        self.copied = {
            index: stages[index]
            for index in range(outputs[self.shared_levels - 1] + 1, outputs[-1] + 1)
        }
        self.reg_stages = nn.ModuleDict(
            {name: copy.deepcopy(getattr(self.backbone, name)) for name in self.copied.values()}
        )
        self.reg_neck = MODELS.build(neck)

    def extract_feat(self, batch_inputs: Tensor) -> TaskPyramids:
        """Both pyramids of images Tensor[B, 3, H, W]; the trunk runs once."""
        cls_stages = self.backbone(batch_inputs)
        reg_stages = list(cls_stages[: self.shared_levels])
        x = reg_stages[-1]
        for index, name in self.copied.items():
            x = self.reg_stages[name](x)
            if index in self.backbone.out_indices:
                reg_stages.append(x)
        return TaskPyramids(self.neck(cls_stages), self.reg_neck(reg_stages), self.rpn_pyramid)

    def init_weights(self) -> None:
        """Initialise, then give the copied stages the weights of the backbone's."""
        super().init_weights()
        for name, stage in self.reg_stages.items():
            stage.load_state_dict(getattr(self.backbone, name).state_dict())

    def train(self, mode: bool = True) -> "SplitFasterRCNN":
        """Switch modes; the copied stages follow the backbone's, frozen parts included."""
        super().train(mode)
        for name, stage in self.reg_stages.items():
            original = getattr(self.backbone, name)
            for theirs, ours in zip(original.modules(), stage.modules(), strict=True):
                ours.training = theirs.training
            for weight, our_weight in zip(original.parameters(), stage.parameters(), strict=True):
                our_weight.requires_grad = weight.requires_grad
        return self


def _stage_names(backbone: nn.Module) -> list[str]:
    """The backbone's stages in order, ``out_indices`` counting them."""
    for attribute in ("res_layers", "layers"):
        names = getattr(backbone, attribute, None)
        if isinstance(names, list):
            return names
    raise ValueError(
        f"backbone {type(backbone).__name__} cannot be split: expected one that lists its stages "
        "in res_layers or layers, as ResNet, ResNeXt and MobileNetV2 do"
    )

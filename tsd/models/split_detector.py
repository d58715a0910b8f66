"""A detector whose tasks part in the backbone (Figure 3 (a) to (c), Table 1).

The paper compares TSD, which separates the tasks in the head, with detectors that separate them
earlier: from one stage of the backbone on, each task has everything to itself.

.. code-block:: none

    image ─▶ trunk ─┬─▶ later stages ─▶ FPN ─▶ cls pyramid ─ pool P ─▶ F_c ─▶ f_c ─▶ class scores
                    │
                    └─▶ their copies ─▶ FPN ─▶ reg pyramid ─ pool P ─▶ F_r ─▶ f_r ─▶ box deltas
                                                    │
                                                    └─▶ RPN ─▶ P

Letters
    N          number of RoIs
    K          number of classes
    B          number of images in a batch
    C          channels of a pyramid level
    H, W       height and width of the images; H_l and W_l are those of pyramid level l
    P          the proposals, which are the same for both tasks
    F_c, F_r   the features pooled from P for classification and for regression (localisation)
    f_c, f_r   the trunks of the box head
"""

import copy
from collections.abc import Sequence
from typing import Literal, get_args

from mmdet.models.detectors import FasterRCNN
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.registry import MODELS
from torch import Tensor, nn

from tsd.models.head_requirements import (
    NO_SHARED_HEAD,
    require_box_head,
    require_settings,
    require_usual_training,
)

Task = Literal["cls", "reg"]


class TaskPyramids(tuple):
    """The feature pyramids of both tasks.

    mmdet expects one pyramid, a tuple of tensors, wherever features are handed on. So this is a
    tuple too, namely the pyramid that the RPN reads, and has both pyramids as attributes.

    Attributes:
        cls_levels: The pyramid for classification, of Tensor[B, C, H_l, W_l] fine to coarse.
        reg_levels: The pyramid for localisation likewise.
    """

    cls_levels: tuple[Tensor, ...]
    reg_levels: tuple[Tensor, ...]

    def __new__(
        cls, cls_levels: Sequence[Tensor], reg_levels: Sequence[Tensor], rpn_pyramid: Task
    ) -> "TaskPyramids":
        """Hold both pyramids, and be the one of the task ``rpn_pyramid``."""
        pyramids = super().__new__(cls, cls_levels if rpn_pyramid == "cls" else reg_levels)
        pyramids.cls_levels, pyramids.reg_levels = tuple(cls_levels), tuple(reg_levels)
        return pyramids


@MODELS.register_module()
class SplitRoIHead(StandardRoIHead):
    """RoI head that pools each proposal P from the pyramids of both tasks.

    Its losses are those of mmdet's usual head, under their usual names. ``bbox_head`` has to take
    two RoI features, as ``TSDBBoxHead`` does, whose trunks are the separate heads of Figure 3.

    Args:
        kwargs: Those of ``StandardRoIHead``, of which ``shared_head`` and ``mask_head`` are not
            offered: the paper does not say which of the two pyramids masks would be read from.

    Raises:
        ValueError: If there is a setting that is not offered, or a box head that takes one feature.
    """

    def __init__(self, **kwargs) -> None:
        owner = type(self).__name__
        require_settings(owner, kwargs, {"shared_head": None}, NO_SHARED_HEAD)
        require_usual_training(owner, kwargs.get("train_cfg"))
        no_masks = "it is not said which of the two pyramids masks are to be read from"
        require_settings(owner, kwargs, {"mask_head": None, "mask_roi_extractor": None}, no_masks)
        super().__init__(**kwargs)
        require_box_head(self.bbox_head, "bbox_head", features=2, example="TSDBBoxHead")

    def _bbox_forward(self, x: TaskPyramids, rois: Tensor) -> dict[str, Tensor]:
        """Give class scores from F_c and box deltas from F_r, in training and at inference.

        Args:
            x: The pyramids.
            rois: P, Tensor[N, 5], (batch index, x1, y1, x2, y2).

        Returns:
            ``cls_score`` Tensor[N, K + 1] and ``bbox_pred`` Tensor[N, 4 · K] or Tensor[N, 4].

        Raises:
            TypeError: If the detector makes one pyramid only.
        """
        if not isinstance(x, TaskPyramids):
            raise TypeError("SplitRoIHead reads two pyramids: it needs model.type=SplitFasterRCNN")
        levels = self.bbox_roi_extractor.num_inputs
        cls_score, bbox_pred = self.bbox_head(
            self.bbox_roi_extractor(x.cls_levels[:levels], rois),
            self.bbox_roi_extractor(x.reg_levels[:levels], rois),
        )
        return {"cls_score": cls_score, "bbox_pred": bbox_pred}


@MODELS.register_module()
class SplitFasterRCNN(FasterRCNN):
    """Faster R-CNN whose tasks part in the backbone: D_s8, D_s16 and D_s32 of Table 1.

    ``backbone`` stays whole. Its stages up to the split are the trunk, and the later ones serve
    classification, as does ``neck``. Localisation has ``reg_stages``, which are copies of those
    later stages, and ``reg_neck``. The copies start from the weights of the originals, whether
    pretrained or random. They are frozen where the originals are frozen, and normalise with running
    statistics where the originals do.

    Args:
        split_at: Output stride of the last shared stage. With 32 the tasks share the whole backbone
            and each has an FPN and a head, with 16 each has a last stage as well, and so on.
        neck: Config of the FPN, of which each task has one.
        rpn_pyramid: The task whose pyramid the RPN reads. The paper does not say which, and the
            number of parameters is the same for both. The default is localisation, because the RPN
            knows no classes: to it overlap alone decides what an object is.
        kwargs: Those of ``FasterRCNN``. The backbone has to list its stages by name in
            ``res_layers`` or ``layers``, as mmdet's ResNet family and MobileNetV2 do.

    Raises:
        ValueError: If no stage that feeds the FPN has the stride ``split_at``, where the RoI
            extractor's ``featmap_strides`` tell the strides; if ``rpn_pyramid`` is unknown; if the
            backbone does not list its stages; if the RoI head is no ``SplitRoIHead``; if the neck
            leaves out the finest stages, so that the strides are not those of the stages.
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
        start_level = (neck[0] if isinstance(neck, list) else neck).get("start_level", 0)
        if start_level:
            raise ValueError(
                f"neck.start_level is {start_level}; expected 0, because split_at is found "
                "by the strides of the levels, which have to begin at the backbone's first output"
            )
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
        """Compute both pyramids of images, Tensor[B, 3, H, W]. The trunk runs once for both."""
        cls_stages = self.backbone(batch_inputs)
        reg_stages = list(cls_stages[: self.shared_levels])
        x = reg_stages[-1]
        for index, name in self.copied.items():
            x = self.reg_stages[name](x)
            if index in self.backbone.out_indices:
                reg_stages.append(x)
        return TaskPyramids(self.neck(cls_stages), self.reg_neck(reg_stages), self.rpn_pyramid)

    def init_weights(self) -> None:
        """Initialise all weights, then copy those of the backbone's stages to their copies."""
        super().init_weights()
        for name, stage in self.reg_stages.items():
            stage.load_state_dict(getattr(self.backbone, name).state_dict())

    def train(self, mode: bool = True) -> "SplitFasterRCNN":
        """Switch between training and inference. Copied stages do as the backbone's stages do.

        The backbone keeps frozen stages, and perhaps all normalisation, in inference mode.
        """
        super().train(mode)
        for name, stage in self.reg_stages.items():
            original = getattr(self.backbone, name)
            for theirs, ours in zip(original.modules(), stage.modules(), strict=True):
                ours.training = theirs.training
            for weight, our_weight in zip(original.parameters(), stage.parameters(), strict=True):
                our_weight.requires_grad = weight.requires_grad
        return self


def _stage_names(backbone: nn.Module) -> list[str]:
    """The names of the backbone's stages in order, so that ``out_indices`` are their places."""
    for attribute in ("res_layers", "layers"):
        names = getattr(backbone, attribute, None)
        if isinstance(names, list):
            return names
    raise ValueError(
        f"backbone {type(backbone).__name__} cannot be split: expected one that lists its stages "
        "in res_layers or layers, as ResNet, ResNeXt and MobileNetV2 do"
    )

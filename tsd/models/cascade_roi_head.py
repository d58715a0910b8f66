"""TSD in each stage of Cascade R-CNN (Section 3.5, Table 6).

P ─▶ TSDRoIHead ─▶ refined P ─▶ TSDRoIHead ─▶ refined P ─▶ TSDRoIHead ─▶ boxes
     s0.loss_…                  s1.loss_…                  s2.loss_…     mean of 3 scores
"""

from collections.abc import Sequence
from typing import Any

from mmdet.models.roi_heads import CascadeRoIHead
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.registry import MODELS
from mmengine.model import ModuleList
from torch import Tensor

from tsd.models.roi_head import TSDRoIHead


@MODELS.register_module()
class TSDCascadeRoIHead(CascadeRoIHead):
    """Cascade R-CNN of :class:`TSDRoIHead` stages.

    The paper embeds TSD into Cascade R-CNN and says no more. Here every stage has all of it:
    derived proposals from the boxes that this stage is given, TSD's two trunks, its own sibling
    head on the same boxes, and a progressive constraint between the two with the same margins.
    A stage's losses, the constraint included, carry Cascade's weight of the stage. TSD's boxes
    are what is handed on, in training and inference, since the sibling heads are gone at
    inference; the class scores of TSD are averaged over the stages, as mmdet averages, before
    softmax. Regression is class-agnostic where ``bbox_head`` says so, as Cascade has it.

    Args:
        bbox_roi_extractor: Config of an extractor that takes offsets, or a list, one per stage.
        bbox_head: Config of a ``TSDBBoxHead``, or a list, one per stage.
        derived_proposals: As in ``TSDRoIHead``; each stage has parameters of its own.
        sibling_head: As in ``TSDRoIHead``, following the stage's ``bbox_head``.
        progressive_constraint: As in ``TSDRoIHead``.
        regression_reference: As in ``TSDRoIHead``.
        kwargs: Those of ``CascadeRoIHead``.

    Raises:
        ValueError: If a list has not an entry for each stage; what ``TSDRoIHead`` raises.
    """

    stages: Sequence[TSDRoIHead]

    def __init__(
        self,
        *,
        derived_proposals: dict,
        sibling_head: dict | None = None,
        progressive_constraint: dict | None = None,
        regression_reference: str = "derived",
        **kwargs,
    ) -> None:
        # Set first: the base class calls init_bbox_head while it is being built.
        self.stage_options: dict[str, Any] = {
            "derived_proposals": derived_proposals,
            "sibling_head": sibling_head,
            "progressive_constraint": progressive_constraint,
            "regression_reference": regression_reference,
        }
        super().__init__(**kwargs)

    def init_bbox_head(self, bbox_roi_extractor: dict | list, bbox_head: dict | list) -> None:
        """Build the stages; the arguments are those of the class."""
        settings = {
            "bbox_roi_extractor": bbox_roi_extractor,
            "bbox_head": bbox_head,
            "train_cfg": self.train_cfg,
        }
        per_stage = {}
        for name, value in settings.items():
            per_stage[name] = value if isinstance(value, list) else [value] * self.num_stages
            if len(per_stage[name]) != self.num_stages:
                raise ValueError(
                    f"{name} has {len(per_stage[name])} entries; "
                    f"expected one for each of num_stages={self.num_stages}"
                )
        self.stages = ModuleList(
            TSDRoIHead(**dict(zip(per_stage, values, strict=True)), **self.stage_options)
            for values in zip(*per_stage.values(), strict=True)
        )

    @property
    def bbox_head(self) -> list[BBoxHead]:
        """The TSD heads by stage, with which mmdet refines and decodes."""
        return [stage.bbox_head for stage in self.stages]

    def init_assigner_sampler(self) -> None:
        """Those of the stages, whose IoU thresholds rise."""
        self.bbox_assigner = [stage.bbox_assigner for stage in self.stages]
        self.bbox_sampler = [stage.bbox_sampler for stage in self.stages]

    def _bbox_forward(self, stage: int, x: Sequence[Tensor], rois: Tensor) -> dict[str, Tensor]:
        """The TSD branch of a stage: see :class:`TSDRoIHead`."""
        return self.stages[stage]._bbox_forward(x, rois)

    def bbox_loss(
        self, stage: int, x: Sequence[Tensor], sampling_results: list[SamplingResult]
    ) -> dict:
        """The losses of a stage, with what refinement needs: see :class:`TSDRoIHead`."""
        return self.stages[stage].bbox_loss(x, sampling_results)

"""TSD in each stage of Cascade R-CNN (Section 3.5, Table 6).

Cascade R-CNN refines the boxes P stage by stage. Here every stage is a ``TSDRoIHead``, and the
boxes that it predicts are the P of the next one:

.. code-block:: none

    P ─▶ TSDRoIHead ─▶ refined P ─▶ TSDRoIHead ─▶ refined P ─▶ TSDRoIHead ─▶ boxes
         s0.loss_…                  s1.loss_…                  s2.loss_…     mean of 3 scores

The letters are those of ``tsd/models/roi_head.py``.
"""

from collections.abc import Sequence
from typing import Any

from mmdet.models.roi_heads import CascadeRoIHead
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.registry import MODELS
from mmengine.model import ModuleList
from torch import Tensor, nn

from tsd.models.head_requirements import NO_SHARED_HEAD, require_settings
from tsd.models.roi_head import TSDRoIHead


@MODELS.register_module()
class TSDCascadeRoIHead(CascadeRoIHead):
    """Cascade R-CNN whose stages are :class:`TSDRoIHead`.

    The paper embeds TSD into Cascade R-CNN and does not say how. This is what we chose:

    * Every stage has all of TSD. It derives proposals from the boxes that it is given, and has two
      trunks, a sibling head on the same boxes, and a progressive constraint between the two. The
      margins are the same in all stages.
    * The losses of a stage, the constraint included, have the weight that Cascade R-CNN gives to
      the stage.
    * A stage hands on the boxes of TSD, not those of the sibling head, because there are no sibling
      heads at inference.
    * The class logits of TSD are averaged over the stages, as mmdet averages them.
    * Regression is class-agnostic if ``bbox_head`` says so, which is Cascade R-CNN's way.

    Args:
        bbox_roi_extractor: Config of an extractor that takes offsets, or a list, one per stage.
        bbox_head: Config of a ``TSDBBoxHead``, or a list, one per stage.
        derived_proposals: As in ``TSDRoIHead``; each stage has parameters of its own.
        sibling_head: As in ``TSDRoIHead``, following the stage's ``bbox_head``.
        progressive_constraint: As in ``TSDRoIHead``.
        regression_reference: As in ``TSDRoIHead``.
        kwargs: Those of ``CascadeRoIHead``. ``shared_head`` is not offered.

    Raises:
        ValueError: If a list does not have one entry for each stage, or where ``TSDRoIHead``
            raises one.
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
        # Set before anything else, because the base class calls init_bbox_head in its __init__.
        self.stage_options: dict[str, Any] = {
            "derived_proposals": derived_proposals,
            "sibling_head": sibling_head,
            "progressive_constraint": progressive_constraint,
            "regression_reference": regression_reference,
        }
        require_settings(type(self).__name__, kwargs, {"shared_head": None}, NO_SHARED_HEAD)
        super().__init__(**kwargs)

    def init_bbox_head(self, bbox_roi_extractor: dict | list, bbox_head: dict | list) -> None:
        """Build the stages, once the base class asks for them; arguments are as of the class."""
        settings = {
            "bbox_roi_extractor": bbox_roi_extractor,
            "bbox_head": bbox_head,
            "train_cfg": self.train_cfg,
        }
        per_stage = {
            name: value if isinstance(value, list) else [value] * self.num_stages
            for name, value in settings.items()
        }
        for name, values in {**per_stage, "stage_loss_weights": self.stage_loss_weights}.items():
            if len(values) != self.num_stages:
                raise ValueError(
                    f"{name} has {len(values)} entries; "
                    f"expected one for each of num_stages={self.num_stages}"
                )
        self.stages = ModuleList(
            TSDRoIHead(**dict(zip(per_stage, values, strict=True)), **self.stage_options)
            for values in zip(*per_stage.values(), strict=True)
        )

    @property
    def bbox_head(self) -> list[BBoxHead]:
        """The box head of each stage. mmdet refines and decodes boxes with them."""
        return [stage.bbox_head for stage in self.stages]

    @property
    def bbox_roi_extractor(self) -> list[nn.Module]:
        """The extractor of each stage. A mask head without one of its own pools with them."""
        return [stage.bbox_roi_extractor for stage in self.stages]

    def init_assigner_sampler(self) -> None:
        """Take the assigners and samplers of the stages, whose IoU thresholds rise."""
        self.bbox_assigner = [stage.bbox_assigner for stage in self.stages]
        self.bbox_sampler = [stage.bbox_sampler for stage in self.stages]

    def _bbox_forward(self, stage: int, x: Sequence[Tensor], rois: Tensor) -> dict[str, Tensor]:
        """Run the TSD branch of a stage, as ``TSDRoIHead._bbox_forward`` does."""
        return self.stages[stage]._bbox_forward(x, rois)

    def bbox_loss(
        self, stage: int, x: Sequence[Tensor], sampling_results: list[SamplingResult]
    ) -> dict:
        """Compute the losses of a stage, and what mmdet needs to refine its boxes.

        Arguments after ``stage`` and the result are those of :meth:`TSDRoIHead.bbox_loss`.
        """
        return self.stages[stage].bbox_loss(x, sampling_results)

"""mmdet's RandomSampler, which waits once for a GPU rather than ten times.

See :mod:`tsd.models.lean_assigner` for what the lean parts are.

Letters
    B    number of images that are sampled together
    n    number of priors (anchors or proposals) of each of them
"""

from dataclasses import dataclass
from typing import Any

import torch
from mmdet.models.task_modules.assigners import AssignResult
from mmdet.models.task_modules.samplers import RandomSampler, SamplingResult
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import BaseBoxes
from mmengine.structures import InstanceData
from torch import Tensor


@dataclass(frozen=True)
class Drawn:
    """Which priors were drawn.

    Attributes:
        places: LongTensor, first those of the positive priors of all images, then those of the
            negative ones, each image's in rising order. The place of prior j of image i is i·n + j.
        positive: How many positive priors of each image were drawn.
        negative: Likewise.
        candidates: How many priors of each image could have been drawn.
    """

    places: Tensor
    positive: list[int]
    negative: list[int]
    candidates: list[int]

    @property
    def positive_places(self) -> Tensor:
        """Places of the positive priors."""
        return self.places[: sum(self.positive)]

    @property
    def negative_places(self) -> Tensor:
        """Places of the negative priors."""
        return self.places[sum(self.positive) :]


@TASK_UTILS.register_module()
class LeanRandomSampler(RandomSampler):
    """Draws the priors that ``RandomSampler`` draws, by the same random numbers.

    mmdet asks a GPU for the indices of all candidates, of which it may hold a hundred thousand, and
    permutes them on the CPU. Here the CPU learns only how many candidates there are, permutes their
    numbers, and has the GPU look up which priors these are.

    Args:
        kwargs: Those of ``RandomSampler``.
    """

    def sample(
        self,
        assign_result: AssignResult,
        pred_instances: InstanceData,
        gt_instances: InstanceData,
        **kwargs: Any,
    ) -> SamplingResult:
        """Sample priors of one image, after its objects' own boxes; see the base class."""
        priors, gt_boxes = pred_instances.priors, gt_instances.bboxes
        if isinstance(priors, BaseBoxes) or isinstance(gt_boxes, BaseBoxes) or priors.ndim < 2:
            return super().sample(assign_result, pred_instances, gt_instances, **kwargs)
        is_truth = priors.new_zeros(len(priors), dtype=torch.uint8)
        if self.add_gt_as_proposals and len(gt_boxes) > 0:
            priors = torch.cat([gt_boxes, priors])
            assign_result.add_gt_(gt_instances.labels)
            is_truth = torch.cat([is_truth.new_ones(len(gt_boxes)), is_truth])
        drawn = self.draw(assign_result.gt_inds[None])
        return SamplingResult(
            pos_inds=drawn.positive_places,
            neg_inds=drawn.negative_places,
            priors=priors,
            gt_bboxes=gt_boxes,
            assign_result=assign_result,
            gt_flags=is_truth,
        )

    def draw(self, assigned: Tensor) -> Drawn:
        """Draw priors of several images.

        Args:
            assigned: What each prior is: an object's number from 1 on, 0 for the background or -1
                for a prior that is not drawn, LongTensor[B, n].
        """
        images, priors = assigned.shape
        if not priors:
            nothing = [0] * images
            return Drawn(assigned.flatten(), nothing, nothing, nothing)
        is_candidate = torch.cat([assigned > 0, assigned == 0])  # [2B, n]
        counted = is_candidate.flatten().cumsum(dim=0)
        ends = counted[priors - 1 :: priors].tolist()  # the only number that the CPU waits for
        starts = [0, *ends[:-1]]
        counts = [end - start for start, end in zip(starts, ends, strict=True)]
        chosen: list[Tensor] = [torch.empty(0)] * (2 * images)
        for image in range(images):  # in mmdet's order, so that the random numbers are the same
            at = image + images
            chosen[image] = _some_of(counts[image], int(self.num * self.pos_fraction))
            chosen[at] = _some_of(counts[at], self._most_negative(len(chosen[image])))
        numbers = torch.cat([c + start for c, start in zip(chosen, starts, strict=True)]) + 1
        numbers = numbers.to(assigned.device, non_blocking=True)
        places = torch.searchsorted(counted, numbers) % assigned.numel()
        drawn = [len(c) for c in chosen]
        candidates = [counts[image] + counts[image + images] for image in range(images)]
        return Drawn(places, drawn[:images], drawn[images:], candidates)

    def _most_negative(self, positive: int) -> int:
        """How many negative priors are drawn beside some positive ones, if there are enough."""
        most = self.num - positive
        if self.neg_pos_ub >= 0:
            most = min(most, int(self.neg_pos_ub * max(1, positive)))
        return most


def _some_of(count: int, most: int) -> Tensor:
    """Numbers of the candidates that are drawn out of ``count``, in rising order."""
    if count <= most:
        return torch.arange(count)
    return torch.randperm(count)[:most].sort().values

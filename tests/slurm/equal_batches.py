"""``python -m tsd``, with a sampler that makes a batch's loss the mean of its images' losses.

mmdet's RandomSampler draws from one generator for all images of a process, so that the same image
gets other samples where others are before it.
"""

import torch
from mmdet.models.task_modules.samplers import RandomSampler
from mmdet.registry import TASK_UTILS

from tsd.cli.main import main


@TASK_UTILS.register_module()
class FirstSampler(RandomSampler):
    """Takes the first candidates in place of random ones."""

    def random_choice(self, gallery: torch.Tensor, num: int) -> torch.Tensor:
        return gallery[:num]


if __name__ == "__main__":
    main()

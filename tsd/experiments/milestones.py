"""After which iterations a training keeps its weights, so that AP on the way can be measured."""

from collections.abc import Iterable


def iterations_of(milestones: Iterable[float], max_iterations: int) -> list[int]:
    """The iterations after which a training of some length keeps its weights, in order.

    Args:
        milestones: Parts of the iterations, each between 0 and 1.
        max_iterations: Length of the training.
    """
    found = {round(part * max_iterations) for part in milestones}
    return sorted(step for step in found if 0 < step < max_iterations)

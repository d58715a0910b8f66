"""Checkpoints say in which order their labels are, so that none is gone on from in another."""

from pathlib import Path

from mmengine.hooks import Hook
from mmengine.runner import Runner

from tsd.experiments.dataset_schema import Dataset
from tsd.experiments.label_order import require_label_order

KEY = "classes"


class LabelOrderHook(Hook):
    """Writes the classes into checkpoints, and checks them when a training goes on from one.

    Args:
        dataset: The declared data set.
        folder: That of the training, for the error.
    """

    def __init__(self, dataset: Dataset, folder: Path) -> None:
        self._dataset = dataset
        self._folder = folder

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the classes in the order of the labels."""
        checkpoint[KEY] = list(self._dataset.classes)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check the order of the labels.

        Raises:
            LabelOrderError: It is not that of the declared classes.
        """
        require_label_order(
            self._dataset,
            checkpoint.pop(KEY, None),
            splits=["train"],
            what=f"the checkpoint in {self._folder}",
            remedy=f"delete {self._folder} to have it trained from the start",
        )

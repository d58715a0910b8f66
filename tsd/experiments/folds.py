"""The fold that a seed stands for, where a data set declares folds.

Seed k trains on all folds but number k mod n, and is tested on that one. The annotation files of
the folds are written when the data set is checked, before anything trains.
"""

from pathlib import Path

from tsd.experiments.dataset_schema import Dataset, Split

FOLDS_VERSION = 1
"""Raised when the same images are divided in another way; part of the identity of a training."""


def fold_files(dataset: Dataset, folder: Path) -> list[tuple[Path, Path]]:
    """Where the annotations of each fold lie: of the images to train on, and to test on.

    Args:
        dataset: A data set with folds.
        folder: The folder with the records of the checks of data sets.
    """
    place = folder / f"{dataset.id}.folds"
    return [
        (place / f"train_{fold}.json", place / f"test_{fold}.json")
        for fold in range(dataset.folds or 0)
    ]


def data_of_seed(dataset: Dataset, seed: int, folder: Path) -> Dataset:
    """The data set as a seed has it: the same one, unless it declares folds.

    Args:
        dataset: The declared data set.
        seed: Of the training.
        folder: As for :func:`fold_files`.
    """
    if dataset.folds is None:
        return dataset
    # Absolute, since paths of splits are relative to the data set's root.
    train, test = (path.absolute() for path in fold_files(dataset, folder)[seed % dataset.folds])
    images = dataset.train.images
    splits = {
        "train": Split(annotations=str(train), images=images),
        "val": Split(annotations=str(test), images=images),
    }
    return dataset.model_copy(update=splits).with_origin(dataset.origin)

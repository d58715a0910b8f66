"""In which order the labels of weights and detections are: that of the declaration.

The labels of a network have been in the order of the declared classes only since this project
records that order. Before, they were in the order in which an annotation file lists its
categories. Where both orders are the same nothing has changed. Where they are not, what was made
before would be read with wrong names, so that it is refused.
"""

from collections.abc import Sequence
from pkgutil import resolve_name

from tsd.data.coco_format import DatasetError
from tsd.experiments.data_formats import format_of
from tsd.experiments.dataset_schema import Dataset


class LabelOrderError(DatasetError):
    """Weights or detections have their labels in another order than the declaration."""


def require_label_order(
    dataset: Dataset,
    recorded: Sequence[str] | None,
    splits: Sequence[str],
    what: str,
    remedy: str,
) -> None:
    """Refuse what has its labels in another order than the declared classes.

    Args:
        dataset: The declared data set.
        recorded: The classes in the order of the labels, as recorded with what is to be used. None
            where it was made before that was recorded.
        splits: The splits whose annotation files decided the order then: "train", "val" or both.
        what: What is to be used, for the error.
        remedy: What to do about it, for the error.

    Raises:
        LabelOrderError: The labels are in another order.
    """
    if recorded is not None:
        if list(recorded) != dataset.classes:
            raise LabelOrderError(
                f"{what}: its labels are {', '.join(recorded)} in this order, but the declaration "
                f"has {', '.join(dataset.classes)}; {remedy}"
            )
        return
    data_format = format_of(dataset)
    if data_format.is_in_file_order is None:
        return
    is_in_file_order = resolve_name(data_format.is_in_file_order)
    for split in splits:
        file = data_format.files[split]
        if not is_in_file_order(file, dataset.classes):
            raise LabelOrderError(
                f"{what} was made by an earlier version of this project, which numbered labels in "
                f"the order of 'categories' in {file}; this is another order than that of the "
                f"declared classes, so that classes would be taken for one another; {remedy}"
            )

"""What the report says of the data: how many images and objects, and what became of each."""

from dataclasses import dataclass

from tsd.data.split_report import SplitReport
from tsd.reporting.wording import count
from tsd.results.collected import CollectedData, Results


@dataclass(frozen=True)
class Line:
    """A line of the section's table: what is counted, and the counts of both splits.

    Args:
        text: What is counted.
        train: The count of the training set; None where there is no such number.
        val: That of the validation set.
        is_part: Whether it is a part of the line above that is no part.
    """

    text: str
    train: int | None
    val: int | None
    is_part: bool = False


def shown_data(results: Results) -> list[CollectedData]:
    """List the data sets that runs of the report are trained on, or that of the grid.

    Args:
        results: What was collected.
    """
    used = dict.fromkeys(run.dataset for run in results.runs.values() if run.is_shown)
    return [results.data[name] for name in used or [results.dataset.id]]


def lines(data: CollectedData) -> list[Line]:
    """Count what a data set holds.

    Every annotation of a split is in one of the parts below the line of annotations, so that these
    add up; those that no annotation of either split is in are left out. Objects are counted anew by
    their size.

    Args:
        data: A data set that was checked.

    Returns:
        No line where it was not checked.
    """
    if data.check is None:
        return []
    train, val = data.check.train, data.check.val
    fates = dict.fromkeys([*train.fates, *val.fates])
    sizes = dict.fromkeys([*train.sizes, *val.sizes])
    return [
        Line("Images", train.images, val.images),
        Line(
            "without any object",
            train.images_without_objects,
            val.images_without_objects,
            is_part=True,
        ),
        Line("Annotations", train.annotations, val.annotations),
        *(
            Line(fate.text, train.fates.get(fate), val.fates.get(fate), is_part=True)
            for fate in fates
            if train.fates.get(fate) or val.fates.get(fate)
        ),
        Line("Objects", train.objects, val.objects),
        *(
            Line(f"{size} ones", train.sizes.get(size), val.sizes.get(size), is_part=True)
            for size in sizes
        ),
        *_masks(train, val),
        Line("Classes that have objects", _present(train.per_class), _present(val.per_class)),
    ]


def _masks(train: SplitReport, val: SplitReport) -> list[Line]:
    """Count the objects whose mask a run with masks can use; no line in formats without masks."""
    if not train.masks and not val.masks:
        return []
    return [Line("Objects with a mask of use", train.usable_masks, val.usable_masks)]


def remarks(data: CollectedData) -> list[str]:
    """List what the check of a data set found worth telling, each sentence once.

    Args:
        data: The data set.
    """
    if data.check is None:
        return ["There is no record of a check of these data, so that nothing is counted."]
    parts = [data.check.notes, data.check.train.notes, data.check.val.notes]
    return list(dict.fromkeys(note for notes in parts for note in notes))


def overview(data: CollectedData) -> list[str]:
    """Say in a few words each how large the parts of a data set are.

    Args:
        data: The data set.
    """
    classes = count(len(data.dataset.classes), "class", "classes")
    if data.check is None:
        return [classes]
    return [
        classes,
        *(
            f"{name}: {count(split.images, 'image')}, {count(split.objects, 'object')}"
            for name, split in (("training", data.check.train), ("validation", data.check.val))
        ),
    ]


def classes_text(data: CollectedData, most: int = 30) -> str:
    """List the classes, and say how many are left out of a long list.

    Args:
        data: The data set.
        most: So many are named.
    """
    names = data.dataset.classes
    more = f" and {count(len(names) - most, 'other')}" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def validation_text(results: Results, dataset: str) -> str:
    """Say how many images and objects the numbers of a run are measured on.

    Args:
        results: What was collected.
        dataset: Id of the data set that it is evaluated on.
    """
    check = results.data[dataset].check
    if check is None:
        return "not counted"
    return f"{count(check.val.images, 'image')}, {count(check.val.objects, 'object')}"


def _present(per_class: dict[str, int]) -> int:
    """Count the classes that have any object."""
    return sum(amount > 0 for amount in per_class.values())

"""How the labels of a network map to the categories of an annotation file: by name.

A *label* is the position of a class among the declared classes, and the row that the class has in
the network. Each annotation file numbers its categories as it likes and lists them in an order of
its own. :func:`label_categories` is the one place that brings both together: training, inference,
evaluation, figures and checks all ask it.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tsd.data.coco_format import DatasetError, counted, near_names, read_json_file, some_of


@dataclass(frozen=True)
class Labels:
    """The categories of an annotation file that stand for the declared classes.

    Attributes:
        names: Name of each label's class.
        category_ids: Id of each label's category.
        in_file_order: Whether the file lists these categories in the order of the labels, and no
            other category has the name of one of them. Earlier versions of this project numbered
            labels in the order of the file, so that their networks are of use only where it is the
            same.
        passed_over: Ids of the categories that have the name of a class but no annotation, while
            another category of the same name has some, by name.
    """

    names: tuple[str, ...]
    category_ids: tuple[int, ...]
    in_file_order: bool
    passed_over: dict[str, list[int]]

    @property
    def label_of(self) -> dict[int, int]:
        """Label of each category of a declared class, by the category's id."""
        return {category: label for label, category in enumerate(self.category_ids)}


def label_categories(
    file: Path | str, content: Mapping[str, Any], classes: Sequence[str] | None = None
) -> Labels:
    """Find the category of each declared class in an annotation file, by its name.

    Where several categories have the name of a class, as the root category that some exporters add
    has, the one with annotations is taken if there is exactly one.

    Args:
        file: The annotation file, for errors.
        content: Its content in COCO's format. A file that only lists images has no annotations.
        classes: Names of the declared classes, in the order of their labels; or None for all
            categories of the file, in its order.

    Raises:
        DatasetError: A class is named twice, the file has no category of that name, or it does not
            tell which of several is meant.
    """
    ids_by_name: dict[str, list[int]] = defaultdict(list)
    for category in content["categories"]:
        ids_by_name[category["name"]].append(category["id"])
    names = tuple(ids_by_name if classes is None else classes)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DatasetError(f"the declared classes name {some_of(twice)} more than once")
    annotated = Counter(entry["category_id"] for entry in content.get("annotations", ()))
    ids, passed_over = [], {}
    for name in names:
        same = ids_by_name.get(name, [])
        chosen = same if len(same) == 1 else [number for number in same if annotated[number]]
        if not same:
            raise DatasetError(
                f"{file}: 'categories' has no class {name!r} of those asked for; "
                f"{near_names(name, ids_by_name)}"
            )
        if len(chosen) != 1:
            raise DatasetError(
                f"{file}: several of 'categories' have the name {name!r}: "
                f"{_described(same, annotated)}; give them different names, merge them, or remove "
                "those that are not meant"
            )
        ids.append(chosen[0])
        if len(same) > 1:
            passed_over[name] = [number for number in same if number != chosen[0]]
    wanted = set(names)
    listed = tuple(c["id"] for c in content["categories"] if c["name"] in wanted)
    return Labels(names, tuple(ids), listed == tuple(ids), passed_over)


def _described(ids: Sequence[int], annotated: Counter[int]) -> str:
    """Categories by their ids, with how many annotations each has."""
    return ", ".join(
        f"id {number} with {counted(annotated[number], 'annotation', 'annotations')}"
        for number in ids
    )


def is_in_file_order(file: Path, classes: Sequence[str]) -> bool:
    """Whether a file lists the categories of the declared classes in the order of their labels.

    Args:
        file: An annotation file in COCO's format.
        classes: Names of the classes in the order of their labels.

    Raises:
        DatasetError: The file is not JSON, or does not tell the categories of the classes.
    """
    return label_categories(file, read_json_file(file), classes).in_file_order

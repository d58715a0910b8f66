"""The hierarchy of the Open Images Challenge's classes: a car is a vehicle.

The challenge publishes the hierarchy as a tree in JSON. Training and evaluation read a matrix that
tells for each pair of classes whether whatever is of the one is of the other.

Shapes: K number of classes.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsd.data.coco_format import DatasetError, near_names, some_of
from tsd.data.openimages_format import opened

Relations = NDArray[np.uint8]


def read_hierarchy(file: Path, labels: Sequence[str]) -> Relations:
    """Read the published tree and return its :func:`relation_matrix`.

    Args:
        file: The JSON file.
        labels: The K classes.

    Raises:
        DatasetError: The file is missing or not JSON, or :func:`relation_matrix` refuses the tree.
            Names the file.
    """
    try:
        with opened(file) as content:
            tree = json.load(content)
    except json.JSONDecodeError as error:
        raise DatasetError(f"{file}: not JSON ({error}); fetch it again") from error
    try:
        return relation_matrix(tree, labels)
    except DatasetError as error:
        raise DatasetError(f"{file}: {error}") from error


def relation_matrix(tree: Mapping[str, Any], labels: Sequence[str]) -> Relations:
    """Tell of which classes an object of a class is: of that class and of all its ancestors.

    Args:
        tree: ``{"LabelName": …, "Subcategory": [more of them]}``. The root stands for everything
            and is no class. A class may stand in several places of the tree. Its ancestors are
            then those that it has in any of them.
        labels: The K classes.

    Returns:
        0 or 1, [K + 1, K + 1]: [i, j] is 1 where whatever is of class i is of class j too. Classes
        count from 1. Row and column 0 belong to the background and are 0. mmdet reads this file as
        ``class_label_tree`` and drops row and column 0.

    Raises:
        DatasetError: A class is not in the tree, the tree has one that is not asked for, or two
            classes are each an ancestor of the other.
    """
    number = {label: i for i, label in enumerate(labels, start=1)}
    relations = np.zeros((len(labels) + 1, len(labels) + 1), np.uint8)

    def visit(node: Mapping[str, Any], parent: int | None) -> None:
        for child in node.get("Subcategory", ()):
            label = child.get("LabelName")
            if label not in number:
                raise DatasetError(
                    f"class {label!r} of the hierarchy is not among the class descriptions; "
                    f"{near_names(str(label), number)}"
                )
            relations[number[label], number[label]] = 1
            if parent is not None:
                relations[number[label], parent] = 1
            visit(child, number[label])

    visit(tree, None)
    missing = [label for label in labels if not relations[number[label], number[label]]]
    if missing:
        raise DatasetError(f"classes that the hierarchy does not have: {some_of(missing)}")
    # So far a class is related to its parents. The parents' parents are its ancestors too, even
    # where another part of the tree says so, hence steps are joined until no new pair comes up.
    while True:
        steps = relations.astype(np.float32)  # numpy multiplies floats by BLAS, integers slowly
        further = (steps @ steps > 0).astype(np.uint8)
        if np.array_equal(further, relations):
            break
        relations = further
    for i, j in np.argwhere(np.triu(relations & relations.T, k=1)):
        raise DatasetError(
            f"classes {labels[i - 1]!r} and {labels[j - 1]!r} are each an ancestor of the other"
        )
    return relations

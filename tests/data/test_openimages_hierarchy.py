import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsd.data.coco_format import DatasetError
from tsd.data.openimages_hierarchy import read_hierarchy, relation_matrix


def tree_of(parents, order):
    """A tree in which class i lies below class parents[i] < i, or below the root."""
    nodes = [{"LabelName": f"c{i}", "Subcategory": []} for i in range(len(parents))]
    root = {"LabelName": "all", "Subcategory": []}
    for i in order:
        (root if parents[i] is None else nodes[parents[i]])["Subcategory"].append(nodes[i])
    return root


@st.composite
def forests(draw):
    size = draw(st.integers(1, 9))
    parents = [draw(st.none() | st.integers(0, i - 1)) if i else None for i in range(size)]
    return parents, draw(st.permutations(range(size)))


@given(forests())
def test_a_class_is_one_of_itself_and_its_ancestors(forest):
    parents, order = forest
    labels = [f"c{i}" for i in order]
    relations = relation_matrix(tree_of(parents, order), labels)
    for i in range(len(parents)):
        ancestors, at = {i}, parents[i]
        while at is not None:
            ancestors.add(at)
            at = parents[at]
        row = relations[1 + labels.index(f"c{i}")]
        assert {labels[j - 1] for j in np.flatnonzero(row)} == {f"c{a}" for a in ancestors}


@given(forests())
def test_relations_are_transitive_and_one_way(forest):
    relations = relation_matrix(tree_of(*forest), [f"c{i}" for i in range(len(forest[0]))])
    related = relations.astype(bool)
    assert not (related.astype(int) @ related > 0)[~related].any()
    assert not np.triu(related & related.T, k=1).any()
    assert not related[0].any()
    assert not related[:, 0].any()


def test_a_class_in_several_places_has_the_ancestors_of_all():
    tree = {
        "LabelName": "all",
        "Subcategory": [
            {"LabelName": "toy", "Subcategory": [{"LabelName": "model car"}]},
            {"LabelName": "car", "Subcategory": [{"LabelName": "model car"}]},
            {"LabelName": "vehicle", "Subcategory": [{"LabelName": "car"}]},
        ],
    }
    labels = ["model car", "toy", "car", "vehicle"]
    assert relation_matrix(tree, labels)[1].tolist() == [0, 1, 1, 1, 1]


def test_two_classes_that_contain_each_other_are_refused():
    below = [
        {"LabelName": "a", "Subcategory": [{"LabelName": "b"}]},
        {"LabelName": "b", "Subcategory": [{"LabelName": "a"}]},
    ]
    with pytest.raises(DatasetError, match="'a' and 'b' are each an ancestor"):
        relation_matrix({"LabelName": "all", "Subcategory": below}, ["a", "b"])


def test_the_challenges_hierarchy(published, classes):
    file = published / "oid-challenge-2019-label500-hierarchy.json"
    labels = list(classes)
    relations = read_hierarchy(file, labels)[1:, 1:].astype(bool)
    assert relations.shape == (500, 500)
    assert (relations.sum(axis=0) > 1).sum() == 57

    above: dict[str, set[str]] = {label: set() for label in labels}
    paths = [(json.loads(file.read_text()), [])]
    while paths:
        node, path = paths.pop()
        if node["LabelName"] in above:
            path = [*path, node["LabelName"]]
            above[path[-1]].update(path)
        paths += [(child, path) for child in node.get("Subcategory", [])]
    for label, row in zip(labels, relations, strict=True):
        assert {labels[i] for i in np.flatnonzero(row)} == above[label]

    names = list(classes.values())
    taxi = {names[i] for i in np.flatnonzero(relations[names.index("Taxi")])}
    assert taxi == {"Taxi", "Land vehicle", "Vehicle"}

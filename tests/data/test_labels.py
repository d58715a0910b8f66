import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsd.data.coco_format import DatasetError
from tsd.data.labels import is_in_file_order, label_categories


def content(categories, annotated=()):
    """A file whose categories are given by id and name; annotations by their category."""
    return {
        "categories": [{"id": number, "name": name} for number, name in categories],
        "annotations": [{"category_id": category} for category in annotated],
    }


def test_labels_follow_the_declaration_whatever_the_file_does():
    labels = label_categories("f", content([(5, "dog"), (2, "cat"), (9, "sky")]), ["cat", "dog"])
    assert labels.names == ("cat", "dog")
    assert labels.category_ids == (2, 5)
    assert labels.label_of == {2: 0, 5: 1}
    assert not labels.in_file_order
    assert labels.passed_over == {}


@given(
    names=st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=8, unique=True),
    data=st.data(),
)
def test_every_label_has_the_category_of_its_name(names, data):
    listed = data.draw(st.permutations(names))
    ids = data.draw(
        st.lists(st.integers(0, 99), min_size=len(names), max_size=len(names), unique=True)
    )
    classes = data.draw(st.permutations(names))[: data.draw(st.integers(1, len(names)))]
    categories = list(zip(ids, listed, strict=True))
    labels = label_categories("f", content(categories), classes)
    named = dict(categories)
    assert [named[category] for category in labels.category_ids] == list(classes)
    assert labels.in_file_order == ([name for name in listed if name in classes] == list(classes))


def test_without_declared_classes_all_categories_are_labels_in_the_order_of_the_file():
    labels = label_categories("f", content([(5, "dog"), (2, "cat")]))
    assert (labels.names, labels.category_ids) == (("dog", "cat"), (5, 2))
    assert labels.in_file_order


def test_a_class_that_the_file_lacks_is_named_with_its_nearest():
    with pytest.raises(DatasetError, match=r"^f: .*no class 'cart' of those.*mean 'cat'"):
        label_categories("f", content([(1, "cat")]), ["cart"])


def test_of_two_categories_of_a_name_the_one_with_annotations_is_taken():
    labels = label_categories("f", content([(0, "red"), (1, "red"), (2, "sky")], [1, 1]), ["red"])
    assert labels.category_ids == (1,)
    assert labels.passed_over == {"red": [0]}
    assert not labels.in_file_order


@pytest.mark.parametrize(
    ("annotated", "described"),
    [
        ([], "id 0 with 0 annotations, id 1 with 0 annotations"),
        ([0, 1, 1], "id 0 with 1 annotation, id 1 with 2 annotations"),
    ],
)
def test_two_categories_of_a_name_are_refused_if_nothing_tells_which(annotated, described):
    with pytest.raises(DatasetError, match=rf"^f: several .* name 'red': {described}; give"):
        label_categories("f", content([(0, "red"), (1, "red")], annotated), ["red"])


def test_a_name_that_no_class_has_may_stand_twice():
    labels = label_categories("f", content([(0, "sky"), (1, "red"), (2, "sky")]), ["red"])
    assert labels.category_ids == (1,)
    assert labels.in_file_order


def test_a_class_that_is_declared_twice_is_refused():
    with pytest.raises(DatasetError, match=r"name 'cat' \(1 in all\) more than once"):
        label_categories("f", content([(1, "cat")]), ["cat", "cat"])


def test_a_file_that_only_lists_images_has_no_annotations():
    images_alone = {"images": [], "categories": [{"id": 4, "name": "cat"}]}
    assert label_categories("f", images_alone, ["cat"]).category_ids == (4,)


@pytest.mark.parametrize(("classes", "same"), [(["dog", "cat"], True), (["cat", "dog"], False)])
def test_the_order_of_a_file_can_be_asked_for(tmp_path, classes, same):
    file = tmp_path / "f.json"
    file.write_text(json.dumps(content([(5, "dog"), (2, "cat")])), encoding="utf-8-sig")
    assert is_in_file_order(file, classes) is same

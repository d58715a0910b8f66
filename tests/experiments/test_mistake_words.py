"""Mistakes in a declaration are told in this project's words, with what was found."""

import pytest

from tsd.experiments.dataset_schema import Dataset
from tsd.experiments.reading import DeclarationError, validate
from tsd.experiments.scale_schema import Scale
from tsd.experiments.schema import Figure, Run

SPLIT = {"annotations": "a.json", "images": "i/"}
WHOLE = {
    Dataset: {
        "id": "own",
        "title": "t",
        "licence": "l",
        "root": "r",
        "train": SPLIT,
        "val": SPLIT,
        "classes": ["a"],
    },
    Scale: {"id": "own", "title": "t", "note": "n", "dataset": "embedded"},
    Run: {"id": "own", "base": "b", "why": "w"},
    Figure: {
        "id": "own",
        "title": "t",
        "source": "s",
        "kind": "margins",
        "series": [{"label": "l", "run": "r50"}],
    },
}
NAME = "expected a name of small letters, digits, - and _ that begins with a letter or a digit"


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        (Dataset, {"id": "My Data"}, f"key 'id': {NAME}, such as 'my-data'; found 'My Data'"),
        (Dataset, {"id": "?"}, f"key 'id': {NAME}; found '?'"),
        (
            Dataset,
            {"weights": {"R50": "a.pth"}},
            f"key 'weights': the name 'R50' in it: {NAME}, such as 'r50'; found 'R50'",
        ),
        (Dataset, {"train": "x"}, "key 'train': expected keys and values, found 'x'"),
        (Dataset, {"classes": []}, "key 'classes': expected 1 entry or more, found []"),
        (Dataset, {"weights": {"r50": ""}}, "expected a text of 1 letter or more, found ''"),
        (Dataset, {"folds": 1}, "key 'folds': expected a number of 2 or more, found 1"),
        (
            Dataset,
            {"fetched_by": "coco2071"},
            "'coco2014_minival', found 'coco2071'; did you mean 'coco2017'?",
        ),
        (Dataset, {"root": 3}, "expected a text, found 3; put it in quotes if it is meant as text"),
        (Scale, {"set": [1]}, "key 'set': expected keys and values, found [1]"),
        (Scale, {"milestones": [0, 1]}, "key 'milestones.0': expected a number above 0, found 0"),
        (Scale, {"milestones": [0, 1]}, "key 'milestones.1': expected a number below 1, found 1"),
        (Scale, {"pretrained": 1}, "key 'pretrained': expected true or false, found 1"),
        (
            Scale,
            {"length": float("inf"), "extends": "mini"},
            "key 'length': expected a number that is not infinite, found inf",
        ),
        (Scale, {"resources": {"per_gpu": 50}}, "expected a number of 48 or less, found 50"),
        (Scale, {"bases": 3}, "key 'bases': expected a list, found 3"),
        (Run, {"seeds": [1.5]}, "key 'seeds.0': expected a whole number, found 1.5"),
        (Run, {"set": {1: 2}}, "key 'set': the name '1' in it: expected a text, found 1"),
        (
            Figure,
            {"series": [{"label": "l", "points": {"a": "r50"}}]},
            "key 'series.0.points': the name 'a' in it: expected a number, found 'a'",
        ),
    ],
)
def test_a_mistake_says_what_is_expected_and_what_was_found(kind, changes, message):
    content = {**WHOLE[kind], **changes}
    if "folds" in changes:
        del content["val"]
    with pytest.raises(DeclarationError) as caught:
        validate(kind, content, "own.yaml")
    assert message in str(caught.value)
    for line in str(caught.value).splitlines():
        assert line.startswith("own.yaml: key ")
        assert "Input should" not in line
        assert "[key]" not in line


@pytest.mark.parametrize("kind", WHOLE)
def test_without_the_changes_there_is_no_mistake(kind):
    assert validate(kind, WHOLE[kind], "own.yaml").id == "own"

import pytest

from tests.reporting.conftest import counted, make_results, run, training
from tsd.data.split_report import Mask
from tsd.reporting import data_section
from tsd.results.collected import CollectedData


@pytest.fixture
def results():
    found = make_results([], {"a": run(training(AP=33.0))})
    found.data["embedded"].check = counted(
        found.dataset, {"one": 90, "two": 0}, notes=["Look at this.", "And at that."], empty=7
    )
    return found


def lines(results):
    found = data_section.lines(results.data["embedded"])
    return [(line.text, line.train, line.val) for line in found]


def test_what_becomes_of_each_annotation_adds_up(results):
    found = data_section.lines(results.data["embedded"])
    texts = [line.text for line in found]
    start = texts.index("Annotations")
    whole, parts = found[start], []
    for line in found[start + 1 :]:
        if not line.is_part:
            break
        parts.append(line)
    assert sum(line.train or 0 for line in parts) == whole.train == 187
    assert sum(line.val or 0 for line in parts) == whole.val == 90


def test_images_objects_sizes_and_classes_are_counted(results):
    found = lines(results)
    assert ("Images", 40, 1234) in found
    assert ("without any object", 1, 0) in found
    assert ("Objects", 180, 90) in found
    assert ("large ones", 0, 30) in found
    assert ("Classes that have objects", 1, 1) in found


def test_a_fate_that_nothing_has_is_left_out_and_one_of_the_other_purpose_is_no_number(results):
    found = {text: counts for text, *counts in lines(results)}
    assert not any("crowd" in text for text in found)
    assert [7, None] in found.values()


def test_masks_are_counted_where_the_format_has_them(results):
    assert not any("mask" in text for text, *_ in lines(results))
    results.data["embedded"].check.val.masks.update({Mask.POLYGONS: 80, Mask.MISSING: 10})
    assert ("Objects with a mask of use", 0, 80) in lines(results)


def test_what_the_check_tells_is_told_once(results):
    data = results.data["embedded"]
    data.check.val.notes.append("And at that.")
    assert data_section.remarks(data) == ["Look at this.", "And at that."]


def test_data_without_a_check_are_said_to_have_none(results):
    data = results.data["embedded"]
    data.check = None
    assert data_section.lines(data) == []
    assert "no record of a check" in data_section.remarks(data)[0]
    assert data_section.overview(data) == ["1 class"]
    assert data_section.validation_text(results, "embedded") == "not counted"


def test_an_overview_says_images_and_objects(results):
    assert data_section.overview(results.data["embedded"]) == [
        "1 class",
        "training: 40 images, 180 objects",
        "validation: 1,234 images, 90 objects",
    ]
    assert data_section.validation_text(results, "embedded") == "1,234 images, 90 objects"


def test_the_data_of_runs_are_shown_and_those_of_no_shown_run_are_not(results):
    other = results.dataset.model_copy(update={"id": "other"})
    results.data["other"] = CollectedData(dataset=other, check=None)
    assert [one.dataset.id for one in data_section.shown_data(results)] == ["embedded"]
    results.runs["b"] = run(training(AP=1.0))
    results.runs["b"].dataset = "other"
    assert [one.dataset.id for one in data_section.shown_data(results)] == ["embedded", "other"]
    results.runs.clear()
    assert [one.dataset.id for one in data_section.shown_data(results)] == ["embedded"]


def test_of_many_classes_some_are_named(results):
    data = results.data["embedded"]
    data.dataset.classes[:] = [str(number) for number in range(33)]
    assert data_section.classes_text(data).endswith("28, 29 and 3 others")
    assert data_section.classes_text(data, most=33).endswith("31, 32")

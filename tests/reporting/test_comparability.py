import pytest

from tests.reporting.conftest import make_results, row, run, table, training
from tsd.reporting import comparability
from tsd.reporting.cells import fill

NAMES = ["a", "b"]


@pytest.fixture
def results():
    rows = [row("A", "a", "b", AP=38.0), row("B", "b", AP=36.0), row("C", None, AP=30.0)]
    runs = {"a": run(training(AP=33.0)), "b": run(training(AP=30.0))}
    return make_results([table("t", *rows, metrics=["AP"])], runs)


def elsewhere(results, *names):
    for name in names:
        results.runs[name].is_on_papers_data = False


def about_others(results, *names):
    elsewhere(results, *names)
    for name in names:
        results.runs[name].is_about_these_data = False
        results.runs[name].papers_data = "Open Images"


def difference_remark(results):
    return comparability.difference_remark(results, fill(results, results.tables[0]))


def test_data_are_named_where_they_are_not_the_papers(results):
    assert comparability.data_remark(results, NAMES) == ""
    elsewhere(results, "a")
    said = "Measured values are of “Digits”, the paper’s of “COCO 2017”."
    assert comparability.data_remark(results, NAMES) == said
    assert comparability.data_remark(results, ["b", None, "absent"]) == ""


def test_data_of_the_paper_that_nobody_declares_have_no_name(results):
    elsewhere(results, "a")
    results.runs["a"].papers_data = None
    assert "the paper’s of the paper’s own data." in comparability.data_remark(results, ["a"])


@pytest.mark.parametrize(
    ("comparable", "on_papers_data", "text"),
    [
        (False, True, "because the scale is not the paper’s:"),
        (True, False, "because the data are not the paper’s:"),
        (False, False, "because the scale is not the paper’s and the data are not the paper’s:"),
    ],
)
def test_the_missing_difference_has_its_reason(results, comparable, on_papers_data, text):
    results.scale.comparable = comparable
    for one in results.runs.values():
        one.is_on_papers_data = on_papers_data
    assert text in difference_remark(results)
    assert not comparability.has_differences(fill(results, results.tables[0]))


def test_nothing_is_left_out_where_all_may_be_compared(results):
    for one in results.runs.values():
        one.is_comparable = True
    assert difference_remark(results) == ""
    assert comparability.has_differences(fill(results, results.tables[0]))


def test_rows_about_other_data_are_told_apart_from_the_others(results):
    assert comparability.other_data_remark(results, results.tables[0]) == ""
    about_others(results, "a")
    said = "The rows marked “not on this data” are about “Open Images”, not about “Digits”."
    assert comparability.other_data_remark(results, results.tables[0]) == said
    assert comparability.data_remark(results, ["a"]) == ""


def test_networks_are_named_once_for_all_runs_or_with_their_runs(results):
    one = "The network of every run is ResNet-18, FPN-48, 160 px."
    assert comparability.networks_text(results, NAMES) == one
    results.runs["b"].network = "MobileNetV2, 320 px"
    several = "The networks are ResNet-18, FPN-48, 160 px (a); MobileNetV2, 320 px (b)."
    assert comparability.networks_text(results, NAMES) == several
    about_others(results, "a")
    assert comparability.networks_text(results, NAMES).endswith("run is MobileNetV2, 320 px.")
    assert comparability.networks_text(results, [None, "absent"]) == ""


def test_a_run_that_was_not_compiled_has_no_network(results):
    results.runs["b"].network = None
    assert comparability.networks_text(results, NAMES).startswith("The network of every run is Res")
    assert comparability.networks_text(results, ["b"]) == ""


def test_one_training_under_two_names_is_told(results):
    assert comparability.same_training_remarks(results, results.tables[0]) == []
    results.runs["a"].digest = results.runs["b"].digest
    (said,) = comparability.same_training_remarks(results, results.tables[0])
    assert said.startswith("The runs a and b are one and the same training here")

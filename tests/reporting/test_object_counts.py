import pytest

from tests.reporting.conftest import counted, make_results, run, training
from tsd.data.split_report import Mask
from tsd.experiments.metrics import METRICS, Step
from tsd.reporting.object_counts import FEW, data_of, few_objects, object_remarks, objects_behind
from tsd.results.collected import CollectedData


@pytest.fixture
def results():
    """Of 90 objects 30 are large, the others small."""
    found = make_results([], {"a": run(training(AP=33.0)), "b": run(training(AP=30.0))})
    found.data["embedded"].check = counted(found.dataset, {"one": 90})
    return found


def with_objects(results, number):
    results.data["embedded"].check = counted(results.dataset, {"one": number})
    return results


@pytest.mark.parametrize(
    ("metric", "objects"),
    [
        ("AP", 90),
        ("AP75", 90),
        ("AR100", 90),
        ("mask_AP", 90),
        ("APs", 60),
        ("APs50", 60),
        ("APl", 30),
        ("APl90", 30),
        ("mask_APl", 30),
        ("ARm", 0),
        ("params", None),
        ("runtime", None),
        ("lb_AP50", None),
    ],
)
def test_a_metric_rests_on_the_objects_of_its_size(results, metric, objects):
    assert objects_behind(results, "embedded", metric) == objects


def test_mask_metrics_rest_on_the_objects_that_have_a_mask(results):
    masks = results.data["embedded"].check.val.masks
    masks.update({Mask.POLYGONS: 90})
    assert objects_behind(results, "embedded", "mask_APl") == 30
    masks.update({Mask.POLYGONS: 80, Mask.MISSING: 10})
    assert objects_behind(results, "embedded", "mask_AP") == 80
    assert objects_behind(results, "embedded", "mask_APl") is None
    assert objects_behind(results, "embedded", "AP") == 90


def test_every_metric_of_detections_has_its_objects(results):
    for name, metric in METRICS.items():
        known = objects_behind(results, "embedded", name) is not None
        assert known == (metric.step is Step.EVALUATE), name


def test_without_a_check_or_sizes_nothing_is_counted(results):
    results.data["embedded"].check.val.sizes.clear()
    assert objects_behind(results, "embedded", "APl") is None
    assert objects_behind(results, "embedded", "AP") == 90
    results.data["embedded"].check = None
    assert objects_behind(results, "embedded", "AP") is None
    assert objects_behind(results, None, "AP") is None
    assert object_remarks(results, ["a"], ["AP"]) == []


def test_numbers_are_told_once_for_metrics_that_share_them(results):
    said = object_remarks(results, ["a", "b"], ["AP", "AP50", "APl90", "params"])
    assert said == [
        "In the validation set, AP and AP.5 rest on 90 objects; AP large .9 rests on 30 objects."
    ]


def test_there_is_a_warning_below_so_many_objects(results):
    few = 3 * FEW - 1
    assert few_objects(with_objects(results, few + 1), ["a"], ["AP", "APl"]) == ""
    warning = f"Fewer than {FEW} objects are behind AP l, so that chance decides there."
    assert few_objects(with_objects(results, few), ["a"], ["AP", "APl"]) == warning
    assert object_remarks(results, ["a"], ["AP", "APl"])[1:] == [warning]


def test_runs_on_several_data_sets_have_no_common_number(results):
    assert data_of(results, ["a", "b", None, "absent"]) == "embedded"
    other = results.dataset.model_copy(update={"id": "other"})
    results.data["other"] = CollectedData(dataset=other, check=None)
    results.runs["b"].dataset = "other"
    assert data_of(results, ["a", "b"]) is None
    assert object_remarks(results, ["a", "b"], ["AP"]) == []
    results.runs["b"].at_scale = False
    assert data_of(results, ["a", "b"]) == "embedded"
    assert data_of(results, ["b"]) is None

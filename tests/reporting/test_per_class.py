import csv
import io

import pytest

from tests.reporting.conftest import counted, make_results, row, run, table, training
from tsd.reporting import per_class


def results_of(per_class_by_run, objects=None, tables=()):
    runs = {
        name: run(*(training(AP=30.0, per_class=one) for one in seeds))
        for name, seeds in per_class_by_run.items()
    }
    found = make_results(list(tables), runs)
    if objects is not None:
        found.data["embedded"].check = counted(found.dataset, objects)
    return found


def lines(results):
    return list(csv.DictReader(io.StringIO(per_class.to_csv(results))))


@pytest.fixture
def results():
    return results_of(
        {
            "a": [{"cat": 30.0, "dog": None, "eel": 0.0}, {"cat": 40.0, "dog": None, "eel": 1.0}],
            "b": [{"cat": 20.0, "dog": 10.0, "eel": 5.0}],
        },
        {"cat": 29, "dog": 100, "eel": 30},
    )


def test_classes_with_most_objects_come_first(results):
    (found,) = per_class.class_tables(results)
    shown = [(one.name, one.train_objects, one.val_objects) for one in found.rows]
    assert shown == [("dog", 200, 100), ("eel", 60, 30), ("cat", 58, 29)]
    assert [one.is_rare for one in found.rows] == [False, False, True]
    assert found.rows[2].precision == {"a": 35.0, "b": 20.0}
    assert found.rows[0].precision == {"a": None, "b": 10.0}
    assert "chance decides" in per_class.caption(results, found)


def test_enough_objects_are_not_warned_of(results):
    results.data["embedded"].check.val.per_class["cat"] = 30
    (found,) = per_class.class_tables(results)
    assert "chance" not in per_class.caption(results, found)


def test_the_csv_file_has_all_runs_and_classes_in_full(results):
    found = lines(results)
    assert [(line["run"], line["class"]) for line in found] == [
        (name, one) for name in "ab" for one in ("dog", "eel", "cat")
    ]
    cat = found[2]
    assert (float(cat["AP"]), cat["seeds"], cat["val_objects"]) == (35.0, "0 1", "29")
    assert float(cat["sd"]) == pytest.approx(50**0.5)
    assert cat["network"] == "ResNet-18, FPN-48, 160 px"
    assert cat["digest"] == results.runs["a"].digest
    assert found[0]["AP"] == ""


def test_of_many_classes_and_runs_the_rest_is_in_the_file():
    classes = {f"c{number:02}": float(number) for number in range(25)}
    rows = [row("R", "r7"), row("S", "r8", "r7")]
    results = results_of(
        {f"r{number}": [classes] for number in range(9)},
        {name: int(value) + 1 for name, value in classes.items()},
        [table("t", *rows, metrics=["AP"])],
    )
    (found,) = per_class.class_tables(results)
    assert [one.name for one in found.rows] == [f"c{number:02}" for number in range(24, 4, -1)]
    assert found.runs == ["r0", "r1", "r2", "r3", "r7", "r8"]
    said = per_class.caption(results, found)
    assert "The 20 of 25 classes with most objects are shown." in said
    assert "The 6 of 9 runs are shown" in said
    assert len(lines(results)) == 9 * 25


def test_runs_that_fill_no_row_or_were_not_evaluated_are_left_out(results):
    results.runs["c"] = run(training("not run"))
    results.runs["a"].is_about_these_data = False
    (found,) = per_class.class_tables(results)
    assert found.runs == ["b"]
    assert {line["run"] for line in lines(results)} == {"b"}
    results.runs["b"].is_about_these_data = False
    assert per_class.class_tables(results) == []
    assert lines(results) == []


def test_each_data_set_has_a_table(results):
    results.data["other"] = results.data["embedded"]
    results.runs["b"].dataset = "other"
    assert [found.runs for found in per_class.class_tables(results)] == [["a"], ["b"]]


def test_without_a_check_objects_are_no_numbers():
    results = results_of({"a": [{"cat": 30.0}]})
    (found,) = per_class.class_tables(results)
    assert (found.rows[0].val_objects, found.rows[0].is_rare) == (None, False)
    assert lines(results)[0]["val_objects"] == ""

"""Every row of the bench runs, at small sizes, or says why it does not."""

import json
import operator
import sys
import time

import pytest

from tsd.bench import coco_sides
from tsd.bench.own_process import Spent, in_own_process
from tsd.bench.rows import Bench, Measurement, NotMeasuredError, Row, time_ratio
from tsd.bench.run import ROWS, run_bench
from tsd.bench.shared_gpu import steps_together
from tsd.cli.main import main

SMALL = Bench("cpu", rounds=1, height=64, width=96, rois=8, images=40, runs=3, seconds=0.1)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    out = tmp_path_factory.mktemp("bench") / "bench.json"
    run_bench(SMALL, out)
    return {row["id"]: row for row in json.loads(out.read_text())}


def test_rows_have_names_of_their_own():
    assert len({row.id for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_row_is_measured_or_says_why_not(row, measured):
    found = measured[row.id]
    if "cpu" in row.devices:
        assert found["value"] > 0, found
        assert found["from"] <= found["value"] <= found["to"]
    else:
        assert found["not_measured"] == "it is for cuda"
    assert "{" not in found["title"]
    assert {"device", "commit", "torch", "mmdet", "mmcv"} <= set(found)
    assert "unknown" not in (found["torch"], found["mmdet"], found["mmcv"])


def test_what_goes_wrong_in_a_row_is_said_in_its_place(monkeypatch, capsys):
    def fails(_bench):
        raise NotMeasuredError("the values differ")

    def breaks(_bench):
        raise RuntimeError("out of memory\nmore")

    rows = (
        Row("a", "a of {rois}", 1.0, "×", fails),
        Row("b", "b", None, "×", breaks),
        Row("c", "c", 1.0, "×", lambda bench: Measurement([2.0, 3.0, 4.0])),
        Row("d", "d", 5.0, "s", lambda bench: Measurement([2.0], {"one": 0.5})),
        Row("e", "e", 5.0, "", lambda bench: Measurement([2.0]), more_is_better=True),
        Row("f", "f", 1700.0, "s", lambda bench: Measurement([999.7])),
    )
    monkeypatch.setattr("tsd.bench.run.ROWS", rows)
    found = run_bench(SMALL)
    assert [row.get("not_measured") for row in found] == [
        "the values differ",
        "out of memory",
        None,
        None,
        None,
        None,
    ]
    assert found[2]["rounds"] == 3
    said = capsys.readouterr().out
    assert "a of 8\n    not measured: the values differ" in said
    assert "3 × (2.5 to 3.5), bar 1: missed" in said
    assert "2 s (2 to 2), bar 5: met; one 500.00 ms" in said
    assert "bar at least 5: missed" in said
    assert "f\n    1,000 s (1,000 to 1,000), bar 1,700: met" in said


def test_a_ratio_is_of_the_same_round():
    calls = []
    sides = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}
    found = time_ratio(Bench("cpu", rounds=2), "a", "b", sides)
    assert calls == ["a", "b"] * 3
    assert len(found.values) == 2
    assert set(found.seconds) == {"a", "b"}


def test_trainings_side_by_side_count_their_steps_together(monkeypatch):
    assert steps_together(1, "cpu", 0.1, {}) > 0
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(NotMeasuredError, match="ended before it was warm"):
        steps_together(2, "cpu", 0.1, {})


def test_sides_that_do_not_agree_are_not_timed(monkeypatch):
    monkeypatch.setattr(
        "tsd.bench.coco_evaluation.in_own_process",
        lambda side, *_files, **_options: Spent(float(side is coco_sides.ours), 1.0, 1.0, 1.0),
    )
    (row,) = (row for row in ROWS if row.id == "coco-memory")
    with pytest.raises(NotMeasuredError, match=r"AP is 1\.0, and 0\.0 by pycocotools"):
        row.measure(Bench("cpu", rounds=1, images=7))


def test_sides_that_agree_in_the_first_round_alone_are_not_timed(monkeypatch):
    found = iter([1.0, 1.0, 1.0, 0.5])
    monkeypatch.setattr(
        "tsd.bench.coco_evaluation.in_own_process",
        lambda *_files, **_options: Spent(next(found), 1.0, 1.0, 1.0),
    )
    (row,) = (row for row in ROWS if row.id == "coco-memory")
    with pytest.raises(NotMeasuredError, match=r"AP is 1\.0, and 0\.5 by pycocotools"):
        row.measure(Bench("cpu", rounds=2, images=8))


def test_memory_that_does_not_grow_is_not_compared(monkeypatch):
    monkeypatch.setattr(
        "tsd.bench.coco_evaluation.in_own_process",
        lambda *_files, **_options: Spent(1.0, 1.0, 0.1, 1.0),
    )
    (row,) = (row for row in ROWS if row.id == "coco-memory")
    with pytest.raises(NotMeasuredError, match="9 images are too few"):
        row.measure(Bench("cpu", rounds=1, images=9))


def of_much(size):
    """An argument that takes time and memory to make."""
    until = time.process_time() + 0.3
    while time.process_time() < until:
        made = bytearray(size)
    return (len(made),)


def test_a_process_of_its_own_tells_time_and_memory_of_the_call_alone():
    spent = in_own_process(bytearray, 64 * 2**20)
    assert len(spent.value) == 64 * 2**20
    assert 60 < spent.mebibytes < spent.peak
    assert spent.seconds > 0
    assert in_own_process(operator.add, 7, 2, prepare=divmod).value == 3 + 1
    spent = in_own_process(operator.neg, 64 * 2**20, prepare=of_much)
    assert spent.value == -64 * 2**20
    assert spent.mebibytes < 10
    assert spent.seconds < 0.1


def test_the_command_takes_names_of_rows(capsys, tmp_path):
    with pytest.raises(SystemExit, match="no row 'plann'; did you mean 'plan'"):
        main(["bench", "--rows", "plann"])
    with pytest.raises(SystemExit):
        main(["bench", "--rounds", "0"])
    assert "--rounds: not a whole number above 0: '0'" in capsys.readouterr().err
    main(["bench", "--rows", "pooling-mmcv", "--out", str(tmp_path / "b.json")])
    assert "not measured: it is for cuda" in capsys.readouterr().out
    assert [row["id"] for row in json.loads((tmp_path / "b.json").read_text())] == ["pooling-mmcv"]


@pytest.mark.parametrize(("value", "written"), [(1695.0, "1,695"), (0.1474, "0.147"), (30.0, "30")])
def test_a_count_is_written_out(monkeypatch, capsys, value, written):
    row = Row(
        "one", "a count", None, "operations", lambda _bench: Measurement([value], {}), ("cpu",)
    )
    monkeypatch.setattr("tsd.bench.run.ROWS", (row,))
    run_bench(SMALL, None)
    assert f"{written} operations ({written} to {written})" in capsys.readouterr().out

"""Every row of the bench runs, at small sizes, or says why it does not."""

import json

import pytest

from tsd.bench.rows import Bench, Measurement, NotMeasuredError, Row, time_ratio
from tsd.bench.run import ROWS, run_bench
from tsd.cli.main import main

SMALL = Bench("cpu", rounds=1, height=64, width=96, rois=8, images=20)


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
    )
    monkeypatch.setattr("tsd.bench.run.ROWS", rows)
    found = run_bench(SMALL)
    assert [row.get("not_measured") for row in found] == [
        "the values differ",
        "out of memory",
        None,
        None,
    ]
    said = capsys.readouterr().out
    assert "a of 8\n    not measured: the values differ" in said
    assert "3 × (2.5 to 3.5), bar 1: missed" in said
    assert "2 s (2 to 2), bar 5: met; one 500.00 ms" in said


def test_a_ratio_is_of_the_same_round():
    calls = []
    sides = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}
    found = time_ratio(Bench("cpu", rounds=2), "a", "b", sides)
    assert calls == ["a", "b"] * 3
    assert len(found.values) == 2
    assert set(found.seconds) == {"a", "b"}


def test_the_command_takes_names_of_rows(capsys, tmp_path):
    with pytest.raises(SystemExit, match="no row 'plann'; did you mean 'plan'"):
        main(["bench", "--rows", "plann"])
    main(["bench", "--rows", "pooling-mmcv", "--out", str(tmp_path / "b.json")])
    assert "not measured: it is for cuda" in capsys.readouterr().out
    assert [row["id"] for row in json.loads((tmp_path / "b.json").read_text())] == ["pooling-mmcv"]

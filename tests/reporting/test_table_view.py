"""How a table is laid out on the page, and what is said once."""

import pytest

from tests.reporting.conftest import make_results, row, run, table, training
from tsd.reporting.cells import fill
from tsd.reporting.table_view import (
    MARK,
    blocks,
    cell_word,
    columns_of,
    left_out,
    network_of_all,
    not_timed,
    row_word,
    said_once,
    shown_rows,
    sizes,
)

BY_SIZE = ["APs50", "APs75", "APm50", "APm75", "APl50", "APl75"]


def view(*rows, metrics=("AP", "AP50"), **runs):
    declared = table("one", *rows, metrics=metrics)
    results = make_results([declared], runs)
    return results, declared, fill(results, declared)


def test_a_table_by_size_has_a_line_for_each_size():
    values = {name: float(place) for place, name in enumerate(BY_SIZE)}
    results, declared, rows = view(row("A", "a"), metrics=BY_SIZE, a=run(training(**values)))
    (block,) = blocks(results, declared, rows)
    assert [head.title for head in block.heads] == ["AP .5", "AP .75"]
    assert [line.size for line in block.lines] == ["small", "medium", "large"]
    means = [[cell.measured.mean for cell in line.cells] for line in block.lines]
    assert means == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize(
    "metrics",
    [BY_SIZE[:5], BY_SIZE[:2], ["AP50", *BY_SIZE], ["APs", "APm", "APl"], ["APs50", "ARm"]],
    ids=["uneven", "one size", "all sizes too", "one metric each", "different metrics"],
)
def test_other_tables_have_a_line_for_each_row(metrics):
    results, declared, rows = view(row("A", "a"), metrics=metrics, a=run(training(AP50=1.0)))
    assert sizes(results, declared) == {}
    assert not any(block.has_sizes for block in blocks(results, declared, rows))


def test_columns_that_would_be_empty_are_left_out():
    *_, rows = view(row("A", "a"), row("B", "b"), a=run(training(AP=1.0)), b=run(training(AP=2.0)))
    assert columns_of(rows, ["AP"]) == ["measured"]
    *_, rows = view(row("A", "a", AP=1.0), row("B", "b", "a", AP=1.0), a=run(), b=run())
    assert columns_of(rows, ["AP"]) == ["measured", "paper", "gain", "paper’s gain"]
    assert columns_of(rows, ["AP50"]) == ["measured", "gain"]


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (run(training("not run")), (MARK, "", "")),
        (run(training("running")), ("running", "", "")),
        (run(training(AP=1.0, AP50=2.0)), ("", "", "")),
        (run(training(AP=1.0, AP50=2.0), training("not run")), ("1 of 2 seeds", "", "")),
        (run(training(AP=1.0), training("not run")), ("1 of 2 seeds", "", "")),
        (run(training(AP=1.0, AP50=None)), ("n/a", "", "")),
        (
            run(training(AP=1.0, AP50=None), training(AP=1.0, AP50=2.0), training("failed")),
            ("", "2 of 3 seeds", "1 of 3 seeds"),
        ),
    ],
    ids=["not run", "running", "all", "some", "not measured", "nothing there", "different"],
)
def test_what_holds_of_a_row_is_said_once(one, words):
    *_, (filled,) = view(row("A", "a"), a=one)
    assert (row_word(filled), *(cell_word(filled, cell) for cell in filled.cells)) == words


def test_rows_without_any_number_are_named_and_left_out():
    results, declared, rows = view(
        row("A", "a"),
        row("B", "b"),
        row("C", "c", AP=1.0),
        a=run(training(AP=1.0)),
        b=run(),
        c=run(),
    )
    results.runs["b"].seeds = {0: training("not run")}
    rows = fill(results, declared)
    assert [filled.row.label for filled in shown_rows(rows)] == ["A", "C"]
    assert left_out(rows) == ["Rows are left out for which nobody has a number. Not run: B (b)."]
    assert left_out(rows[:1]) == []


def test_a_missing_runtime_says_once_how_to_measure_it():
    timed = run(training(AP=1.0, runtime=3.0))
    metrics = ["AP", "runtime"]
    found = view(row("A", "a"), row("B", "b"), metrics=metrics, a=run(training(AP=1.0)), b=timed)
    (text,) = not_timed(*found)
    assert "snakemake --config scale=mini -- one" in text
    assert not_timed(*view(row("B", "b"), metrics=metrics, b=timed)) == []
    waiting = run(training("not run"))
    assert not_timed(*view(row("A", "a"), metrics=metrics, a=waiting)) == []


def test_one_network_of_all_rows_is_said_once():
    *_, rows = view(row("A", "a"), row("B", "b"), row("C"), a=run(training()), b=run(training()))
    assert network_of_all(rows) == "ResNet-18, FPN-48, 160 px"
    rows[0].run.network = "another"
    assert network_of_all(rows) == ""
    assert network_of_all(rows[2:]) == ""


def test_what_several_tables_say_is_said_once():
    assert said_once([["a", "b", "b"], ["a"], []]) == ["a"]

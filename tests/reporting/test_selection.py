"""A report is about what was asked for: tables, figures, claims and runs."""

import pytest

from tests.reporting.claims import UP, claim
from tests.reporting.conftest import figure, make_results, row, run, table, training
from tsd.experiments.claims_schema import Claim
from tsd.experiments.settings import open_grid
from tsd.reporting.cells import fill
from tsd.reporting.gains_figure import draw_gains
from tsd.reporting.headline import headline
from tsd.reporting.page import headline as tables_as_text
from tsd.reporting.page import write_pages, write_parts
from tsd.reporting.selection import (
    about,
    combined,
    each_run_once,
    figures,
    remark,
    selection_of,
    tables,
)
from tsd.results.collected import CollectedSelection


def results(asked, runs, left_out=()):
    """Two tables and a figure of four runs, of which one is only a baseline."""
    first = table(
        "first",
        row("A", "a", "b", AP=2.0),
        row("B", "b", AP=1.0),
        row("C", "c", "b", AP=3.0),
        row("Only published", None, AP=9.0),
        metrics=["AP"],
    )
    second = table("second", row("A again", "a", "c"), row("D", "d"), metrics=["AP"])
    made = make_results(
        [first, second],
        {
            "a": run(training(AP=32.0), training(AP=32.2)),
            "b": run(training(AP=30.0), training(AP=30.2)),
            "c": run(training("not run")),
            "d": run(training("not run")),
            "e": run(training(AP=1.0)),
        },
    )
    made.claims = [
        Claim.model_validate(claim(UP, id="a_over_b")),
        Claim.model_validate(
            claim({**UP, "pairs": [{"run": "c", "baseline": "b"}]}, id="c_over_b")
        ),
    ]
    made.figures = [
        figure("both", "bars", {"label": "A", "run": "a"}, {"label": "B", "run": "b"}),
        figure("more", "bars", {"label": "A", "run": "a"}, {"label": "C", "run": "c"}),
    ]
    if asked is not None:
        made.selection = CollectedSelection(
            asked=list(asked), runs=list(runs), left_out=list(left_out)
        )
    return made


def rows_of(tables):
    return {one.id: [row.run for row in one.rows] for one in tables}


def test_two_runs_are_two_rows():
    made = results(["a", "b"], ["a", "b"], left_out=["c", "d", "e"])
    assert rows_of(each_run_once(made)) == {"first": ["a", "b"]}
    text = tables_as_text(made)
    assert "+2.0" in text
    assert "not run" not in text
    assert text.endswith("3 further declared runs were not asked for.")


def test_a_table_that_is_asked_for_stays_whole_and_others_have_the_rest():
    made = results(["first", "d"], ["a", "b", "c", "d"], left_out=["e"])
    listed = rows_of(each_run_once(made))
    assert listed == {"first": ["a", "b", "c", None], "second": ["d"]}
    assert remark(made) == "1 further declared run was not asked for."


def test_a_run_that_stands_in_no_table_has_one_of_its_own():
    made = results(["e"], ["e"])
    assert rows_of(each_run_once(made)) == {"others": ["e"]}
    assert "1.0" in tables_as_text(made).splitlines()[-1]


def test_claims_and_figures_are_those_whose_runs_are_all_asked_for():
    chosen = about(results(["a", "b"], ["a", "b"]))
    assert [one.id for one in chosen.claims] == ["a_over_b"]
    assert [one.id for one in figures(chosen)] == ["both"]
    assert [one.id for one in figures(results(["more"], ["a", "c"]))] == ["more"]


def test_what_was_evaluated_stays_as_a_baseline_and_what_was_not_goes():
    chosen = about(results(["a"], ["a"]))
    assert chosen.runs.keys() == {"a", "b", "e"}
    assert "+2.0" in tables_as_text(results(["a"], ["a"]))


def test_the_papers_numbers_are_found_in_tables_that_are_not_shown():
    made = results(["d"], ["d"])
    made.tables[1].rows[1] = row("D", "d", "c", AP=7.5)
    (shown,) = tables(about(made))
    (filled,) = fill(about(made), shown)
    assert filled.cells[0].published_gain == 4.5  # 3.0 stands in the first table


def test_cards_link_to_tables_that_are_shown():
    made = results(["d"], ["d"])
    made.runs["a"].tables = ["first", "second"]
    assert about(made).runs["a"].tables == ["second"]


def test_where_all_are_asked_for_nothing_is_left_out():
    made = results(None, ())
    assert about(made) is made
    assert each_run_once(made) == made.tables
    assert remark(made) == ""
    assert "further" not in tables_as_text(made)


def test_a_run_that_is_asked_for_and_cannot_be_made_is_told_with_the_reason():
    made = results(["a", "m6"], ["a", "m6"], left_out=["c"])
    assert remark(made) == "1 further declared run was not asked for."
    made.selection.absent["m6"] = "smoke.yaml: nothing stands for 'r34'"
    said = "Run m6 cannot be made: smoke.yaml: nothing stands for 'r34'. 1 further declared"
    assert remark(made).startswith(said)
    assert said in tables_as_text(made)
    assert combined(made.selection, made.selection).absent == made.selection.absent


def test_the_sentence_counts_what_was_asked_for():
    said = headline(results(["a", "b"], ["a", "b"]))
    assert "differs from `b` by +2.0 AP" in said
    assert "(4 trainings, 2 seeds per run; of 1 claim " in said
    assert "(5 trainings, 1 to 2 seeds per run; of 2 claims " in headline(results(None, ()))


def test_the_pages_and_the_figure_of_gains_leave_the_rest_out(tmp_path, monkeypatch):
    made = results(["a", "b"], ["a", "b"], left_out=["c", "d"])
    made.figures = []
    made.write(tmp_path / "results.json")
    write_parts(tmp_path / "results.json")
    drawn = []
    monkeypatch.setattr(
        "tsd.reporting.gains_figure._draw_lines", lambda _, gains, *more: drawn.extend(gains)
    )
    draw_gains(tmp_path / "results.json", tmp_path / "gains.png")
    assert [gain.row.run for gain in drawn] == ["a"]
    write_pages(tmp_path / "results.json")
    for name in ("index.html", "report.md"):
        page = (tmp_path / name).read_text()
        assert "2 further declared runs were not asked for." in page
        assert "not run" not in page
        assert "run-d" not in page


@pytest.mark.parametrize("is_named", [False, True])
def test_what_has_results_is_asked_for_only_where_nothing_is_named(tmp_path, is_named):
    (tmp_path / "mini" / "x101" / "0123456789").mkdir(parents=True)
    settings = {"scale": "mini"} | ({"only": "table2"} if is_named else {})
    grid = open_grid(settings, tmp_path)
    chosen = selection_of(grid)
    assert ("x101" in chosen.runs) is not is_named
    assert ("x101" in chosen.left_out) is is_named
    assert {"tsd_wo_pc", "tsd_joint"} <= {*chosen.runs}
    assert not {*chosen.runs} & {*chosen.left_out}
    assert selection_of(open_grid({"scale": "mini", "only": "all"}, tmp_path)) is None


def test_two_selections_are_combined_to_one():
    first = CollectedSelection(asked=["a"], runs=["a"], left_out=["b", "c"])
    other = CollectedSelection(asked=["b"], runs=["b"], left_out=["a", "c"])
    assert combined(first, other) == CollectedSelection(
        asked=["a", "b"], runs=["a", "b"], left_out=["c"]
    )
    assert combined(first, None) is None

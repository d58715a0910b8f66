"""The ledger: how runs differ from the protocols to compare with; and rows that are about one."""

import pandas
import pytest

from tests.reporting.conftest import make_results, row, run, table, training
from tsd.experiments.protocol_schema import Decision
from tsd.experiments.schema import Source
from tsd.reporting import ledger, tables
from tsd.reporting.cells import measure
from tsd.reporting.page import write_pages, write_parts
from tsd.results.collected import CollectedDeviation, CollectedProtocol, State

LOSS = CollectedDeviation(decision="box-loss", here="L1", there="smooth L1")
CLIP = CollectedDeviation(decision="clipping", here="at 5", there="none")


@pytest.fixture
def results():
    runs = {name: run(training(AP=30.0)) for name in ("base", "other", "third")}
    runs["base"].deviations = {"paper": [CLIP], "released": []}
    runs["other"].deviations = {"paper": [CLIP, LOSS], "released": [LOSS]}
    runs["third"].deviations = {"paper": [CLIP], "released": []}
    for one in runs.values():
        one.protocol = "paper"
    runs["third"].protocol = "own"
    rows = [
        row("Base", "base"),
        row("Other", "other").model_copy(update={"elsewhere": {"port": {"AP": 38.9}}}),
        row("Third", "third").model_copy(update={"protocol": "paper"}),
    ]
    made = make_results([table("options", *rows, metrics=["AP"])], runs)
    made.protocol = "paper"
    made.protocols = {
        name: CollectedProtocol(title=f"as {name} says", note="A note.", is_reference=name != "own")
        for name in ("own", "paper", "released")
    }
    made.decisions = {
        name: Decision(id=name, question=question, paper="silent", code="other", here="this")
        for name, question in (("box-loss", "Box loss"), ("clipping", "Clipping"))
    }
    made.sources = {"port": Source(id="port", title="a port", where="its site", note="Other code.")}
    return made


def test_deviations_are_grouped_by_what_is_done_in_the_order_of_the_questions(results):
    assert ledger.references(results) == ["paper", "released"]
    assert ledger.entries(results, "paper") == [
        ledger.Entry("Box loss", "L1", "smooth L1", ["other"]),
        ledger.Entry("Clipping", "at 5", "none", ["base", "other", "third"]),
    ]
    assert [one.runs for one in ledger.entries(results, "released")] == [["other"]]
    assert ledger.runs_text(results, ["base", "other", "third"]) == "all runs"
    assert ledger.runs_text(results, ["other"]) == "other"


def test_runs_that_are_not_shown_or_not_compiled_are_left_out(results):
    results.runs["other"].at_scale = False
    results.runs["third"].digest = None
    assert ledger.entries(results, "paper") == [ledger.Entry("Clipping", "at 5", "none", ["base"])]


def test_what_runs_follow_is_said(results):
    text = ledger.protocol_text(results)
    assert text.startswith("Runs follow the protocol paper: as paper says.")
    assert "follow their own: own." in text
    results.protocol = None
    assert "no declared protocol" in ledger.protocol_text(results)


def test_a_row_about_a_protocol_stays_empty_where_its_run_follows_another(results):
    assert measure(results, "third", "AP", "paper").state is State.NOT_UNDER_PROTOCOL
    assert measure(results, "third", "AP", "own").mean == 30.0
    assert measure(results, "third", "AP").mean == 30.0
    assert "under another protocol" in tables.to_markdown(results, results.tables[0])


def test_others_numbers_stand_beside_the_papers_with_their_source(results):
    text = tables.to_markdown(results, results.tables[0])
    assert "38.9 (a port)" in text
    assert "- a port: its site. Other code." in text
    results.tables[0].rows[1] = row("Other", "other")
    assert "Elsewhere" not in tables.to_markdown(results, results.tables[0])


def test_page_and_file_have_all_of_it(results, tmp_path):
    path = tmp_path / "results.json"
    results.write(path)
    write_parts(path)
    html = write_pages(path).read_text()
    section = html.partition('id="protocol"')[2].partition("</section>")[0]
    for words in ("smooth L1", "at 5", "Box loss", "all runs", "as released says"):
        assert words in section
    card = html.partition('id="run-other"')[2].partition("</article>")[0]
    assert "differs from “released” in: Box loss" in card
    assert "does not differ from “released”" in html.partition('id="run-base"')[2]
    assert "38.9<small>a port</small>" in html
    markdown = (tmp_path / "report.md").read_text()
    assert "- Box loss: here L1; there smooth L1 (other)" in markdown
    frame = pandas.read_csv(tmp_path / ledger.FILE)
    assert len(frame) == 5
    assert set(frame[frame.run == "other"].compared_with) == {"paper", "released"}

"""A run that is asked for by its name, and does not exist at the scale, is told with the reason."""

import re
from pathlib import Path

import pytest

from tsd.cli.main import main
from tsd.experiments.grid import Grid
from tsd.experiments.planning import absent, absent_runs
from tsd.experiments.reading import DeclarationError
from tsd.experiments.settings import open_grid
from tsd.reporting.selection import selection_of

NOTHING = "experiments/scales/transfer.yaml: key backbones: nothing stands for 'r101'; add an entry"


@pytest.fixture(scope="module")
def transfer() -> Grid:
    """A scale with one backbone for all, which has no run with another."""
    return open_grid({"scale": "transfer", "only": "all"}, Path("nowhere"))


def test_a_run_is_told_with_the_file_the_key_and_what_helps(transfer):
    (text,) = absent(transfer.asking_for(["r50", "r101"]))
    assert text.startswith(f"run r101 cannot be made: {NOTHING}")
    (text,) = absent(transfer.asking_for(["r101", "r101_tsd"]))
    assert text.startswith(f"2 runs (r101, r101_tsd) cannot be made: {NOTHING}")
    (text,) = absent(transfer, ["r101"])
    assert text.startswith("run r101 cannot be made: ")


@pytest.mark.parametrize("only", ["table5", "r50,d_head", "all"])
def test_a_run_that_comes_with_a_table_or_with_all_is_not_told(only):
    grid = open_grid({"scale": "transfer", "only": only})
    assert {"r101", "x101"} & ({*grid.experiments.runs} - {job.run.id for job in grid.jobs})
    assert absent(grid) == []


def test_a_table_of_which_nothing_remains_is_told(transfer):
    experiments = transfer.experiments
    table = experiments.tables["table5"]
    rows = [row for row in table.rows if row.run in ("r101", "r101_tsd")]
    rows = [row.model_copy(update={"baseline": None}) for row in rows]
    assert len(rows) == 2
    experiments.tables["large"] = table.model_copy(update={"id": "large", "rows": rows})
    try:
        assert absent_runs(transfer, ["large"]).keys() == {"r101", "r101_tsd"}
        assert absent_runs(transfer, ["table5"]) == {}
    finally:
        del experiments.tables["large"]


def test_what_is_left_out_for_its_data_is_told_elsewhere(transfer):
    asked = transfer.asking_for(["oi_r50"])
    assert absent(asked) == []


def test_the_training_itself_is_refused_with_the_reason(transfer):
    message = f"run r101 cannot be made at scale transfer: {NOTHING}"
    with pytest.raises(DeclarationError, match=re.escape(message)):
        transfer.job("r101", 0)


def test_a_run_without_its_file_of_weights_is_told_and_never_trained(tmp_path):
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"")
    settings = {"scale": "released", "checkpoint": f"released_r50={weights}"}
    every = open_grid({**settings, "only": "all"}).experiments.runs.values()
    taking = [run for run in every if run.checkpoint not in (None, "released_r50")]
    assert taking
    grid = open_grid({**settings, "only": taking[0].id})
    (text,) = absent(grid)
    assert text.startswith(f"run {taking[0].id} cannot be made: {taking[0].origin}: key checkpoint")
    assert f"checkpoint={taking[0].checkpoint}=FILE" in text
    with pytest.raises(DeclarationError, match="key checkpoint: no file is given"):
        grid.job(taking[0].id, 0)


def test_the_report_has_the_reason(transfer):
    selection = selection_of(transfer.asking_for(["r50", "r101"]))
    assert selection.absent.keys() == {"r101"}
    assert selection.absent["r101"].startswith(NOTHING)
    assert selection_of(transfer.asking_for(["table5"])).absent == {}


def test_plan_status_and_costs_name_it(tmp_path, capsys):
    for words in (["plan", "r101,r50"], ["status", "--only=r101"], ["cost", "--only=r101"]):
        main([*words, "--scale=transfer", f"--results={tmp_path}"])
        said = capsys.readouterr().out
        assert f"run r101 cannot be made: {NOTHING}" in said, words
        assert "0 runs" not in said

"""What `python -m tsd diff` says of two runs."""

import pytest

from tests.reporting.conftest import train_record
from tsd.cli.main import main
from tsd.experiments.deviations import leaves
from tsd.experiments.metrics import EVALUATION_VERSION
from tsd.experiments.settings import open_grid
from tsd.results.records import EvaluationRecord
from tsd.run_folder import update_status


@pytest.fixture
def diff(tmp_path, capsys):
    """Says how two runs differ at the scale smoke."""

    def ask(*arguments):
        main(["diff", *arguments, "--scale=smoke", f"--results={tmp_path}"])
        return capsys.readouterr().out

    return ask


@pytest.fixture
def evaluate(tmp_path):
    """Leaves what an evaluated training leaves."""
    grid = open_grid({"scale": "smoke"}, tmp_path)

    def leave(run, seed, **metrics):
        job = grid.job(run, seed)
        train_record(key=job.key, seed=seed).write(job.folder.train)
        EvaluationRecord(
            key=job.key, version=EVALUATION_VERSION, metrics=metrics, per_class={}
        ).write(job.folder.metrics)
        update_status(job.folder, state="done", error=None)

    return leave


def row(output, head):
    """The cells of the line that begins with a head."""
    (line,) = (line for line in output.splitlines() if line.strip().startswith(head))
    return [cell.strip() for cell in line.strip().split("  ") if cell.strip()]


def test_the_configs_are_compared_leaf_by_leaf(diff):
    output = diff("r50", "tsd_pc")
    assert row(output, "model.roi_head.type")[1:] == ['"StandardRoIHead"', '"TSDRoIHead"']
    assert row(output, "model.roi_head.progressive_constraint.m_c")[1:] == ["—", "0.2"]
    assert "model.backbone" not in output
    assert "no training of r50 nor of tsd_pc is evaluated" in output


def test_a_run_does_not_differ_from_itself_but_its_seeds_do(diff, evaluate):
    evaluate("r50", 0, AP=30.0)
    evaluate("r50", 1, AP=31.5)
    output = diff("r50:0", "r50:1")
    assert "Their compiled configs are the same." in output
    assert row(output, "AP (%)") == ["AP (%)", "30.0", "31.5", "+1.5"]
    assert "not even the direction of a difference is reliable" in output


def test_results_are_compared_over_the_seeds_that_were_trained(diff, evaluate):
    evaluate("r50", 0, AP=30.0)
    evaluate("r50", 1, AP=32.0)
    evaluate("tsd_pc", 0, AP=35.0)
    evaluate("tsd_pc", 1, AP=37.0, AP50=None)
    output = diff("r50", "tsd_pc")
    assert row(output, "AP (%)") == ["AP (%)", "31.0 ± 1.4", "36.0 ± 1.4", "+5.0 ± 1.4"]
    assert row(output, "#param (M)")[-1] == "0.0"  # no ± where there is no chance
    assert "evaluated seeds: 0, 1; tsd_pc has" in output
    assert "AP.5 (%)" not in output
    assert row(diff("r50", "tsd_pc", "--seeds=1"), "AP (%)")[-1] == "+5.0"
    assert "no training of tsd_pc:2 is evaluated" in diff("r50", "tsd_pc:2")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["r50", "tsd_pcc"], "unknown run 'tsd_pcc'; did you mean 'tsd_pc'"),
        (["r50:first", "tsd_pc"], "'r50:first' is no training: RUN:SEED is one, such as r50:0"),
    ],
)
def test_what_is_no_run_is_refused(diff, names, message):
    with pytest.raises(SystemExit, match=message):
        diff(*names)


def test_leaves_are_told_by_their_dotted_paths():
    config = {"a": {"b": (1, {"c": None})}, "d": {}, "e": []}
    assert leaves(config, "") == {"a.b.0": 1, "a.b.1.c": None, "d": {}, "e": []}

"""What `python -m tsd status` says of a grid, from the files of its trainings."""

import io
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tests.reporting.conftest import train_record
from tsd.cli import overview as overview_module
from tsd.cli import questions
from tsd.cli import watch as watch_module
from tsd.cli.overview import Line, Overview, look_at
from tsd.cli.watch import picture, watch
from tsd.cluster.slurm_logs import log_folder
from tsd.experiments.metrics import EVALUATION_VERSION
from tsd.results.collected import State
from tsd.results.records import EvaluationRecord
from tsd.run_folder import read_json, update_status


@pytest.fixture
def status(smoke_grid, monkeypatch, capsys):
    """Asks for the status of the smoke grid; returns its lines by run."""
    monkeypatch.setattr(questions, "grid_of", lambda options: smoke_grid)

    def ask(**options):
        questions.status(Namespace(experiments="experiments", watch=False, **options))
        lines = capsys.readouterr().out.splitlines()
        return {line.split()[0]: line for line in lines}

    return ask


def finish(job, **metrics):
    """Write what a finished training leaves, as far as its status is concerned."""
    train_record(key=job.key).write(job.folder.train)
    EvaluationRecord(key=job.key, version=EVALUATION_VERSION, metrics=metrics, per_class={}).write(
        job.folder.metrics
    )
    update_status(job.folder, state="done", error=None)


def shown(overview, height=40, width=110):
    """The table on a terminal of that size, as text."""
    console = Console(file=io.StringIO(), width=width, height=height)
    console.print(picture(overview, height))
    return console.file.getvalue()


def test_a_training_without_ap_is_told_by_the_metric_that_it_has(smoke_grid, status):
    finish(smoke_grid.job("oi_r50", 0), AP50=31.25)
    finish(smoke_grid.job("r50", 0), AP=12.34, AP50=20.0)
    finish(smoke_grid.job("d_head", 0), AP=None)
    lines = status()
    assert lines["oi_r50"].endswith("AP.5 31.2")
    assert lines["r50"].endswith("AP 12.3")
    assert lines["d_head"].endswith("nothing to measure")
    assert "3 evaluated" in lines["smoke:"]


def test_a_failed_training_is_told_with_its_progress_its_reason_and_its_log(smoke_grid, status):
    job = smoke_grid.job("r50", 0)
    update_status(job.folder, state="failed", error="ValueError: no\nmore")
    assert status()["r50"].endswith("failed      ValueError: no")
    update_status(job.folder, iteration=3, max_iterations=4)
    assert status()["r50"].endswith("failed      3 / 4, ValueError: no")
    job.folder.log.parent.mkdir()
    job.folder.log.touch()
    assert status()["r50"].endswith(f"ValueError: no (log: {job.folder.log})")
    detecting = job.folder.log.with_name("detect.log")
    update_status(job.folder, log=str(detecting))
    assert status()["r50"].endswith(f"(log: {job.folder.log})")  # there is no other
    detecting.touch()
    assert status()["r50"].endswith(f"(log: {detecting})")


def test_a_training_that_has_not_begun_is_told_with_its_cost(smoke_grid, status):
    assert status()["r50"].endswith("not run")
    one = smoke_grid.job("tsd_pc", 0)
    train_record(key=one.key, seconds=1800.0).write(one.folder.train)
    update_status(one.folder, state="done")
    lines = status()
    assert lines["r50"].endswith("not run     about 0.50 core hours (measured of other runs)")
    waiting = len(smoke_grid.jobs) - 1
    assert f"take about {waiting / 2:,.2f} core hours." in lines["The"]


def test_a_training_in_slurms_queue_is_told_until_it_has_started(smoke_grid, status):
    folder = log_folder(smoke_grid.job("r50", 0))
    folder.mkdir(parents=True)
    assert status()["r50"].endswith("submitted to SLURM, which has not started it")
    (folder / "17.log").touch()
    assert status()["r50"].endswith("not run")


def test_what_is_left_of_a_training_shrinks_as_time_goes_by(smoke_grid, monkeypatch):
    job = smoke_grid.job("r50", 0)
    update_status(job.folder, state="running", iteration=1, max_iterations=4, seconds_left=600.0)
    grid = replace(smoke_grid, only=("r50",), is_named=True)
    (line,) = look_at(grid, None).lines
    assert 500 < line.seconds_left <= 600
    assert line.details.startswith("1 / 4, ")
    update_status(job.folder, seconds_left=600.0)
    later = read_json(job.folder.status)["updated"] + 245
    monkeypatch.setattr(overview_module.time, "time", lambda: later)
    (line,) = look_at(grid, None).lines
    assert line.details == "1 / 4, 5 min 55 s left"


def test_what_is_named_is_told_and_nothing_else(smoke_grid, status, monkeypatch):
    finish(smoke_grid.job("d_head", 0), AP=1.0)
    named = replace(smoke_grid, only=("r50", "tsd_pc"), is_named=True)
    monkeypatch.setattr(questions, "grid_of", lambda options: named)
    lines = status()
    assert lines.keys() == {"r50", "tsd_pc", "smoke:", "The"}
    assert "take about 2.07 core hours." in lines["The"]
    assert lines["smoke:"] == f"smoke: 2 not run, {len(named.jobs) - 2} not asked for"
    by_scale = replace(named, is_named=False)
    monkeypatch.setattr(questions, "grid_of", lambda options: by_scale)
    assert status().keys() == {"r50", "tsd_pc", "d_head", "smoke:", "The"}


LINES = (
    Line("done", 0, State.EVALUATED, "AP 12.3"),
    Line("waiting", 0, State.NOT_RUN, "about 1.00 core hours (measured)"),
    Line("broken", 0, State.FAILED, "ValueError: no", 3, 4, log=Path("a/train.log")),
    Line("going", 0, State.RUNNING, "", 20, 400, seconds_left=90.0),
)


def overview(*lines):
    return Overview("smoke", lines, 5, "1.00 core hours", ["A remark."])


def test_a_terminal_shows_what_runs_first_with_progress_reason_and_log():
    text = shown(overview(*LINES))
    rows = [line.split()[0] for line in text.splitlines() if " 0 " in line]
    assert rows == ["going", "broken", "waiting", "done"]
    assert "20 / 400" in text
    assert "1 min 30 s left" in text
    assert "ValueError: no" in text
    assert "log: a/train.log" in text
    assert "A remark." in text
    assert "1 evaluated, 1 failed, 1 not run, 1 running, 5 not asked for" in text
    assert "more" not in text


def test_what_does_not_fit_on_a_terminal_is_counted():
    waiting = [replace(LINES[1], seed=seed) for seed in range(50)]
    text = shown(overview(LINES[3], LINES[0], *waiting), height=20)
    assert len(text.splitlines()) <= 20
    assert "going" in text
    rows = sum("not run" in line and " waiting " in line for line in text.splitlines())
    assert rows > 5
    assert f"{50 - rows} more not run, 1 more evaluated" in text


def test_watching_ends_once_all_are_evaluated(monkeypatch):
    monkeypatch.setattr(watch_module, "SECONDS", 0)
    looks = iter([overview(*LINES), overview(LINES[3]), overview(LINES[0])])
    console = Console(file=io.StringIO(), width=100, height=30)
    watch(lambda: next(looks), console)
    assert next(looks, None) is None
    assert "Ctrl-C" not in console.file.getvalue()


def test_ctrl_c_ends_watching_without_a_traceback(monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    watch(interrupt, Console(file=io.StringIO()))


def test_what_is_no_terminal_gets_text_though_it_asks_to_watch(smoke_grid, monkeypatch, capsys):
    monkeypatch.setattr(questions, "grid_of", lambda options: smoke_grid)
    questions.status(Namespace(experiments="experiments", watch=True))
    assert "seed 0  not run" in capsys.readouterr().out

"""What `python -m tsd status` says of a grid, from the files of its trainings."""

from argparse import Namespace

import pytest

from tests.reporting.conftest import train_record
from tsd.cli import questions
from tsd.experiments.metrics import EVALUATION_VERSION
from tsd.results.records import EvaluationRecord
from tsd.run_folder import update_status


@pytest.fixture
def status(smoke_grid, monkeypatch, capsys):
    """Asks for the status of the smoke grid; returns its lines by run."""
    monkeypatch.setattr(questions, "grid_of", lambda options: smoke_grid)

    def ask():
        questions.status(Namespace())
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


def test_a_training_without_ap_is_told_by_the_metric_that_it_has(smoke_grid, status):
    finish(smoke_grid.job("oi_r50", 0), AP50=31.25)
    finish(smoke_grid.job("r50", 0), AP=12.34, AP50=20.0)
    finish(smoke_grid.job("d_head", 0), AP=None)
    lines = status()
    assert lines["oi_r50"].endswith("AP.5 31.2")
    assert lines["r50"].endswith("AP 12.3")
    assert lines["d_head"].endswith("nothing to measure")
    assert "3 evaluated" in lines["smoke:"]


def test_a_failed_training_is_told_with_its_progress_and_reason(smoke_grid, status):
    job = smoke_grid.job("r50", 0)
    update_status(job.folder, state="failed", error="ValueError: no\nmore")
    assert status()["r50"].endswith("failed      ValueError: no")
    update_status(job.folder, iteration=3, max_iterations=4)
    assert status()["r50"].endswith("failed      3 / 4, ValueError: no")

"""Runs over their seeds come into MLflow from the collected results, and leave with their seeds."""

import json
import shutil
from argparse import Namespace
from dataclasses import replace

import pytest
from mlflow import MlflowClient

from tests.reporting.conftest import train_record
from tsd.cli import steps, summary_step
from tsd.experiments.card import card_of, places_of
from tsd.experiments.metrics import EVALUATION_VERSION
from tsd.experiments.reading import DeclarationError
from tsd.reporting.cells import fill
from tsd.reporting.collect import collect
from tsd.results.collected import Results
from tsd.results.records import EvaluationRecord, SummariesRecord
from tsd.run_folder import update_status
from tsd.tracking.store import prepare_store

RUNS = {"tsd_joint": (30.0, 30.5), "tsd_wo_pc": (28.0, 29.0), "tsd_pc": (33.0,)}


@pytest.fixture
def grid(smoke_grid, tmp_path, empty_store, monkeypatch):
    """A grid with some evaluated trainings, and a store of its own; the store is the database."""
    grid = replace(smoke_grid, scale=smoke_grid.scale.model_copy(update={"seeds": [0, 1]}))
    for run, values in RUNS.items():
        for seed, value in enumerate(values):
            finish(grid.job(run, seed), value)
    shutil.copy(empty_store, tmp_path)
    prepare_store(f"sqlite:///{tmp_path}/mlflow.db", [grid.experiment])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setattr(summary_step, "grid_of", lambda options: grid)
    monkeypatch.setattr(steps, "grid_of", lambda options: grid)
    return grid


def finish(job, value):
    train_record(key=job.key, seed=job.seed).write(job.folder.train)
    EvaluationRecord(
        key=job.key, version=EVALUATION_VERSION, metrics={"AP": value}, per_class={}
    ).write(job.folder.metrics)
    update_status(job.folder, state="done", error=None)


def collected(grid):
    """Collect what there is now, where the report has it."""
    path = grid.report_folder / "results.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    jobs = [grid.job(run, seed) for run in RUNS for seed in (0, 1)]
    collect(replace(grid, only=tuple(RUNS)), jobs).write(path)
    return path


def track(grid):
    out = summary_step.summaries_record(grid)
    summary_step.track_summaries(Namespace(collected=collected(grid), out=out))
    return SummariesRecord.read(out)


def in_store(grid):
    """Name of the run → its entry in MLflow."""
    client = MlflowClient()
    number = client.get_experiment_by_name(grid.experiment).experiment_id
    found = client.search_runs([number], "tags.kind = 'summary'")
    assert len({run.data.tags["run"] for run in found}) == len(found)
    return {run.data.tags["run"]: run for run in found}


def test_every_run_over_its_seeds_follows_its_trainings(grid):
    record = track(grid)
    found = in_store(grid)
    assert record.runs == {run: entry.info.run_id for run, entry in found.items()}
    assert set(found) == set(RUNS)
    joint = found["tsd_joint"]
    assert joint.info.run_name == "tsd_joint · all seeds"
    results = Results.read(grid.report_folder / "results.json")
    checked = 0
    for table in results.tables:
        for filled in fill(results, table):
            for cell in filled.cells:
                if filled.row.run not in found or cell.measured.mean is None:
                    continue
                metrics, name = found[filled.row.run].data.metrics, cell.metric
                assert metrics[f"{name}/mean"] == cell.measured.mean
                assert metrics.get(f"{name}/sd") == cell.measured.sd
                assert metrics[f"{name}/n"] == len(cell.measured.values)
                if cell.gain is not None:
                    over = f"_over_{filled.row.baseline}"
                    assert metrics[f"{name}/gain{over}"] == cell.gain
                    assert metrics.get(f"{name}/gain_sd{over}") == cell.gain_sd
                    assert metrics.get(f"{name}/gain_paper{over}") == cell.published_gain
                    checked += 1
    assert checked >= 3
    low, high = (joint.data.metrics[f"AP/gain_{end}_over_tsd_wo_pc"] for end in ("low", "high"))
    assert low < 1.75 < high
    assert joint.data.metrics["AP/paper"] > 30
    assert "AP/sd" not in found["tsd_pc"].data.metrics, "it has one training"
    assert joint.data.tags["seeds"] == "0 1"
    # The same parameters as a training's, so that a page can compare the two.
    job = grid.job("tsd_joint", 0)
    params = card_of(job, places_of("tsd_joint", grid.experiments))["params"]
    texts = {name: v if isinstance(v, str) else json.dumps(v) for name, v in params.items()}
    assert joint.data.params == {**texts, "seed": "all"}

    assert track(grid) == record, "nothing has changed"

    shutil.rmtree(grid.job("tsd_joint", 1).folder.path)
    shutil.rmtree(grid.job("tsd_wo_pc", 0).folder.path.parent)
    track(grid)
    after = in_store(grid)
    assert set(after) == {"tsd_joint", "tsd_pc"}
    # Its own training is what it was, and that of its baseline is one less.
    assert found["tsd_pc"].data.metrics["AP/gain_over_tsd_joint"] == 2.75
    assert after["tsd_pc"].data.metrics["AP/gain_over_tsd_joint"] == 3.0
    assert after["tsd_joint"].data.metrics["AP/n"] == 1
    assert "AP/gain_over_tsd_wo_pc" not in after["tsd_joint"].data.metrics


def test_a_store_that_is_away_stops_nothing_and_is_caught_up_with(grid, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        record = track(grid)
    assert "127.0.0.1:1" in record.error
    assert record.runs == {}
    steps.track_missing(Namespace())
    assert SummariesRecord.read(summary_step.summaries_record(grid)).error is None
    assert set(in_store(grid)) == set(RUNS)


def test_a_run_that_was_declared_otherwise_since_is_refused(grid):
    path = collected(grid)
    results = Results.read(path)
    results.runs["tsd_pc"].digest = "0123456789"
    results.write(path)
    options = Namespace(collected=path, out=summary_step.summaries_record(grid))
    with pytest.raises(DeclarationError, match="tsd_pc was collected as 0123456789"):
        summary_step.track_summaries(options)

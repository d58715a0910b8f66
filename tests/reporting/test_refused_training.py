"""A training whose files cannot be believed is shown with the reason, and no other with it."""

import json
import shutil

import pytest

from tests.reporting.bundled_grid import grid, measure, project
from tsd.cli.main import main
from tsd.cli.overview import look_at
from tsd.cli.steps import _into_mlflow
from tsd.reporting.collect import seeds_found
from tsd.results.collected import Results, State
from tsd.run_folder import RunFolder, read_json

SMOKE = ["--scale", "smoke"]


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """Two evaluated trainings of a project, which is the current folder."""
    monkeypatch.chdir(project(tmp_path / "project"))
    both = [grid().job(name, 0) for name in ("tsd_joint", "tsd_wo_pc")]
    for job, ap in zip(both, (30.0, 32.5), strict=True):
        measure(job, ap)
    return both


def spoil(path, **changes):
    path.write_text(json.dumps({**read_json(path), **changes}))


def test_the_report_shows_the_others_and_why_one_is_refused(jobs, tmp_path, monkeypatch, capsys):
    """In the report of the grid, and in that of a bundle of it elsewhere."""
    spoil(jobs[0].folder.metrics, metrics={"AP": 300.0})
    main(["report", *SMOKE])
    main(["bundle", *SMOKE, "--out", str(tmp_path / "b.zip")])
    assert f"{jobs[0].key} is left out: {jobs[0].folder.metrics}: key" in capsys.readouterr().out
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    main(["report", "--from", str(tmp_path / "b.zip")])
    for folder in (
        tmp_path / "project/reports/smoke.unfinished",
        tmp_path / "elsewhere/reports/smoke.bundled",
    ):
        runs = Results.read(folder / "results.json").runs
        refused, other = runs["tsd_joint"].seeds[0], runs["tsd_wo_pc"].seeds[0]
        assert (refused.state, refused.metrics) == (State.REFUSED, {})
        assert (other.state, other.metrics["AP"]) == (State.EVALUATED, 32.5)
        for name in ("report.md", "index.html"):
            text = (folder / name).read_text(encoding="utf-8")
            assert "AP is 300, but can only be from 0 to 100" in text, name
            assert "32.5" in text, name
        assert "refused: a file of the training cannot be believed" in text


def test_a_copied_seed_is_no_seed_of_its_own(jobs):
    source = jobs[0].folder.path
    copy = grid(seeds=2).job("tsd_joint", 1)
    shutil.copytree(source, copy.folder.path)
    shutil.copytree(source, source.with_name("seed0.old"))
    found = seeds_found(jobs[0])
    assert {seed: one.state for seed, one in found.items()} == {
        0: State.EVALUATED,
        1: State.REFUSED,
    }
    assert "it was copied" in found[1].error


def test_status_says_which_training_is_refused_and_goes_on(jobs):
    for text in ('{"state": "do', '{"state": "odd"}', "[]"):
        jobs[0].folder.status.write_text(text)
        overview = look_at(grid(), None)
        lines = {line.run: line for line in overview.lines}
        refused, other = lines["tsd_joint"], lines["tsd_wo_pc"]
        assert (refused.state, other.state) == (State.REFUSED, State.EVALUATED)
        assert str(jobs[0].folder.status) in refused.details
    assert "1 evaluated, 1 refused" in overview.counts


def test_mlflow_is_not_told_of_a_copied_folder(jobs, monkeypatch):
    told = []
    monkeypatch.setattr(
        "tsd.tracking.store.sync_run",
        lambda folder, _uri: told.append(RunFolder(folder).key) or {"run_id": "f00d"},
    )
    assert _into_mlflow(jobs[0], print).run_id == "f00d"
    spoil(jobs[0].folder.card, key=jobs[1].key)
    assert "card.json: key key: this is a record of" in _into_mlflow(jobs[0], print).error
    assert told == [jobs[0].key]
    copy = grid(seeds=2).job("tsd_wo_pc", 1)
    shutil.copytree(jobs[1].folder.path, copy.folder.path)
    assert f"the training {jobs[1].key}" in _into_mlflow(copy, print).error
    assert told == [jobs[0].key]

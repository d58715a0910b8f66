"""Commands compile what is asked for and what has results; a broken run stops none of them."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.reporting.conftest import train_record
from tsd.cli.job_step import job_of
from tsd.cli.main import _parser, main
from tsd.cli.training_step import _follower_of, follow
from tsd.experiments import job as job_module
from tsd.experiments.compile import compile_run
from tsd.experiments.settings import open_grid
from tsd.results.records import TrackingRecord
from tsd.run_folder import update_status

REASON = "roi_head has no 'gama'"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the declarations, in which commands are run, and a broken run in Table 2."""
    folder = Path(shutil.copytree("experiments", tmp_path / "experiments"))
    run = {
        "id": "broken",
        "base": "faster-rcnn_r50_fpn",
        "why": "To be told.",
        "set": {"model.roi_head.gama": 1},
    }
    (folder / "runs" / "broken.yaml").write_text(yaml.safe_dump([run]))
    table = yaml.safe_load((folder / "tables" / "table2.yaml").read_text())
    table["rows"].append({"label": "Broken", "run": "broken", "published": {"AP": 1.0}})
    (folder / "tables" / "table2.yaml").write_text(yaml.safe_dump(table, allow_unicode=True))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def compiled(monkeypatch):
    """Ids of the runs that are compiled, in order."""
    ids = []

    def note(run, *others):
        ids.append(run.id)
        return compile_run(run, *others)

    monkeypatch.setattr(job_module, "compile_run", note)
    return ids


def states(project, table="table2", report="smoke.unfinished"):
    path = project / "reports" / report / "tables" / f"{table}.csv"
    return {row["run"]: row["state"] for row in csv.DictReader(path.open())}


@pytest.mark.parametrize("only", ["table2", "all"])
def test_a_report_shows_why_a_run_cannot_be_made_and_the_others_as_they_are(project, only):
    job = open_grid({"scale": "smoke"}).job("tsd_joint", 0)
    update_status(job.folder, state="failed", error="ValueError: no")
    main(["report", "--scale=smoke", f"--only={only}"])
    assert states(project) == {
        "tsd_wo_pc": "not run",
        "tsd_joint": "failed",
        "broken": "not possible",
    }
    folder = project / "reports" / "smoke.unfinished"
    page = (folder / "index.html").read_text()
    (card,) = (part for part in page.split("<article") if 'id="run-broken"' in part)
    assert "The run cannot be made" in card
    assert "roi_head has no &#39;gama&#39;" in card
    assert "<dt>digest</dt>" not in card
    assert REASON in (folder / "report.md").read_text()
    for suffix in ("md", "tex"):
        text = (folder / "tables" / f"table2.{suffix}").read_text()
        assert "not possible" in text
        assert "cannot be made: " in text


def test_a_report_shows_what_nobody_asked_for_as_not_run_without_compiling_it(project, compiled):
    main(["report", "--scale=smoke", "--only=table2"])
    assert sorted(compiled) == ["broken", "tsd_joint", "tsd_wo_pc"]
    collected = json.loads((project / "reports/smoke.unfinished/results.json").read_text())
    run = collected["runs"]["tsd_pc"]
    assert run["digest"] is None
    assert run["seeds"] == {"0": run["seeds"]["0"]}
    assert (run["seeds"]["0"]["state"], run["seeds"]["0"]["folder"]) == ("not run", None)
    assert states(project, "table3")["tsd_pc"] == "not run"
    page = (project / "reports/smoke.unfinished/index.html").read_text()
    assert "None" not in re.sub(r"data:[^\"]*", "", page)
    assert "digest: `None`" not in (project / "reports/smoke.unfinished/report.md").read_text()


def test_what_has_results_is_shown_though_nobody_asks_for_it(project, compiled):
    job = open_grid({"scale": "smoke"}).job("tsd_pc", 0)
    update_status(job.folder, state="failed", error="ValueError: no")
    compiled.clear()
    main(["report", "--scale=smoke", "--only=tsd_joint"])
    assert sorted(compiled) == ["tsd_joint", "tsd_pc"]
    assert states(project, "table3") | {"tsd_pc": "failed", "tsd_joint": "not run"} == states(
        project, "table3"
    )


def test_runs_are_collected_in_the_order_of_their_declaration(project):
    main(["report", "--scale=smoke", "--only=table2"])
    collected = json.loads((project / "reports/smoke.unfinished/results.json").read_text())
    assert list(collected["runs"]) == list(open_grid({"scale": "smoke"}).experiments.runs)


def test_a_table_is_collected_with_the_reason(project, compiled):
    main(["collect", "--scale=smoke", "--target=table2", "--out=part.json"])
    main(["table", "table2", "--collected=part.json", "--out=tables"])
    assert sorted(compiled) == ["broken", "tsd_joint", "tsd_wo_pc"]
    rows = {row["run"]: row for row in csv.DictReader((project / "tables/table2.csv").open())}
    assert rows["broken"]["state"] == "not possible"
    assert rows["broken"]["digest"] == ""


def test_status_says_the_reason_and_counts_the_rest(project, compiled, capsys):
    main(["status", "--scale=smoke", "--only=table2"])
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert REASON in lines["broken"]
    assert "seed 0  not possible" in lines["broken"]
    assert "2 not run" in lines["smoke:"]
    assert "1 not possible" in lines["smoke:"]
    others = len(open_grid({"scale": "smoke"}).jobs) - 3
    assert f"{others} not asked for" in lines["smoke:"]
    assert sorted(compiled) == ["broken", "tsd_joint", "tsd_wo_pc"]
    main(["status", "--scale=smoke", "--only=all"])
    assert "not asked for" not in capsys.readouterr().out


def test_track_missing_looks_at_what_has_results_alone(project, compiled, capsys, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    job = open_grid({"scale": "smoke"}).job("tsd_pc", 0)
    train_record(key=job.key).write(job.folder.train)
    update_status(job.folder, state="done")
    TrackingRecord(error="the store is away").write(job.folder.tracking)
    (project / "results" / "smoke" / "broken" / "0123456789").mkdir(parents=True)
    compiled.clear()
    main(["track-missing", "--scale=smoke"])
    assert sorted(compiled) == ["broken", "tsd_pc"]
    assert "is not in MLflow" in capsys.readouterr().out  # it was tried: the job has no card


def test_headline_compiles_nothing_and_says_the_reason(project, compiled, capsys):
    main(["report", "--scale=smoke", "--only=table2"])
    compiled.clear()
    capsys.readouterr()
    main(["headline", "--scale=smoke", "--only=all"])
    assert compiled == []
    assert "cannot be made: " in capsys.readouterr().out


def test_what_a_report_from_before_said_is_not_said_again(project, capsys):
    main(["report", "--scale=smoke", "--only=table2"])
    capsys.readouterr()
    main(["headline", "--scale=smoke", "--since=0"])
    assert "Report: reports/smoke.unfinished/index.html" in capsys.readouterr().out
    (locks := Path(".snakemake", "locks")).mkdir(parents=True)
    main(["headline", "--scale=smoke", "--since=9999999999"])
    told = capsys.readouterr().out
    assert told.startswith("No report was written. An earlier one, of 2")
    assert "is reports/smoke.unfinished/index.html;" in told
    assert "make unlock" not in told
    (locks / "0.output.lock").touch()
    main(["headline", "--scale=smoke", "--since=9999999999"])
    assert "`make unlock`, or `snakemake --unlock`, removes" in capsys.readouterr().out


def test_who_follows_a_training_looks_into_its_own_folder(project):
    job = open_grid({"scale": "smoke"}, Path("elsewhere")).job("tsd_pc", 0)
    options = _parser().parse_args(_follower_of(job)[3:])
    assert options.command is follow
    assert job_of(options).folder.path == job.folder.path


def test_the_command_for_the_broken_run_itself_ends_with_the_reason(project):
    with pytest.raises(SystemExit, match=REASON):
        main(["check-run", "--scale=smoke", "--run=broken", "--seed=0"])

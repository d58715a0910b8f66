"""What `python -m tsd plan` and `look` say, before anything is trained and between looks."""

from pathlib import Path
from statistics import median

import pytest

from tests.reporting.conftest import train_record
from tsd.cli.main import main
from tsd.experiments.settings import open_grid
from tsd.reporting.training_hours import published_prices
from tsd.results.collected import Results
from tsd.run_folder import read_json


def finish(job, hours):
    """Leave what a training leaves that has ended on a core."""
    job.folder.path.mkdir(parents=True)
    job.folder.weights.touch()
    record = train_record(key=job.key, seconds=3600 * hours, device="cpu", threads=1)
    record.write(job.folder.trained)


def lines(output):
    """The words of each line of a table by its first word."""
    return {words[0]: words[1:] for line in output.splitlines() if (words := line.split())}


def test_a_plan_counts_what_is_there_and_prices_what_is_not(tmp_path, capsys):
    grid = open_grid({"scale": "mini", "seeds": "2", "only": "table2"}, tmp_path)
    finish(grid.job("tsd_joint", 0), 0.5)
    finish(grid.job("tsd_joint", 1), 0.5)
    finish(grid.job("tsd_wo_pc", 0), 0.25)
    main(["plan", "table2", "--seeds=2", f"--results={tmp_path}"])
    output = capsys.readouterr().out
    found = lines(output)
    assert found["tsd_joint"] == ["2", "0", "0.50", "0", "measured"]
    assert found["tsd_wo_pc"][:5] == ["1", "1", "0.25", "0.25", "core"]
    assert output.count("measured with other seeds") == 1
    assert found["all"] == ["2", "runs", "3", "1", "0.25", "core"]
    assert "look" not in output


def test_where_nothing_is_known_the_plan_says_so(tmp_path, capsys):
    main(["plan", "table2", "--scale=smoke", f"--results={tmp_path}"])
    output = capsys.readouterr().out
    assert lines(output)["tsd_joint"] == ["0", "1", "?", "1", "unknown", "unknown"]
    assert lines(output)["all"] == ["2", "runs", "0", "2", "2", "unknown"]


def test_where_nothing_is_trained_yet_a_published_report_tells_the_hours(tmp_path, capsys):
    main(["plan", "tsd_joint", f"--results={tmp_path}"])
    told = lines(capsys.readouterr().out)["tsd_joint"]
    assert told[-5:] == ["measured", "for", "the", "published", "report"]
    results = Results.read(Path("reports/published/mini/results.json"))
    records = [one.train for one in results.runs["tsd_joint"].seeds.values() if one.train]
    assert told[2] == f"{median(one.seconds * one.threads for one in records) / 3600:.2f}"


def test_a_published_report_of_another_version_tells_nothing(tmp_path):
    assert published_prices(tmp_path) == {}
    (tmp_path / "results.json").write_text('{"version": 1}')
    assert published_prices(tmp_path) == {}


def test_at_the_papers_scale_declared_costs_tell_the_hours(tmp_path, capsys):
    main(["plan", "r50", "--scale=paper", f"--results={tmp_path}"])
    output = capsys.readouterr().out
    assert lines(output)["r50"] == ["0", "1", "74.74", "74.74", "GPU", "declared", "costs"]


def test_before_the_first_look_the_plan_says_what_it_can_decide(tmp_path, capsys):
    main(["plan", "table3", "--seeds=auto", f"--results={tmp_path}"])
    output = capsys.readouterr().out
    assert "Next is look 1 of 3, at 2 seeds, with a budget of 12 hours after the first." in output
    assert "It makes 8 trainings, of 4 runs." in output
    assert "pc_ap" in output.splitlines()[-1]
    assert "joint_training_helps" not in output
    assert not list(tmp_path.rglob("look*.json"))


def test_a_claim_is_planned_by_what_decides_it(tmp_path, capsys):
    main(["plan", "pc_ap", f"--results={tmp_path}"])
    assert {"tsd_joint", "tsd_pc"} < lines(capsys.readouterr().out).keys()
    grid = open_grid({"scale": "mini", "only": "pc_ap,r50"}, tmp_path)
    assert grid.only == ("tsd_joint", "tsd_pc", "r50")


def test_a_claim_about_runtimes_asks_for_a_table_that_has_them(tmp_path):
    grid = open_grid({"scale": "mini"}, tmp_path)
    (claim,) = (claim for claim in grid.claims if "runtime" in claim.metrics)
    asked = open_grid({"scale": "mini", "only": claim.id}, tmp_path)
    assert asked.only == ("table5", *claim.runs)
    assert any(file.endswith("latency.json") for file in asked.wanted_files)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plan", "tabel3"], "unknown name 'tabel3'; did you mean 'table3'"),
        (["plan", "pc_app"], "unknown name 'pc_app'; did you mean 'pc_ap"),
        (["plan", "table2", "--only=table3"], "say what is meant as TARGET or by --only, not both"),
        (["plan", "table3", "--seeds=auot"], "did you mean 'auto'"),
        (["look", "--out=x", "--number=1"], "a look at the results needs seeds=auto"),
        (["look", "--out=x", "--number=2", "--seeds=auto"], "look 2 has to wait until the ones"),
        (["look", "--out=x", "--number=1", "--seeds=auto", "--only=table2"], "not yet: tsd_"),
    ],
)
def test_what_cannot_be_planned_is_refused(tmp_path, arguments, message):
    with pytest.raises(SystemExit, match=message):
        main([*arguments, f"--results={tmp_path}"])
    assert read_json(tmp_path / "x") is None


def test_a_plan_of_nothing_that_can_be_trained_gives_its_reasons_and_fails(tmp_path, capsys):
    with pytest.raises(SystemExit, match="nothing of what is asked for can be trained"):
        main(["plan", "r101", "--scale=transfer", f"--results={tmp_path}"])
    assert "run r101 cannot be made: " in capsys.readouterr().out
    main(["plan", "r101,r50", "--scale=transfer", f"--results={tmp_path}"])
    assert "run r101 cannot be made: " in capsys.readouterr().out

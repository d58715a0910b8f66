"""Results survive a machine: what a bundle holds gives the same report elsewhere."""

import hashlib
import json
import os
import zipfile

import pytest

from tests.reporting.bundled_grid import contents, forget, grid, measure, project, start
from tsd.cli.main import main
from tsd.experiments.data_formats import format_of
from tsd.experiments.settings import open_grid
from tsd.liveness import start_of
from tsd.reporting import bundling
from tsd.reporting.collect import collect_all
from tsd.results.bundle_format import BundleError
from tsd.results.collected import Results
from tsd.run_folder import read_json, write_json, write_text

SMOKE = ["--scale", "smoke"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A project with two evaluated trainings; the current folder."""
    monkeypatch.chdir(project(tmp_path / "here"))
    for name, ap in (("tsd_joint", 30.0), ("tsd_wo_pc", 32.5)):
        measure(grid().job(name, 0), ap)
    return tmp_path / "here"


@pytest.fixture
def elsewhere(tmp_path):
    """An empty folder: no declarations, no data set, no results."""
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere"


def bundle(out, *options):
    main(["bundle", *SMOKE, "--out", str(out), *options])
    return out


def report_of(*bundles):
    main(["report", "--from", *map(str, bundles)])


def without_time(path):
    content = read_json(path)
    del content["generated"]
    return content


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
def test_the_report_is_the_same_elsewhere(here, elsewhere, tmp_path, monkeypatch, suffix):
    main(["report", *SMOKE])
    file = bundle(tmp_path / f"b{suffix}")
    monkeypatch.chdir(elsewhere)
    report_of(file)
    before, after = here / "reports/smoke.unfinished", elsewhere / "reports/smoke.bundled"
    assert without_time(before / "results.json") == without_time(after / "results.json")
    tables = sorted(path.relative_to(before) for path in before.rglob("*.csv"))
    assert len(tables) >= 3
    for path in tables:
        assert (before / path).read_text() == (after / path).read_text(), path
    assert "30.0" in (after / "report.md").read_text()
    assert sorted(p.name for p in before.iterdir()) == sorted(p.name for p in after.iterdir())


def test_a_bundle_has_all_but_weights_checkpoints_and_logs(here, tmp_path):
    folder = grid().job("tsd_joint", 0).folder
    folder.weights.write_bytes(b"weights")
    found = zipfile.ZipFile(bundle(tmp_path / "b.zip")).namelist()
    prefix = f"{folder.path}/"
    assert {name.removeprefix(prefix) for name in found if name.startswith(prefix)} == {
        "card.json",
        "config.json",
        "detect.json",
        "detections.json",
        "events.jsonl",
        "latency.json",
        "metrics.json",
        "per_class.csv",
        "sensitivity.json",
        "status.json",
        "tracking.json",
        "train.json",
        "trained.json",
    }
    assert found[:3] == ["manifest.json", "ro-crate-metadata.json", "collected.json"]


def test_weights_go_in_on_request_if_they_are_those_of_the_record(here, tmp_path, elsewhere):
    folder = grid().job("tsd_joint", 0).folder
    folder.weights.write_bytes(b"weights")
    with pytest.raises(SystemExit, match=r"weights\.pth are not the weights that .*trained\.json"):
        bundle(tmp_path / "b.zip", "--weights")
    assert not (tmp_path / "b.zip").exists()
    for path in (folder.trained, folder.train):
        write_json(
            path, {**read_json(path), "weights_sha256": hashlib.sha256(b"weights").hexdigest()}
        )
    bundle(tmp_path / "b.zip", "--weights")
    main(["unbundle", str(tmp_path / "b.zip"), "--results", str(elsewhere)])
    (weights,) = elsewhere.rglob("*.pth")
    assert weights.read_bytes() == b"weights"


def test_the_sizes_are_told(here, tmp_path, capsys):
    file = bundle(tmp_path / "b.tar.gz")
    told = capsys.readouterr().out.splitlines()
    assert any(line.startswith("detections.json: 2 files, ") for line in told)
    assert told[-1].startswith(f"{file}: 2 trainings, ")
    assert told[-1].endswith(f"in {file.stat().st_size / 1e3:.1f} kB")


def test_what_is_being_trained_is_left_out(here, tmp_path, capsys, elsewhere, monkeypatch):
    job = grid(seeds=2).job("tsd_joint", 1)
    start(job, state="running", pid=os.getpid(), pid_started=start_of(os.getpid()))
    file = bundle(tmp_path / "b.zip", "--seeds", "2")
    assert f"{job.key} is left out: it is being trained" in capsys.readouterr().out
    monkeypatch.chdir(elsewhere)
    report_of(file)
    results = Results.read(elsewhere / "reports/smoke.bundled/results.json")
    assert {s: t.state for s, t in results.runs["tsd_joint"].seeds.items()} == {
        0: "evaluated",
        1: "not run",
    }


def test_without_results_there_is_no_bundle(here, tmp_path):
    forget(here / "results")
    with pytest.raises(SystemExit, match="there are no results to bundle"):
        bundle(tmp_path / "b.zip")
    assert not (tmp_path / "b.zip").exists()


def test_the_crate_describes_every_file_with_its_sum(here, tmp_path):
    archive = zipfile.ZipFile(bundle(tmp_path / "b.zip"))
    graph = {e["@id"]: e for e in json.loads(archive.read("ro-crate-metadata.json"))["@graph"]}
    listed = {f["path"]: f for f in json.loads(archive.read("manifest.json"))["files"]}
    assert graph["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    assert graph["./"]["datePublished"] == json.loads(archive.read("manifest.json"))["made"]
    files = {name for name, entity in graph.items() if entity["@type"] == "File"}
    assert files == {*listed, "manifest.json"} - {"ro-crate-metadata.json"}
    for name in files - {"manifest.json"}:
        assert graph[name]["sha256"] == listed[name]["sha256"]

    def reached(name):
        for part in graph[name].get("hasPart", []):
            yield part["@id"]
            yield from reached(part["@id"])

    assert set(reached("./")) >= files


@pytest.fixture
def two(here, tmp_path):
    """Bundles from two machines: tsd_joint with seed 0, and both runs with seed 1 alone."""
    forget(grid().job("tsd_wo_pc", 0).folder.path)
    first = bundle(tmp_path / "first.tar.gz")
    forget(here / "results")
    for name, ap in (("tsd_joint", 31.0), ("tsd_wo_pc", 33.0)):
        measure(grid(2).job(name, 1), ap)
    return first, bundle(tmp_path / "second.zip", "--seeds", "2")


def test_bundles_of_two_machines_are_one_report(two, elsewhere, monkeypatch):
    monkeypatch.chdir(elsewhere)
    for order in (two, two[::-1]):
        report_of(*order)
        results = Results.read(elsewhere / "reports/smoke.bundled/results.json")
        found = {
            (name, seed): training.metrics.get("AP")
            for name, run in results.runs.items()
            for seed, training in run.seeds.items()
        }
        assert found == {
            ("tsd_joint", 0): 30.0,
            ("tsd_joint", 1): 31.0,
            ("tsd_wo_pc", 0): None,
            ("tsd_wo_pc", 1): 33.0,
        }
        forget(elsewhere / "results")


def test_the_same_content_twice_changes_nothing(two, elsewhere):
    results = elsewhere / "results"
    main(["unbundle", *map(str, two), "--results", str(results)])
    before = contents(results)
    times = {path: path.stat().st_mtime_ns for path in results.rglob("*")}
    main(["unbundle", str(two[0]), str(two[1]), str(two[0]), "--results", str(results)])
    assert contents(results) == before
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*")} == times


@pytest.mark.parametrize("what", ["metrics", "detections", "weights"])
def test_the_same_training_with_another_outcome_is_refused_by_name(
    here, tmp_path, elsewhere, what, monkeypatch
):
    first = bundle(tmp_path / "first.zip")
    folder = grid().job("tsd_wo_pc", 0).folder
    if what == "metrics":
        content = read_json(folder.metrics)
        write_json(folder.metrics, {**content, "metrics": {"AP": 1.0}})
    elif what == "detections":
        write_json(folder.detections, [{"image_id": 2, "score": 32.5}])
    else:
        for path in (folder.trained, folder.train):
            write_json(path, {**read_json(path), "weights_sha256": "f" * 64})
    second = bundle(tmp_path / "second.zip")
    name = f"tsd_wo_pc/{grid().job('tsd_wo_pc', 0).digest}/seed0: has other {what}"
    monkeypatch.chdir(elsewhere)
    with pytest.raises(SystemExit, match=f"second.zip: nothing was changed.*{name}"):
        report_of(first, second)
    assert list(elsewhere.iterdir()) == []
    main(["unbundle", str(first)])
    before = contents(elsewhere)
    with pytest.raises(SystemExit, match=f"nothing was changed.*results/smoke/{name}"):
        main(["unbundle", str(second)])
    assert contents(elsewhere) == before


def test_what_came_further_counts_and_no_two_attempts_are_mixed(here, tmp_path, elsewhere):
    evaluated = bundle(tmp_path / "evaluated.zip")
    folder = grid().job("tsd_joint", 0).folder
    key = folder.path.relative_to("results")
    forget(folder.path)
    start(grid().job("tsd_joint", 0), state="failed", error="out of memory", iteration=2)
    failed = bundle(tmp_path / "failed.zip")
    for order in ((evaluated, failed), (failed, evaluated)):
        results = elsewhere / order[0].name
        for file in order:
            main(["unbundle", str(file), "--results", str(results)])
        assert read_json(results / key / "status.json")["state"] == "done"
        assert (results / key / "metrics.json").exists()


def test_what_the_same_training_lacks_is_added(here, tmp_path, elsewhere):
    whole = bundle(tmp_path / "whole.zip")
    folder = grid().job("tsd_joint", 0).folder
    folder.latency.unlink()
    part = bundle(tmp_path / "part.zip")
    main(["unbundle", str(part), str(whole), "--results", str(elsewhere)])
    assert (elsewhere / folder.latency.relative_to("results")).exists()


def test_a_training_that_goes_on_is_not_touched(here, tmp_path):
    file = bundle(tmp_path / "b.zip")
    folder = grid().job("tsd_joint", 0).folder
    forget(folder.path)
    start(
        grid().job("tsd_joint", 0),
        state="running",
        pid=os.getpid(),
        pid_started=start_of(os.getpid()),
    )
    before = contents(here / "results")
    with pytest.raises(SystemExit, match="seed0: is being trained there"):
        main(["unbundle", str(file)])
    assert contents(here / "results") == before


def test_a_data_set_of_another_content_is_refused_by_name(here, tmp_path, elsewhere):
    def check(images, content="0" * 32):
        split = {"images": images, "annotations": 1, "fates": {}, "per_class": {}, "sizes": {}}
        found = {
            "version": 0,
            "dataset": {"root": str(images)},
            "train": split,
            "val": split,
            "pixels": {"val": {"content": content}},
        }
        write_json(here / "results/smoke/datasets/embedded.json", found)
        return bundle(tmp_path / f"{images}{content[0]}.zip")

    first = check(24)
    for other in (check(25), check(24, content="1" * 32)):
        with pytest.raises(
            SystemExit, match=rf"{other}: nothing.*embedded\.json: the data set of the same name"
        ):
            main(["unbundle", str(first), str(other), "--results", str(elsewhere)])
        assert list(elsewhere.iterdir()) == []


def test_bundles_with_no_run_in_common_are_refused_if_their_annotations_differ(
    here, tmp_path, elsewhere, monkeypatch
):
    """As after somebody has corrected boxes: a gain across two versions would be none."""
    annotations = here / format_of(grid().dataset).files["val"]
    assert here in annotations.resolve().parents
    bundles = []
    for run, content in (("tsd_joint", "[]"), ("tsd_wo_pc", "{}")):
        write_text(annotations, content)
        bundles.append(bundle(tmp_path / f"{run}.zip", "--only", run))
    monkeypatch.chdir(elsewhere)
    with pytest.raises(
        SystemExit, match=r"tsd_joint\.zip and .*tsd_wo_pc\.zip: nothing was changed.* file val of"
    ):
        report_of(*bundles)
    assert list(elsewhere.iterdir()) == []


def test_bundles_that_declare_otherwise_are_refused(here, tmp_path, elsewhere, monkeypatch):
    first = bundle(tmp_path / "first.zip")
    table = here / "experiments/tables/table2.yaml"
    table.write_text(table.read_text().replace("title: ", "title: Another ", 1))
    second = bundle(tmp_path / "second.zip")
    monkeypatch.chdir(elsewhere)
    with pytest.raises(SystemExit, match=r"first\.zip and .*second\.zip: .*the tables is declared"):
        report_of(first, second)
    assert list(elsewhere.iterdir()) == []


def test_bundles_of_two_grids_are_refused(here, tmp_path, monkeypatch, elsewhere):
    first = bundle(tmp_path / "first.zip")
    measure(_mini("tsd_joint"), 30.0)
    second = tmp_path / "second.zip"
    main(["bundle", "--scale", "mini", "--out", str(second)])
    with pytest.raises(
        SystemExit, match=r"not of one grid: .*first\.zip of smoke, .*second\.zip of"
    ):
        main(["unbundle", str(first), str(second), "--results", str(elsewhere)])


def _mini(run):
    return open_grid({"scale": "mini"}).job(run, 0)


def test_declarations_of_another_version_are_refused(here, tmp_path, monkeypatch, elsewhere):
    results = collect_all(grid())
    monkeypatch.setattr(
        bundling, "collect_all", lambda _grid: results.model_copy(update={"version": 2})
    )
    file = bundle(tmp_path / "b.zip")
    with pytest.raises(BundleError, match=r"collected\.json: has version 2.*make the bundle anew"):
        bundling.unbundle([file], elsewhere / "results", print)
    assert list(elsewhere.iterdir()) == []

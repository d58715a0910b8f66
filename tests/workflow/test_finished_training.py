"""A finished training on one's own data, whose declaration is edited without another meaning.

The tests share one folder and build on one another, in the order they stand in.
"""

import pytest
import yaml

from tests.projects import change_yaml, copy_project, dry_run, run, snakemake
from tsd.data.embedded import EmbeddedSpec, make_embedded
from tsd.run_folder import RunFolder, read_json
from tsd.training.finished import sha256

SETTINGS = ["dataset=own.yaml", "only=tsd_joint"]
REPORT = "reports/smoke-own"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = copy_project(tmp_path_factory.mktemp("project"), ["table2"])
    make_embedded(project / "data" / "own", EmbeddedSpec(train_images=8, val_images=4))
    content = yaml.safe_load((project / "experiments/datasets/embedded-tiny.yaml").read_text())
    del content["embedded"]
    own = {**content, "id": "own", "title": "Before", "root": "data/own"}
    (project / "own.yaml").write_text(yaml.safe_dump(own))
    return project


def folder(project):
    (path,) = (project / "results/smoke-own/tsd_joint").glob("*/seed0")
    return RunFolder(path)


def finished(project):
    """All that a training and what follows it have left: path → (content, time of change)."""
    files = [path for path in folder(project).path.rglob("*") if path.is_file()]
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def commit(project):
    """Have what is written from now on be of a new commit."""
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    run(project, "git", "init", "-q")
    run(project, "git", "add", "Snakefile")
    run(project, "git", *who, "commit", "-q", "--allow-empty", "-m", "a")


def test_it_is_trained_and_reported(project):
    output = snakemake(project, "all", settings=SETTINGS)
    assert "] starts" in output
    record = read_json(folder(project).train)
    assert record == read_json(folder(project).trained)
    assert record["weights_sha256"] == sha256(folder(project).weights)
    assert "Before" in (project / REPORT / "index.html").read_text()


def test_a_title_that_is_edited_reaches_the_report_and_nothing_else(project):
    before = finished(project)
    commit(project)
    change_yaml(project / "own.yaml", lambda content: content.update(title="After"))
    planned = dry_run(project, *SETTINGS)
    assert planned["check_data"] == planned["collect"] == planned["report"] == 1
    assert {"train", "detect", "evaluate", "track", "check_run"}.isdisjoint(planned)
    output = snakemake(project, "all", settings=SETTINGS)
    assert "] starts" not in output
    assert "After" in (project / REPORT / "index.html").read_text()
    assert finished(project) == before
    assert dry_run(project, *SETTINGS) == {}


def test_where_the_workflow_trains_again_the_record_stays_as_it_was(project):
    before = finished(project)
    # Another place of the same declaration: the rule's parameters change, the digest does not.
    (project / "elsewhere").mkdir()
    (project / "own.yaml").rename(project / "elsewhere" / "own.yaml")
    settings = ["dataset=elsewhere/own.yaml", "only=tsd_joint"]
    assert dry_run(project, *settings)["train"] == 1
    output = snakemake(project, "all", settings=settings)
    assert "[tsd_joint · seed 0] was trained before" in output
    assert "] starts" not in output
    assert "resumes" not in output
    after = finished(project)
    for name in ("train.json", "trained.json", "weights.pth", "events.jsonl", "card.json"):
        assert after[name][0] == before[name][0], name
    for path in ("trained.json", "weights.pth", "events.jsonl"):
        assert after[path][1] == before[path][1], path
    of_status = [read_json(folder(project).status)[key] for key in ("state", "attempts")]
    assert of_status == ["done", 1]
    log = (folder(project).path / "logs" / "train.log").read_text()
    assert "nothing to train" not in log  # it is told on the terminal
    assert (project / REPORT / "index.html").exists()


def test_a_record_that_snakemake_deleted_is_restored(project):
    before = finished(project)
    folder(project).train.unlink()
    record = str(folder(project).train.relative_to(project))
    output = snakemake(project, record, settings=["dataset=elsewhere/own.yaml"])
    assert "was trained before" in output
    assert folder(project).train.read_bytes() == before["train.json"][0]

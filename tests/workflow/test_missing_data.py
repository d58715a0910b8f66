"""Data that the workflow could fetch, and that are not there."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from tests.projects import copy_project
from tests.workflow.test_workflow import edit_run, run
from tsd.cli.main import main
from tsd.experiments.data_formats import format_of
from tsd.experiments.dataset_schema import Dataset
from tsd.experiments.load import load_experiments

HINT = "`snakemake coco2017` fetches this data set into data/coco"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("project"), ["table2"])


def snakemake(project, scale, *targets, fails=False):
    config = ("--config", f"scale={scale}")
    return run(project, "snakemake", "--cores", "2", *config, "--", *targets, fails=fails)


def test_on_a_fresh_clone_the_command_that_fetches_is_named_before_any_job(project):
    output = snakemake(project, "paper", "table2", fails=True)
    assert (
        "data set coco2017: data/coco/annotations/instances_train2017.json and 3 more are missing: "
        + HINT
    ) in output
    assert "Finished jobid" not in output
    assert not list(project.glob("results/paper/**/*.json"))


def test_a_dry_run_needs_no_data(project):
    output = run(project, "snakemake", "-n", "--config", "scale=paper", "--", "table2")
    assert re.search(r"^train +2$", output, re.M)


def test_where_some_data_are_there_the_rest_is_told_and_the_workflow_goes_on(project):
    (project / "mixed.yaml").write_text(
        yaml.safe_dump(
            {
                "id": "mixed",
                "extends": "smoke",
                "stands_in": False,
                "title": "mixed",
                "note": "for a test",
                "dataset": "embedded-tiny",
            }
        )
    )
    edit_run(project, "tsd_joint", lambda declared: declared.update(dataset="coco2017"))
    folder = "results/mixed/datasets"
    names = ("embedded-tiny", "coco2017")
    targets = [f"{folder}/{name}.json" for name in names]
    output = snakemake(project, "mixed.yaml", *targets, fails=True)
    start, _, later = output.partition("Finished jobid")
    assert f"3 more are missing: {HINT}" in start
    assert re.search(rf"tsd: data/coco/.*no such file.*{HINT}", start + later)
    assert [(project / target).exists() for target in targets] == [True, False]


def test_the_check_names_the_command_for_damaged_data_too(tmp_path, monkeypatch, tiny_data):
    content = yaml.safe_load(Path("experiments/datasets/embedded-tiny.yaml").read_text())
    damaged = tmp_path / "annotations.json"
    damaged.write_text('{"images": [')
    train = {"annotations": str(damaged), "images": content["train"]["images"]}
    own = {**content, "id": "own", "root": str(tiny_data), "embedded": None, "train": train}

    def complaint(**changes):
        (tmp_path / "own.yaml").write_text(yaml.safe_dump({**own, **changes}))
        words = ("--scale=smoke", f"--dataset={tmp_path}/own.yaml", "--data=own", "--out=o.json")
        with pytest.raises(SystemExit) as ended:
            main(["check-data", *words])
        return str(ended.value)

    assert complaint(fetched_by="coco2017").endswith(HINT)
    assert HINT not in complaint()
    assert "key 'fetched_by': expected 'coco2017'" in complaint(fetched_by="coco2071")


def test_the_targets_that_may_be_named_are_those_that_fetch():
    rules = re.findall(r"^rule (\w+):", Path("workflow/rules/download.smk").read_text(), re.M)
    (literal, _) = get_args(Dataset.model_fields["fetched_by"].annotation)
    assert set(get_args(literal)) == set(rules) - {"download", "divide_coco2014"}


def test_what_is_missing_is_found_until_all_is_there(tmp_path):
    declared = load_experiments(Path("experiments")).datasets["coco2017"]
    wanted = format_of(declared.model_copy(update={"root": str(tmp_path)}))
    assert len(wanted.missing) == 4
    for split in (declared.train, declared.val):
        (tmp_path / split.images).mkdir(parents=True)
        (tmp_path / split.annotations).parent.mkdir(exist_ok=True)
        (tmp_path / split.annotations).write_text(json.dumps({}))
    assert wanted.missing == []


def test_how_data_are_fetched_is_no_reason_to_check_or_train_again():
    rule = Path("workflow/rules/data.smk").read_text()
    assert 'exclude={"fetched_by"}' in rule
    declared = load_experiments(Path("experiments")).datasets["coco2017"]
    other = declared.model_copy(update={"fetched_by": None})
    assert declared.model_dump_json(exclude={"fetched_by"}) == other.model_dump_json(
        exclude={"fetched_by"}
    )

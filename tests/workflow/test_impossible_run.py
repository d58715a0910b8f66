"""The workflow tells once which runs cannot be compiled, and goes on with the others."""

import csv

import pytest
import yaml

from tests.projects import change_yaml, copy_project, dry_run, run, snakemake

REASON = "model.roi_head has no 'gama'"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Table 2 with two more rows: one of a broken run, one whose base has no settings.

    A third run has a backbone of its own, for which nothing stands, and is in no table.
    """
    project = copy_project(tmp_path_factory.mktemp("project"), ["table2"])
    path = {"model.roi_head.gama": 1}
    broken = {"id": "broken", "base": "faster-rcnn_r50_fpn", "why": "To be told.", "set": path}
    large = {"id": "large", "base": "mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco"}
    other = {"id": "other", "base": "faster-rcnn_r50_fpn", "backbone": "r34"}
    runs = [broken, *({**run, "why": "To be told."} for run in (large, other))]
    backbone = {"id": "r34", "title": "ResNet-34", "set": {"model.backbone.depth": 34}}
    (project / "experiments/backbones/r34.yaml").write_text(yaml.safe_dump(backbone))
    (project / "experiments" / "runs" / "broken.yaml").write_text(yaml.safe_dump(runs))
    rows = [{"label": name, "run": name} for name in ("broken", "large")]
    change_yaml(
        project / "experiments/tables/table2.yaml", lambda table: table["rows"].extend(rows)
    )
    for scale in ("mini", "smoke"):
        change_yaml(
            project / f"experiments/scales/{scale}.yaml",
            lambda content: content.update(
                bases=[e for e in content["bases"] if not e["match"].startswith("mmdet::")]
            ),
        )
    return project


def states(project):
    path = project / "reports/smoke/tables/table2.csv"
    return {row["run"]: row["state"] for row in csv.DictReader(path.open())}


def test_a_dry_run_tells_each_reason_once_and_plans_the_others(project):
    assert dry_run(project, "only=all")["train"] == 2
    config = ("--config", "scale=smoke", "only=all")
    output = run(project, "snakemake", "-n", "--cores", "2", *config, "--quiet", "rules")
    assert output.count("run broken cannot be made: ") == 1
    assert output.count(REASON) == 1
    assert output.count("run large cannot be made: ") == 1
    assert "no entry matches 'mmdet::fcos/" in output


def test_the_others_are_trained_and_the_report_says_the_reason(project):
    output = snakemake(project, "all", settings=["only=all"])
    assert output.count(REASON) == 1
    assert states(project) == {
        "tsd_wo_pc": "evaluated",
        "tsd_joint": "evaluated",
        "broken": "not possible",
        "large": "not possible",
    }
    page = (project / "reports/smoke/index.html").read_text()
    assert "model.roi_head has no &#39;gama&#39;" in page
    assert not (project / "reports/smoke.unfinished").exists()
    assert dry_run(project, "only=all") == {}


def test_a_table_is_made_with_the_others(project):
    output = snakemake(project, "table2", settings=["only=broken"])
    assert output.count(REASON) == 1
    assert states(project)["broken"] == "not possible"


def test_where_nothing_that_is_asked_for_can_be_made_nothing_is(project):
    output = snakemake(project, "all", settings=["only=broken"], fails=True)
    assert output.count(REASON) == 1
    assert "Nothing that is asked for can be made" in output
    assert "Traceback" not in output


def test_a_run_whose_backbone_nothing_stands_for_is_told_and_nothing_is_made(project):
    output = snakemake(project, "all", settings=["only=other"], fails=True)
    assert output.count("run other cannot be made: ") == 1
    assert "smoke.yaml: key backbones: nothing stands for 'r34'" in output
    assert "Nothing that is asked for can be made" in output
    assert "Traceback" not in output


def test_a_misspelt_target_is_told_with_the_nearest(project):
    (project / "notes").touch()
    output = snakemake(project, "table22", settings=["only=all"], fails=True)
    assert "there is no target 'table22'; did you mean 'table2'?" in output
    assert "there is no target" not in snakemake(project, "notes")


def test_the_mended_run_is_trained_alone(project):
    change_yaml(project / "experiments/runs/broken.yaml", lambda runs: runs[0].update(set={}))
    planned = dry_run(project, "only=all")
    assert planned["train"] == planned["detect"] == planned["report"] == 1

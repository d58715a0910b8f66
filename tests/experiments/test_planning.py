"""One run that cannot be compiled is told, and is in no other run's way."""

import shutil
from pathlib import Path

import pytest
import yaml

from tsd.experiments import job as job_module
from tsd.experiments import load
from tsd.experiments.compile import compile_run
from tsd.experiments.costs import cost_table, load_costs
from tsd.experiments.planning import impossible, unknown_target
from tsd.experiments.reading import DeclarationError
from tsd.experiments.settings import open_grid

BROKEN = {
    "a path that does not exist": ({"model.roi_head.gama": 1}, "roi_head has no 'gama'"),
    "a value of another type": ({"model.backbone.depth": "many"}, "expected an integer"),
    "keys that cannot be ordered": ({"model.backbone.norm_cfg": {1: "a", "b": 2}}, "TypeError"),
    "weights without a name": ({"model.backbone.init_cfg.checkpoint": None}, "TypeError"),
}


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree("experiments", tmp_path / "experiments"))


def declare(folder, settings, base="faster-rcnn_r50_fpn"):
    run = {"id": "broken", "base": base, "why": "To be told.", "set": settings}
    (folder / "runs" / "broken.yaml").write_text(yaml.safe_dump([run]))
    path = folder / "tables" / "table2.yaml"
    table = yaml.safe_load(path.read_text())
    table["rows"].append({"label": "Broken", "run": "broken"})
    path.write_text(yaml.safe_dump(table, allow_unicode=True))


def grid(folder, **settings):
    return open_grid({"experiments": str(folder), "scale": "paper", **settings})


@pytest.mark.parametrize("case", BROKEN)
def test_whatever_is_wrong_with_a_run_is_a_mistake_of_it_alone(folder, case):
    settings, reason = BROKEN[case]
    declare(folder, settings)
    opened = grid(folder)
    assert [job.run.id for job in opened.jobs_for("table2") if job.mistake] == ["broken"]
    (job,) = opened.jobs_of("broken")
    assert reason in job.mistake
    assert "broken.yaml: run broken" in job.mistake
    with pytest.raises(DeclarationError, match=r"broken\.yaml: run broken"):
        _ = job.digest
    assert opened.files_behind("broken") == []
    assert len(opened.files_behind("table2")) == 4


def test_a_base_that_mmengine_cannot_read_is_a_mistake_of_its_runs(folder, tmp_path, monkeypatch):
    configs = Path(shutil.copytree(load.CONFIG_FOLDER, tmp_path / "configs"))
    monkeypatch.setattr(load, "CONFIG_FOLDER", configs)
    (configs / "unreadable.py").write_text('_base_ = "./nowhere.py"\n')
    (configs / "empty.py").write_text("model = dict(type='A')\n")
    for base, reason in (("unreadable", "nowhere.py"), ("empty", "train_dataloader")):
        declare(folder, {}, base)
        (job,) = grid(folder).jobs_of("broken")
        assert reason in job.mistake
        assert f"base '{base}'" in job.mistake


def test_runs_that_share_a_reason_share_a_text(folder):
    opened = grid(folder, only="table2")
    scale = opened.scale.model_copy(update={"set": {"train_cfg.max_iter": 1}})
    object.__setattr__(opened, "scale", scale)
    (text,) = impossible(opened.wanted)
    assert text.startswith("2 runs (tsd_wo_pc, tsd_joint) cannot be made: ")
    assert "'max_iter'" in text


def test_one_run_with_several_seeds_is_told_once(folder):
    declare(folder, BROKEN["a path that does not exist"][0])
    (text,) = impossible(grid(folder, seeds=3, only="table2").wanted)
    assert text.startswith("run broken cannot be made: ")


def test_listing_jobs_compiles_none_and_asking_for_files_those_asked_for(folder, monkeypatch):
    declare(folder, BROKEN["a path that does not exist"][0])
    compiled = []

    def note(run, *others):
        compiled.append(run.id)
        return compile_run(run, *others)

    monkeypatch.setattr(job_module, "compile_run", note)
    opened = grid(folder, only="table3")
    assert len(opened.jobs) > 40
    assert opened.datasets
    opened.presentation()
    assert compiled == []
    assert len(opened.wanted_files) == 8
    assert sorted(compiled) == ["tsd_joint", "tsd_pc", "tsd_pc_cls", "tsd_pc_loc"]


def test_found_are_the_runs_with_a_folder_and_shown_also_those_asked_for(folder, tmp_path):
    opened = open_grid(
        {"experiments": str(folder), "scale": "mini", "only": "table2"}, tmp_path / "results"
    )
    assert opened.found == []
    (tmp_path / "results" / "mini" / "r50" / "0123456789").mkdir(parents=True)
    assert [job.run.id for job in opened.found] == ["r50"]
    assert {job.run.id for job in opened.shown} == {"r50", "tsd_wo_pc", "tsd_joint"}


def test_what_cannot_be_made_has_no_price_and_is_told_below_the_others(folder):
    declare(folder, BROKEN["a path that does not exist"][0])
    opened = grid(folder, only="table2,broken")
    lines = cost_table(opened, load_costs(folder)).splitlines()
    priced = {line.split("|")[1].strip(): line.split("|")[2].strip() for line in lines[2:5]}
    assert priced == {"table2": "2", "broken": "0", "all": "2"}
    assert lines[-1].startswith("run broken cannot be made: ")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("table33", "there is no target 'table33'; did you mean 'table3'?"),
        (
            "r50",
            "'r50' is a run, and no target of the workflow: ask for it by `snakemake --config o",
        ),
        ("pc_ap", "'pc_ap' is a claim, and no target of the workflow: ask for it by `snakemake"),
        ("qqqqqqqq", "there is no target 'qqqqqqqq'; of tables and figures: errors, "),
    ],
)
def test_of_an_unknown_target_is_told_what_may_be_meant(folder, name, said):
    assert unknown_target(grid(folder), name).startswith(said)

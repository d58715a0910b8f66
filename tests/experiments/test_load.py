import shutil
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
import yaml

from tsd.experiments.load import config_file, load_experiments
from tsd.experiments.metrics import METRICS
from tsd.experiments.reading import DeclarationError
from tsd.experiments.settings import open_grid

DECLARED = Path("experiments")


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(DECLARED, tmp_path / "experiments"))


def edit(path, change):
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content, allow_unicode=True))


def test_the_declared_experiments_load():
    experiments = load_experiments(DECLARED)
    assert {"table1", "table2", "table3", "table4"} <= set(experiments.tables)
    assert {"paper", "mini", "smoke"} <= set(experiments.scales)


def test_every_published_value_of_a_run_is_the_same_in_all_tables():
    seen = {}
    for table in load_experiments(DECLARED).tables.values():
        for row in table.rows:
            for metric, value in row.published.items():
                if row.run is not None and table.source.startswith("Table"):
                    assert seen.setdefault((row.run, metric), value) == value, (table.id, row.run)
    assert len(seen) >= 30


MISTAKES = {
    "unknown key in a run": (
        "runs/joint_training.yaml",
        lambda c: c[0].update(sett={}),
        r"joint_training\.yaml: run tsd_joint: unknown key 'sett'; did you mean 'set'\?",
    ),
    "unknown key in a nested part": (
        "tables/table1.yaml",
        lambda c: c["rows"][0].update(publishd={}),
        r"table1\.yaml: unknown key 'rows\.0\.publishd'; did you mean 'published'\?",
    ),
    "wrong type": (
        "scales/mini.yaml",
        lambda c: c["resources"].update(threads="two"),
        r"mini\.yaml: key 'resources\.threads': expected a whole number, found 'two'",
    ),
    "missing key": (
        "runs/disentanglement.yaml",
        lambda c: c[0].pop("why"),
        r"disentanglement\.yaml: run r50: key 'why' is missing",
    ),
    "unknown base": (
        "runs/disentanglement.yaml",
        lambda c: c[0].update(base="faster_rcnn_r50_fpn"),
        r"run r50: unknown base .*did you mean 'faster-rcnn_r50_fpn'\?",
    ),
    "duplicate run": (
        "runs/joint_training.yaml",
        lambda c: c.append(dict(c[0], id="r50")),
        r"joint_training\.yaml: run id 'r50' is declared already, in .*disentanglement\.yaml",
    ),
    "unknown run in a table": (
        "tables/table2.yaml",
        lambda c: c["rows"][0].update(run="tsd_w_pc"),
        r"table2\.yaml: row 'TSD w/o PC': key run: unknown run 'tsd_w_pc'; did you .* 'tsd_wo_pc'",
    ),
    "unknown metric": (
        "tables/table2.yaml",
        lambda c: c["metrics"].append("AP97"),
        r"table2\.yaml: key metrics: unknown metric 'AP97'; did you mean 'AP[79].'\?",
    ),
    "published value of a metric that is not shown": (
        "tables/table2.yaml",
        lambda c: c["rows"][0]["published"].update(APs=20.0),
        r"key published: 'APs' is not among the table's metrics",
    ),
    "unknown attribute": (
        "tables/table3.yaml",
        lambda c: c["rows"][0]["attributes"].update(M_clss="✓"),
        r"key attributes: 'M_clss' is not among .*did you mean 'M_cls'\?",
    ),
    "unknown data set": (
        "scales/paper.yaml",
        lambda c: c.update(dataset="coco2071"),
        r"paper\.yaml: key dataset: unknown data set 'coco2071'; did you mean 'coco2017'\?",
    ),
    "unknown base of mmdet's": (
        "runs/disentanglement.yaml",
        lambda c: c[0].update(base="mmdet::retinanet/retinanet_r50_fpn_1x"),
        r"run r50: unknown base .*did you mean 'mmdet::retinanet/retinanet_r50_fpn_1x_coco'\?",
    ),
    "unknown backbone": (
        "runs/backbones.yaml",
        lambda c: c[0].update(backbone="r110"),
        r"backbones\.yaml: run r101: key backbone: unknown backbone 'r110'; did you mean 'r101'",
    ),
    "unknown data set of a run": (
        "runs/openimages.yaml",
        lambda c: c[0].update(dataset="openimages"),
        r"run oi_r50: key dataset: .*; did you mean 'openimages-challenge'\?",
    ),
    "unknown run in a figure": (
        "figures/figure6.yaml",
        lambda c: c["series"][0].update(run="r5"),
        r"figure6\.yaml: unknown run 'r5'; did you mean 'r50'\?",
    ),
    "unknown target of a scale": (
        "scales/mini.yaml",
        lambda c: c["only"].append("tabl5"),
        r"mini\.yaml: key only: unknown name 'tabl5'; did you mean 'table5'\?",
    ),
    "unknown backbone in a scale": (
        "scales/mini.yaml",
        lambda c: c["backbones"].update(r100={}),
        r"mini\.yaml: key backbones: unknown name 'r100'; did you mean 'r101'\?",
    ),
    "unknown scale to extend": (
        "scales/smoke.yaml",
        lambda c: c.update(extends="minni"),
        r"smoke\.yaml: key extends: unknown scale 'minni'; did you mean 'mini'\?",
    ),
    "a scale that extends itself": (
        "scales/mini.yaml",
        lambda c: c.update(extends="smoke"),
        r"key extends: (midi → )?mini → smoke → mini",
    ),
    "file and id differ": (
        "tables/table2.yaml",
        lambda c: c.update(id="table9"),
        r"table2\.yaml: key id is 'table9', but the file is named 'table2'",
    ),
    "id that cannot be a path": (
        "runs/disentanglement.yaml",
        lambda c: c[0].update(id="../r50"),
        r"run \.\./r50: key 'id': expected a name of .*, such as 'r50'; found '\.\./r50'",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_name_file_key_and_the_nearest_valid_choice(folder, mistake):
    file, change, message = MISTAKES[mistake]
    edit(folder / file, change)
    with pytest.raises(DeclarationError, match=message):
        load_experiments(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id: [", r"table9\.yaml: not valid YAML: line 1, column 6: while parsing a flow node: ex"),
        ("id: a\n b: c", r"table9\.yaml: not valid YAML: line 2, column 3: mapping values are not"),
        ("id: \x00", r"table9\.yaml: not valid YAML: unacceptable character"),
        ("id: a\nid: b", r"table9\.yaml: not valid YAML: .*key 'id' is given twice"),
        ("", r"table9\.yaml: expected keys and values, found nothing"),
        ("- a", r"table9\.yaml: expected keys and values, found list"),
        ("id: !!python/object/apply:os.system [ls]", r"table9\.yaml: not valid YAML"),
    ],
)
def test_yaml_is_data_and_faults_in_it_are_named(folder, text, message):
    (folder / "tables" / "table9.yaml").write_text(text)
    with pytest.raises(DeclarationError, match=f"(?s){message}"):
        load_experiments(folder)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scal": "mini"}, "unknown setting 'scal'; did you mean 'scale'"),
        ({"scale": "minni"}, "unknown scale 'minni'; did you mean 'mini'"),
        ({"dataset": "embeded"}, "unknown data set 'embeded'; did you mean 'embedded'"),
        ({"dataset": "mine.yaml"}, "mine.yaml: no such file"),
        ({"only": "tabel1,r50"}, "setting only: unknown name 'tabel1'; did you mean 'table1'"),
        ({"seeds": "0,1,2"}, "setting seeds: '0,1,2' is not how many: 3 means"),
        ({"seeds": 0}, "setting seeds: '0' is not how many"),
        ({"seeds": 100000}, "setting seeds: 100000 is more than 1000, which is the most"),
        ({"seeds": "9" * 5000}, "is more than 1000, which is the most"),
    ],
)
def test_settings_of_the_workflow_are_checked(settings, message):
    with pytest.raises(DeclarationError, match=message):
        open_grid(settings)


def test_seeds_are_asked_for_by_their_number_and_change_no_job():
    one, three = open_grid({"only": "r50"}), open_grid({"only": "r50", "seeds": 3})
    assert [job.seed for job in three.wanted] == [0, 1, 2]
    assert three.job("r50", 0).key == one.job("r50", 0).key
    assert three.job("r50", 0).command_line_options == one.job("r50", 0).command_line_options
    assert set(three.report_options) == {*one.report_options, "--seeds=3"}


def test_a_run_or_table_that_is_not_declared():
    grid = open_grid({})
    with pytest.raises(DeclarationError, match="unknown run 'r51'; did you mean 'r50'"):
        grid.jobs_of("r51")
    with pytest.raises(DeclarationError, match="figure or run 'tabel1'; did you mean 'table1'"):
        grid.jobs_for("tabel1")


def test_data_sets_and_scales_of_ones_own_come_from_files(tmp_path):
    dataset = yaml.safe_load((DECLARED / "datasets" / "embedded.yaml").read_text())
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump({**dataset, "id": "own", "classes": ["fish", "ray"]}))
    scale = tmp_path / "longer.yaml"
    scale.write_text(
        yaml.safe_dump(
            {
                "id": "longer",
                "title": "longer",
                "note": "longer",
                "dataset": "embedded",
                "extends": "mini",
                "set": {"train_cfg.max_iters": 5000},
            }
        )
    )
    grid = open_grid({"scale": str(scale), "dataset": str(own)})
    assert grid.name == "longer-own"
    config = grid.job("tsd_pc", 0).config
    assert config.train_cfg.max_iters == 5000
    assert config.model.roi_head.bbox_head.num_classes == 2
    assert config.model.backbone.depth == 18


def test_metrics_that_tables_show_are_described():
    shown = {m for t in load_experiments(DECLARED).tables.values() for m in t.metrics}
    assert shown <= set(METRICS)
    assert all(metric.decimals >= 0 and metric.unit for metric in METRICS.values())


def test_a_run_whose_backbone_has_no_stand_in_is_not_in_the_grid():
    grid = open_grid({"scale": "transfer"})
    assert "r101" not in {job.run.id for job in grid.jobs}
    assert {job.run.id for job in grid.jobs_for("table5")} == {"r50", "tsd_pc"}
    with pytest.raises(DeclarationError, match="key backbones: nothing stands for 'r101'"):
        grid.job("r101", 0)


def test_what_is_wanted_changes_neither_jobs_nor_their_options():
    everything = open_grid({"scale": "mini", "only": "all"})
    little = open_grid({"scale": "mini", "only": "table2,r50"})
    assert [job.key for job in little.jobs] == [job.key for job in everything.jobs]
    assert little.command_line_options == everything.command_line_options
    folders = {Path(file).parts[2] for file in little.wanted_files}
    assert folders == {"tsd_wo_pc", "tsd_joint", "r50"}
    assert set(little.wanted_files) < set(everything.wanted_files)


def test_a_table_with_a_runtime_needs_latencies_and_a_figure_what_it_shows():
    grid = open_grid({"scale": "smoke"})
    assert {Path(file).name for file in grid.files_behind("table5")} == {
        "metrics.json",
        "tracking.json",
        "latency.json",
        "retracking.json",
    }
    assert "latency.json" not in {Path(file).name for file in grid.files_behind("table1")}
    assert "sensitivity.json" in {Path(file).name for file in grid.files_behind("figure1")}


def test_a_runs_own_data_set_is_used_where_the_scale_does_not_stand_in():
    assert open_grid({"scale": "paper"}).job("oi_r50", 0).dataset.id == "openimages-challenge"
    assert open_grid({"scale": "smoke"}).job("oi_r50", 0).dataset.id == "embedded-tiny"
    asked = open_grid({"scale": "paper", "dataset": "coco2014-minival"})
    assert asked.job("oi_r50", 0).dataset.id == "coco2014-minival"


def test_mappings_may_be_merged_and_own_keys_overrule(folder):
    path = folder / "scales" / "mini.yaml"
    path.write_text(path.read_text().replace("{<<: *resnet50, depth: 101}", "{<<: *resnet50}"))
    backbones = load_experiments(folder).scales["mini"].backbones
    assert backbones["r152"]["model.backbone"] == backbones["r101"]["model.backbone"]
    unchanged = load_experiments(DECLARED).scales["mini"].backbones
    assert unchanged["r152"]["model.backbone"]["depth"] == 101


def test_a_class_that_is_named_twice_is_refused_but_in_open_images(tmp_path):
    declared = {
        "id": "own",
        "title": "t",
        "licence": "l",
        "root": "r",
        "train": {"annotations": "a", "images": "i"},
        "val": {"annotations": "b", "images": "i"},
        "classes": ["red", "green", "red"],
    }
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(declared))
    with pytest.raises(
        DeclarationError, match=r"own\.yaml: key classes: names 'red' more than once"
    ):
        open_grid({"dataset": str(path)})
    files = {"labels": "l.csv", "hierarchy": "h.npy", "verified": "v.csv"}
    path.write_text(yaml.safe_dump({**declared, "openimages": files}))
    assert open_grid({"dataset": str(path)}).dataset.classes == ["red", "green", "red"]


def test_runs_have_to_be_a_list(folder):
    (folder / "runs" / "backbones.yaml").write_text("id: r50")
    with pytest.raises(DeclarationError, match=r"backbones\.yaml: expected a list .* found dict"):
        load_experiments(folder)


def test_a_scale_of_ones_own_extends_one_that_there_is(tmp_path):
    own = {"id": "own", "title": "t", "note": "n", "dataset": "embedded", "extends": "minni"}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(own))
    with pytest.raises(DeclarationError, match=r"own\.yaml: key extends: .*did you mean 'mini'"):
        open_grid({"scale": str(tmp_path / "own.yaml")})


@pytest.mark.parametrize("found", [None, ModuleSpec("mmdet", None)])
def test_without_mmdet_its_bases_cannot_be_named(monkeypatch, found):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: found)
    with pytest.raises(DeclarationError, match="mmdet is not installed"):
        config_file("mmdet::retinanet/retinanet_r50_fpn_1x_coco")

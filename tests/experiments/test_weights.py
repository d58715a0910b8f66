"""Pretrained weights that a data set names by the backbone that they are for."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tsd.experiments.compile import pretrained_part
from tsd.experiments.grid import possible
from tsd.experiments.load import load_experiments
from tsd.experiments.planning import unused_weights
from tsd.experiments.reading import DeclarationError, validate
from tsd.experiments.scale_schema import Scale
from tsd.experiments.settings import open_grid

OWN = {"mobilenetv2": "weights/own.pth"}
NAMED = "open-mmlab://mmdet/mobilenet_v2"


@pytest.fixture
def opened(tmp_path):
    """Opens a grid on a data set of one's own with these keys."""

    def open_with(scale="transfer", only="all", **keys):
        path = tmp_path / "own.yaml"
        content = yaml.safe_load(Path("experiments/datasets/embedded-tiny.yaml").read_text())
        path.write_text(yaml.safe_dump({**content, "id": "own", **keys}))
        return open_grid({"scale": scale, "dataset": str(path), "only": only})

    return open_with


def configs(grid):
    return {job.run.id: job.config.to_dict() for job in possible(grid.jobs)}


def test_runs_of_that_backbone_take_them_and_all_others_are_as_they_were(opened):
    without, having = configs(opened()), configs(opened(weights=OWN))
    assert without.keys() == having.keys()
    taking = set()
    for name, config in having.items():
        if config != without[name]:
            taking.add(name)
            expected = copy.deepcopy(without[name])
            assert pretrained_part(expected["model"])["checkpoint"] == NAMED
            pretrained_part(expected["model"])["checkpoint"] = OWN["mobilenetv2"]
            assert config == expected
    assert {"r50", "tsd_pc", "d_s8", "cascade_r50_tsd", "mask_r50"} <= taking
    assert not any(name.startswith("peer_") for name in taking)
    assert any(name.startswith("peer_") for name in having)


@pytest.mark.parametrize("scale", ["midi", "mini", "smoke"])
def test_where_nothing_is_pretrained_they_change_nothing(opened, scale):
    assert configs(opened(scale)) == configs(opened(scale, weights=OWN))


def test_a_run_takes_them_for_the_backbone_that_it_names(opened):
    without, having = configs(opened("paper")), configs(opened("paper", weights=OWN))
    changed = {name for name in having if having[name] != without[name]}
    assert changed == {"mobilenetv2", "mobilenetv2_tsd"}
    assert pretrained_part(having["mobilenetv2"]["model"])["checkpoint"] == OWN["mobilenetv2"]


def test_what_a_run_says_of_its_weights_wins(opened):
    job = opened(weights=OWN).job("r50", 0)
    settings = {"model.backbone.init_cfg.checkpoint": "weights/of_the_run.pth"}
    changed = replace(job, run=job.run.model_copy(update={"set": settings}))
    assert changed.starts_from == "weights/of_the_run.pth"
    assert job.starts_from == OWN["mobilenetv2"]


@pytest.mark.parametrize(
    ("starts", "expected"),
    [
        (None, None),
        ({"type": "Kaiming", "layer": "Conv2d"}, None),
        ({"type": "Pretrained", "checkpoint": "a"}, "weights/own.pth"),
        ([{"type": "Kaiming"}, {"type": "Pretrained", "checkpoint": "a"}], "weights/own.pth"),
    ],
)
def test_only_weights_are_replaced_by_weights(opened, starts, expected):
    job = opened(weights=OWN).job("r50", 0)
    entry = job.scale.bases[-1].model_copy(
        update={"match": job.run.base, "set": {"model.backbone.init_cfg": starts}}
    )
    changed = replace(job, scale=job.scale.model_copy(update={"bases": [*job.scale.bases, entry]}))
    assert changed.starts_from == expected


def test_the_name_of_the_file_tells_trainings_apart_and_its_folder_does_not(opened):
    digests = [
        opened(weights={"mobilenetv2": file}).job("r50", 0).digest
        for file in ("a/net.pth", "b/net.pth", "b/other.pth")
    ]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("path", ["model", "model.backbone.init_cfg.checkpoint"])
def test_a_data_set_cannot_change_models_and_is_told_of_the_key_for_weights(opened, path):
    message = rf"own\.yaml: key set: '{path}' \(1 in all\) .*use the key weights"
    with pytest.raises(DeclarationError, match=message):
        opened(set={path: "weights/own.pth", "train_dataloader.batch_size": 2})


def test_of_many_such_paths_five_are_named_and_all_counted(opened):
    with pytest.raises(DeclarationError, match=r"'model\.p4' \(7 in all\)") as raised:
        opened(set={f"model.p{number}": 1 for number in range(7)})
    assert "model.p5" not in str(raised.value)


def test_other_settings_of_a_data_set_are_applied(opened):
    changed = opened(set={"train_dataloader.batch_size": 2}).job("r50", 0)
    assert changed.config.train_dataloader.batch_size == 2


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"mobilenet2": "a.pth"}, "key weights: unknown backbone 'mobilenet2'; .* 'mobilenetv2'"),
        ({"mobilenetv2": None}, "key 'weights.mobilenetv2': expected a text, found None"),
        ({"mobilenetv2": ""}, "key 'weights.mobilenetv2': .*expected a text of 1 letter or more"),
        ("a.pth", "key 'weights': expected keys and values, found 'a.pth'"),
    ],
)
def test_mistakes_in_the_key_are_named(opened, weights, message):
    with pytest.raises(DeclarationError, match=rf"own\.yaml: {message}"):
        opened(weights=weights)


def test_weights_that_no_run_of_the_grid_takes_are_told(opened):
    grid = opened(weights={"r101": "a.pth", **OWN})
    (text,) = unused_weights(grid, grid.wanted)
    assert "own.yaml: key weights: no run that is asked for at scale transfer" in text
    assert "a backbone 'r101'" in text
    assert "'mobilenetv2'" in text.partition("; ")[2] or "known: mobilenetv2" in text
    grid = opened("mini", weights=OWN)
    (text,) = unused_weights(grid, grid.wanted)
    assert text.endswith("a backbone 'mobilenetv2'; known: none")
    grid = opened("mini")
    assert unused_weights(grid, grid.wanted) == []


def test_the_backbone_of_an_entry_has_to_be_declared(tmp_path):
    content = {
        "id": "own",
        "title": "own",
        "note": "own",
        "dataset": "embedded",
        "extends": "transfer",
        "bases": [{"match": "*", "backbone": "mobilenet2", "set": {}}],
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(DeclarationError, match=r"own\.yaml: key bases: .*'mobilenetv2'"):
        open_grid({"scale": str(tmp_path / "own.yaml")})


def test_a_scale_that_extends_another_keeps_the_backbones_of_its_entries():
    experiments = load_experiments(Path("experiments"))
    entry = {"match": "*-rcnn_r50_fpn", "set": {"model.rpn_head.feat_channels": 32}}
    content = {"id": "own", "title": "own", "note": "own", "dataset": "embedded"}
    own = validate(Scale, {**content, "extends": "transfer", "bases": [entry]}, "own.yaml")
    experiments.scales["own"] = own
    assert experiments.scale("own").backbone_for("faster-rcnn_r50_fpn") == "mobilenetv2"
    assert experiments.scale("own").backbone_for("mmdet::fcos/any") is None


def test_the_later_of_two_entries_names_the_backbone():
    content = {
        "id": "own",
        "title": "own",
        "note": "own",
        "dataset": "embedded",
        "bases": [
            {"match": "*", "backbone": "r101", "set": {}},
            {"match": "a*", "backbone": "r152", "set": {}},
            {"match": "ab", "set": {}},
        ],
    }
    scale = validate(Scale, content, "own.yaml")
    assert [scale.backbone_for(base) for base in ("b", "a", "ab")] == ["r101", "r152", "r152"]

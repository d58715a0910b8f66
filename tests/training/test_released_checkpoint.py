"""Files of the authors' release become files that load here, or are refused with a reason."""

import hashlib
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmdet.datasets import CocoDataset

from tests.training.released_models import build
from tests.training.released_state import FULL, SMALL, released_state
from tsd.cli.main import main
from tsd.training.build import inference_parameters
from tsd.training.checkpoints import WeightsError, load_as_data
from tsd.training.released_checkpoint import convert, convert_checkpoint, converted, parameters

COCO = CocoDataset.METAINFO["classes"]
META = {
    "epoch": 14,
    "iter": 102600,
    "mmdet_version": "1.1.0+fb1fdd7",
    "config": "model = dict(type='FasterRCNN')",
    "time": "Mon Jan  6 2020",
}


@pytest.fixture
def file(tmp_path):
    def write(state, meta=META, **options):
        optimizer = {
            "state": {0: {"momentum_buffer": torch.ones(2)}},
            "param_groups": [{"lr": 0.04}],
        }
        content = {"meta": meta, "state_dict": OrderedDict(state), "optimizer": optimizer}
        torch.save(content, tmp_path / "released.pth", **options)
        return tmp_path / "released.pth"

    return write


def problem(state):
    with pytest.raises(WeightsError) as error:
        convert(state, "tsd.pth")
    return str(error.value)


def test_at_the_released_size_all_tensors_are_mapped():
    state = released_state(sizes=FULL)
    assert len(state) == 370
    detector, converted = convert(state, "file")
    assert str(detector) == "Faster R-CNN with TSD, ResNet-50, 80 classes"
    assert len(converted) == 370
    assert parameters(converted) == 73_324_245
    assert parameters(state) == 73_324_245 + 2 * 4 * 1025, "two heads' boxes of the background"
    model = build()
    model.load_state_dict(converted)
    assert inference_parameters(model) == 59_017_540


KINDS = {
    "released_tsd_faster": {},
    "released_tsd_mask": {"masks": True},
    "released_tsd_cascade": {"stages": 3},
    "faster": {"tsd": False},
    "mask": {"tsd": False, "masks": True},
    "cascade": {"tsd": False, "stages": 3, "agnostic": True},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_detector_of_the_release_loads(kind):
    state = released_state(**KINDS[kind])
    detector, converted = convert(state, "file")
    model = build(kind, SMALL)
    model.load_state_dict(converted)
    assert len(converted) == len(state)
    name = kind.split("_")[-1].capitalize()
    expected = f"{name} R-CNN with{'' if 'tsd' in kind else 'out'} TSD, ResNet-50, 5 classes"
    assert str(detector) == expected


@pytest.mark.parametrize("depth", [101, 152])
def test_deeper_backbones(depth):
    state = released_state(depth)
    _, converted = convert(state, "file")
    assert len(converted) == len(state)
    build("released_tsd_faster", SMALL, depth).load_state_dict(converted)


def test_a_baselines_boxes_of_classes():
    state = released_state(tsd=False, stages=2)
    _, converted = convert(state, "file")
    for stage in range(2):
        name = f"bbox_head.{stage}.fc_reg.weight"
        assert torch.equal(converted[f"roi_head.{name}"], state[name][4:])


def test_rows_are_ordered_as_ours():
    state = released_state()
    state["bbox_head.delta_c.2.bias"] = torch.arange(98.0)
    state["bbox_head.TSD_fc_cls.bias"] = torch.arange(6.0)
    state["bbox_head.fc_cls.bias"] = torch.arange(6.0)
    state["bbox_head.TSD_fc_reg.bias"] = torch.arange(24.0)
    state["bbox_head.fc_reg.bias"] = torch.arange(24.0)
    _, converted = convert(state, "file")
    found = converted["roi_head.derived_proposals.cls_layers.2.bias"].tolist()
    for i, j, axis in np.ndindex(7, 7, 2):
        assert found[(7 * i + j) * 2 + axis] == 49 * axis + 7 * i + j
    for head in ("bbox_head", "sibling_head"):
        assert converted[f"roi_head.{head}.fc_cls.bias"].tolist() == [1, 2, 3, 4, 5, 0]
        assert converted[f"roi_head.{head}.fc_reg.bias"].tolist() == list(range(4, 24))
    _, converted = convert(released_state(stages=3), "file")
    heads = [f"roi_head.stages.2.{name}.fc_reg.bias" for name in ("bbox_head", "sibling_head")]
    assert [len(converted[name]) for name in heads] == [24, 20]


def test_names_may_begin_with_module():
    state = {f"module.{name}": tensor for name, tensor in released_state().items()}
    expected = convert(released_state(), "file")[1]
    found = convert(state, "file")[1]
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


def test_a_tensor_that_is_unknown_missing_or_of_another_shape_is_named():
    state = released_state()
    state["bbox_head.extra.weight"] = torch.ones(1)
    del state["backbone.layer3.5.bn2.running_var"]
    state["bbox_head.delta_c.2.weight"] = torch.ones(98, 11)
    text = problem(state)
    assert text.startswith("tsd.pth is no Faster R-CNN with TSD, ResNet-50, 5 classes of the rele")
    assert "1 unknown (bbox_head.extra.weight)" in text
    assert "1 missing (backbone.layer3.5.bn2.running_var)" in text
    assert "1 of another shape (bbox_head.delta_c.2.weight [98, 11] in place of [98, 10])" in text


def test_of_many_five_are_named_and_all_are_counted():
    state = {name: tensor for name, tensor in released_state().items() if ".layer4.2" not in name}
    text = problem(state)
    assert "18 missing (" in text
    assert text.count("backbone.layer4.2") == 5
    assert text.endswith(", …)")


@pytest.mark.parametrize(
    "name", ["rpn_head.rpn_conv.weight", "bbox_head.shared_fc.0.weight", "backbone.conv1.weight"]
)
def test_what_the_widths_are_known_by_is_named_too(name):
    state = released_state()
    del state[name]
    assert f"it has no '{name}'" in problem(state)
    assert name in problem({**state, name: torch.tensor(1.0)})


def test_other_files_are_refused(tmp_path, file):
    with pytest.raises(WeightsError, match=r"there is no file .*nothing\.pth"):
        convert_checkpoint(tmp_path / "nothing.pth", tmp_path / "ours.pth")
    assert "no checkpoint of a detector" in problem({"conv1.weight": torch.ones(1)})
    path = tmp_path / "list.pth"
    torch.save([1, 2], path)
    with pytest.raises(WeightsError, match="holds no state_dict of tensors"):
        convert_checkpoint(path, tmp_path / "ours.pth")
    path.write_bytes(b"<html>quota exceeded</html>")
    with pytest.raises(WeightsError, match="cannot be read with weights_only=True"):
        convert_checkpoint(path, tmp_path / "ours.pth")
    assert not (tmp_path / "ours.pth").exists()


@pytest.mark.parametrize("is_zip", [True, False])
def test_the_new_file_is_plain_and_says_where_it_is_from(tmp_path, file, is_zip):
    released = file(
        released_state(),
        {**META, "CLASSES": ("a", "b", "c", "d", "e"), "odd": torch.Size([2])},
        _use_new_zipfile_serialization=is_zip,
    )
    line = convert_checkpoint(released, tmp_path / "new" / "ours.pth")
    assert line.startswith("Faster R-CNN with TSD, ResNet-50, 5 classes: 370 tensors, ")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["ours.pth"]
    content = load_as_data(str(tmp_path / "new" / "ours.pth"), "cpu")
    assert content.keys() == {"meta", "state_dict"}
    assert type(content["state_dict"]) is dict
    build("released_tsd_faster", SMALL).load_state_dict(content["state_dict"])
    meta = content["meta"]
    assert meta["classes"] == ["a", "b", "c", "d", "e"]
    assert meta["source"] == "released.pth"
    assert meta["source_sha256"] == hashlib.sha256(released.read_bytes()).hexdigest()
    assert meta["released"] == {**META, "CLASSES": ["a", "b", "c", "d", "e"], "odd": [2]}


def test_a_file_that_is_there_is_not_written_over(tmp_path, file):
    ours = tmp_path / "ours.pth"
    ours.write_text("mine")
    with pytest.raises(WeightsError, match="is there already; delete it"):
        convert_checkpoint(file(released_state()), ours)
    assert ours.read_text() == "mine"


def classes_of_coco(names, count=80):
    sizes = {**SMALL, "classes": count}
    return released_state(sizes=sizes), {**META, "CLASSES": names}


def test_cocos_classes_in_their_order_are_accepted(tmp_path, file):
    as_mmdet_1_has_them = tuple(name.replace(" ", "_") for name in COCO)
    released = file(*classes_of_coco(as_mmdet_1_has_them))
    convert_checkpoint(released, tmp_path / "ours.pth")
    content = load_as_data(str(tmp_path / "ours.pth"), "cpu")
    assert content["meta"]["released"]["CLASSES"] == list(as_mmdet_1_has_them)
    assert content["meta"]["classes"] == list(COCO)


def test_without_names_80_classes_are_cocos(file):
    assert converted(file(classes_of_coco(COCO)[0]))["meta"]["classes"] == list(COCO)
    assert converted(file(released_state()))["meta"]["classes"] is None


def test_a_converted_file_stays_as_it_is(tmp_path, file):
    ours = tmp_path / "ours.pth"
    convert_checkpoint(file(released_state()), ours)
    content = converted(ours)
    assert content["meta"]["source"] == "released.pth"
    expected = load_as_data(str(ours), "cpu")["state_dict"]
    assert all(torch.equal(content["state_dict"][name], expected[name]) for name in expected)


def test_classes_in_another_order_or_number_are_refused(tmp_path, file):
    swapped = (*COCO[:3], COCO[4], COCO[3], *COCO[5:])
    for names, count, message in (
        (swapped, 80, "label 3 is airplane, and COCO's is motorcycle"),
        (COCO[:79], 80, "80 classes, and names for 79"),
    ):
        with pytest.raises(WeightsError, match=message):
            convert_checkpoint(file(*classes_of_coco(names, count)), tmp_path / "ours.pth")
    assert not (tmp_path / "ours.pth").exists()


def test_the_command(tmp_path, file, capsys):
    released, ours = file(released_state()), tmp_path / "ours.pth"
    main(["convert-checkpoint", str(released), str(ours)])
    assert capsys.readouterr().out.startswith("Faster R-CNN with TSD, ResNet-50, 5 classes: 370")
    assert ours.is_file()
    with pytest.raises(SystemExit, match=f"tsd: {ours} is there already"):
        main(["convert-checkpoint", str(released), str(ours)])

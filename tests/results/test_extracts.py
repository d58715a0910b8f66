import json

import pytest

from tsd.results.extracts import ProposalsExtract, SensitivityExtract, SiblingsExtract
from tsd.results.records import RecordError

OBJECT = {
    "image": "val/1.png",
    "image_id": 1,
    "width": 64.0,
    "height": 48.0,
    "class": "cat",
    "box": [1.0, 2.0, 30.5, 4.0],
}

FILES = {
    SensitivityExtract: {
        "key": "mini/r50/ab12cd34ef/seed0",
        "margin": 0.25,
        "instances": [
            {
                **OBJECT,
                "stride": 4,
                "x": [1.0, 2.0],
                "y": [3.0],
                "classification": [[0.5, 0.6]],
                "localization": [[0.1, 0.9]],
            }
        ],
    },
    ProposalsExtract: {
        "key": "mini/tsd_pc/ab12cd34ef/seed0",
        "images": [
            {
                **OBJECT,
                "ground_truth": [{"class": "cat", "box": [1.0, 2.0, 30.5, 4.0]}],
                "proposal": {"box": [1.0, 2.0, 29.0, 4.0], "iou": 0.9},
                "derived": {
                    "cls_points": [[1.0, 2.0], [3.0, 4.0]],
                    "reg_box": [1.0, 2.0, 30.0, 4.0],
                    "reg_points": None,
                },
                "detections": [{"class": "cat", "score": 0.5, "box": [1.0, 2.0, 30.0, 4.0]}],
            },
            {**OBJECT, "ground_truth": [], "proposal": None, "derived": None, "detections": []},
        ],
        "resting_offset": [0.018, 0.018],
    },
    SiblingsExtract: {
        "key": "mini/tsd_pc/ab12cd34ef/seed0",
        "m_c": 0.5,
        "m_r": 0.2,
        "asks_for_score": True,
        "asks_for_iou": False,
        "images": 4,
        "stages": [],
        "losses": [{"name": "loss_pc_cls", "steps": [1, 2], "values": [0.5, 0.25]}],
    },
}
"""Content of the files as this version of the project writes them."""


@pytest.mark.parametrize("extract", FILES)
def test_a_file_keeps_its_content_when_it_is_read_and_written(extract, tmp_path):
    path = tmp_path / "extract.json"
    path.write_text(json.dumps(FILES[extract]), encoding="utf-8")
    extract.read(path).write(path)
    assert json.loads(path.read_text(encoding="utf-8")) == FILES[extract]


@pytest.mark.parametrize(
    ("extract", "key"), [(SensitivityExtract, "instances"), (ProposalsExtract, "images")]
)
def test_a_file_of_a_version_without_sizes_is_read(extract, key):
    content = json.loads(json.dumps(FILES[extract]))
    for example in content[key]:
        del example["width"], example["height"]
    read = getattr(extract.model_validate(content), key)
    assert {(example.width, example.height) for example in read} == {(None, None)}


def test_values_have_names_in_python():
    content = ProposalsExtract.model_validate(FILES[ProposalsExtract])
    first, second = content.images
    assert (first.class_name, first.box) == ("cat", (1.0, 2.0, 30.5, 4.0))
    assert first.derived.cls_points == [(1.0, 2.0), (3.0, 4.0)]
    assert second.proposal is None


def test_a_malformed_file_is_named_with_its_key(tmp_path):
    path = tmp_path / "sensitivity.json"
    content = {**FILES[SensitivityExtract], "instances": [{**OBJECT, "box": [1, 2, 3]}]}
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(RecordError, match=r"sensitivity\.json: key instances\.0\.box"):
        SensitivityExtract.read(path)


def test_a_file_of_a_version_without_resting_offsets_is_read(tmp_path):
    path = tmp_path / "extract.json"
    content = {k: v for k, v in FILES[ProposalsExtract].items() if k != "resting_offset"}
    path.write_text(json.dumps(content), encoding="utf-8")
    assert ProposalsExtract.read(path).resting_offset == (0, 0)


def test_a_file_of_one_margin_does_not_say_what_its_training_asked_for(tmp_path):
    old = {"key": "k", "margin": 0.2, "images": 4, "stages": [], "losses": []}
    path = tmp_path / "siblings.json"
    path.write_text(json.dumps(old), encoding="utf-8")
    found = SiblingsExtract.read(path)
    assert (found.m_c, found.m_r) == (0.2, 0.2)
    assert found.asks_for_score is found.asks_for_iou is None

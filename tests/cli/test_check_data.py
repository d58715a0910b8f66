"""The command that checks a data set before anything trains on it."""

import json
from pathlib import Path

import pytest
import yaml

from tests.data.openimages_example import declaration, write_raw
from tests.data.pictures import encoded, scene
from tsd.cli import data_check_step
from tsd.cli.main import main
from tsd.data.openimages_format import PREPARED
from tsd.data.openimages_prepare import prepare


@pytest.fixture
def check(tmp_path):
    """Check a declared data set and return the command's record."""

    def run(content):
        file, out = tmp_path / "data.yaml", tmp_path / "record.json"
        file.write_text(yaml.safe_dump(content))
        grid = ["--scale=smoke", f"--dataset={file}", f"--results={tmp_path / 'results'}"]
        main(["check-data", *grid, f"--data={content['id']}", f"--out={out}"])
        return json.loads(out.read_text())

    return run


@pytest.fixture
def open_images(tmp_path):
    prepare(write_raw(tmp_path), tmp_path / "annotations")
    return declaration(tmp_path)


def test_a_coco_data_set_is_counted(check, tiny_data, capsys):
    declared = yaml.safe_load(Path("experiments/datasets/embedded-tiny.yaml").read_text())
    record = check({**declared, "id": "tiny", "root": str(tiny_data), "embedded": None})
    assert (record["train"]["images"], record["val"]["images"]) == (8, 4)
    assert set(record["train"]["per_class"]) == set(declared["classes"])
    assert "data set tiny, val: 4 images" in capsys.readouterr().out


@pytest.fixture
def photographs(tmp_path):
    """A data set in COCO's format with an image that EXIF turns, annotated in a size."""

    def of(width, height, content=None):
        box = {"bbox": [4, 4, 30, 30], "area": 900, "iscrowd": 0, "image_id": 1, "category_id": 1}
        annotated = {
            "images": [{"id": 1, "file_name": "a.jpg", "width": width, "height": height}],
            "annotations": [{"id": 1, **box}],
            "categories": [{"id": 1, "name": "object"}],
        }
        for split in ("train", "val"):
            (tmp_path / split).mkdir(exist_ok=True)
            (tmp_path / split / "a.jpg").write_bytes(encoded(scene(), "JPEG", 6))
            (tmp_path / f"{split}.json").write_text(json.dumps(annotated))
        if content is not None:
            (tmp_path / "val" / "a.jpg").write_bytes(content)
        splits = {
            split: {"annotations": f"{split}.json", "images": f"{split}/"}
            for split in ("train", "val")
        }
        about = {"id": "photographs", "title": "Photographs", "licence": "none"}
        return {**about, "root": str(tmp_path), "classes": ["object"], **splits}

    return of


@pytest.mark.parametrize(
    ("size", "counts", "told"),
    [
        ((64, 48), {"turned": 0, "not_turned": 1}, "val: 1 image is not turned"),
        ((48, 64), {"turned": 1, "not_turned": 0}, "val: 1 image is turned"),
    ],
)
def test_the_frame_of_the_images_is_told(size, counts, told, check, photographs, capsys):
    pixels = check(photographs(*size))["pixels"]["val"]
    assert pixels == {**pixels, "images": 1, "assumed": 0, **counts}
    assert len(pixels["content"]) == 32
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    ("size", "content", "told"),
    [
        ((64, 48), b"", r"empty: 'a\.jpg'"),
        ((64, 48), encoded(scene(), "JPEG")[:-200], r"cut off or damaged: 'a\.jpg'"),
        ((64, 48), encoded(scene(128, 96), "JPEG"), "is 128 × 96, but annotated as 64 × 48"),
        ((30, 40), None, "64 × 48, turned by its EXIF data 48 × 64, but annotated as 30 × 40"),
    ],
)
def test_an_image_that_is_not_as_annotated_is_refused(size, content, told, check, photographs):
    with pytest.raises(SystemExit, match=told):
        check(photographs(*size, content))


def test_images_are_remembered_with_the_results(check, photographs, tmp_path):
    check(photographs(64, 48))
    remembered = tmp_path / "results" / ".images"
    contents = {*remembered.glob("*.contents.json")}
    assert len(contents) == 2
    manifests = sorted({*remembered.iterdir()} - contents)
    assert [list(json.loads(file.read_text())["files"]) for file in manifests] == [["a.jpg"]] * 2
    times = [file.stat().st_mtime_ns for file in manifests]
    check(yaml.safe_load((tmp_path / "data.yaml").read_text()))
    assert [file.stat().st_mtime_ns for file in manifests] == times


def test_an_open_images_data_set_is_counted(check, open_images, capsys):
    record = check(open_images)
    assert record["val"]["per_class"]["Bench (/m/w)"] == 1
    assert record["val"]["fates"]["group"] == 1
    assert record["pixels"]["train"]["images"] == 2
    assert record["ceiling"] is None
    said = capsys.readouterr().out
    assert "1 left out of training: the box is below one pixel" in said
    assert "1 group: evaluation takes" in said


def test_a_fault_is_named(check, open_images, tmp_path):
    (tmp_path / "annotations" / PREPARED.train).write_text("x.jpg\n64 48\n1\n1 0 0 1 1 0\n")
    with pytest.raises(SystemExit, match=r"'x\.jpg' \(1 in all\)"):
        check(open_images)


def test_of_published_images_some_are_looked_at_and_that_is_told(
    check, tiny_data, capsys, monkeypatch
):
    declared = yaml.safe_load(Path("experiments/datasets/embedded-tiny.yaml").read_text())
    content = {**declared, "id": "tiny", "root": str(tiny_data), "embedded": None}
    monkeypatch.setattr(data_check_step, "PUBLISHED_LOOKED_AT", 3)
    assert check(content)["pixels"]["train"]["images"] == 8
    record = check({**content, "published": True})
    assert record["pixels"]["train"]["images"] == 3
    assert "3 of 8 image files are looked at" in capsys.readouterr().out

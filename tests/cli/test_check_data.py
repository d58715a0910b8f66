"""The command that checks a data set before anything trains on it."""

import json
from pathlib import Path

import pytest
import yaml

from tests.data.openimages_example import declaration, write_raw
from tsd.cli.main import main
from tsd.data.openimages_format import PREPARED
from tsd.data.openimages_prepare import prepare


@pytest.fixture
def check(tmp_path):
    """Check a declared data set and return the command's record."""

    def run(content):
        file, out = tmp_path / "data.yaml", tmp_path / "record.json"
        file.write_text(yaml.safe_dump(content))
        grid = ["--scale=smoke", f"--dataset={file}"]
        main(["check-data", *grid, f"--data={content['id']}", f"--out={out}"])
        return json.loads(out.read_text())

    return run


@pytest.fixture
def open_images(tmp_path):
    prepare(write_raw(tmp_path), tmp_path / "annotations")
    return declaration(tmp_path)


def test_a_coco_data_set_is_counted(check, tiny_data, capsys):
    declared = yaml.safe_load(Path("experiments/datasets/embedded-tiny.yaml").read_text())
    record = check({**declared, "root": str(tiny_data), "embedded": None})
    assert (record["train"]["images"], record["val"]["images"]) == (8, 4)
    assert set(record["train"]["per_class"]) == set(declared["classes"])
    assert "data set embedded-tiny, val: 4 images" in capsys.readouterr().out


def test_an_open_images_data_set_is_counted(check, open_images, capsys):
    record = check(open_images)
    assert record["val"]["per_class"]["Bench (/m/w)"] == 1
    assert record["train"]["group_of"] == 1
    assert "1 boxes without area" in capsys.readouterr().out


def test_a_fault_is_named(check, open_images, tmp_path):
    (tmp_path / "annotations" / PREPARED.train).write_text("x.jpg\n64 48\n1\n1 0 0 1 1 0\n")
    with pytest.raises(SystemExit, match=r"'x\.jpg' \(1 in all\)"):
        check(open_images)

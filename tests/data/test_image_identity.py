"""Replaced images make another run, whatever the annotations say."""

import os
import shutil

import pytest
import yaml

from tsd.data import image_identity
from tsd.experiments.settings import open_grid


@pytest.fixture
def dataset(tiny_data, tmp_path):
    """The YAML of a data set of somebody's own."""
    root = shutil.copytree(tiny_data, tmp_path / "own")
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    content = {
        "id": "own",
        "title": "own",
        "licence": "none",
        "root": str(root),
        "train": {"annotations": "annotations/train.json", "images": "train/"},
        "val": {"annotations": "annotations/val.json", "images": "val/"},
        "classes": names,
    }
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def digest(dataset):
    settings = {"scale": "smoke", "dataset": str(dataset)}
    return open_grid(settings, dataset.parent / "results").job("r50", 0).digest


def images(dataset, split="train"):
    return sorted((dataset.parent / "own" / split).iterdir())


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_replaced_image_makes_another_digest_and_going_back_the_first(dataset, split):
    first = digest(dataset)
    one, other, *_ = images(dataset, split)
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    assert digest(dataset) != first
    one.write_bytes(kept)
    assert digest(dataset) == first


def test_times_and_places_do_not_matter(dataset):
    first = digest(dataset)
    for image in images(dataset):
        os.utime(image, ns=(1, 1))
    assert digest(dataset) == first
    moved = dataset.parent / "elsewhere"
    shutil.move(dataset.parent / "own", moved)
    dataset.write_text(dataset.read_text().replace(str(dataset.parent / "own"), str(moved)))
    assert digest(dataset) == first


def test_an_unchanged_folder_is_not_read_again(dataset, monkeypatch):
    first = digest(dataset)
    monkeypatch.setattr(image_identity, "read_images", lambda *_: pytest.fail("read again"))
    assert digest(dataset) == first
    os.utime(images(dataset)[0], ns=(1, 1))
    with pytest.raises(pytest.fail.Exception, match="read again"):
        digest(dataset)


def test_published_images_are_taken_to_be_what_they_were(dataset):
    dataset.write_text(dataset.read_text() + "published: true\n")
    first = digest(dataset)
    one, other, *_ = images(dataset)
    one.write_bytes(other.read_bytes())
    assert digest(dataset) == first
    assert not (dataset.parent / "results").exists()


def test_a_folder_that_is_not_there_is_for_the_check_to_tell(dataset):
    present = digest(dataset)
    shutil.rmtree(dataset.parent / "own" / "train")
    assert digest(dataset) != present


def test_data_that_others_made_are_not_looked_at():
    grid = open_grid({"scale": "paper"})
    assert grid.job("r50", 0).dataset.published
    assert grid.job("oi_r50", 0).dataset.published


def test_a_damaged_memory_costs_no_more_than_another_look(dataset):
    first = digest(dataset)
    memories = [*(dataset.parent / "results" / ".images").glob("*.contents.json")]
    assert len(memories) == 2
    for memory in memories:
        for damaged in ("[]", memory.read_text()[:20]):
            memory.write_text(damaged)
            image_identity.look_again()
            assert digest(dataset) == first
            assert memory.read_text().startswith("{")

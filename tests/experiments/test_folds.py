"""Folds are declared with one split, and each seed has its own part of it."""

from pathlib import Path

import pytest
import yaml

from tests.coco_example import annotated, declaration, scattered, write_split
from tsd.cli.main import main
from tsd.evaluation.measure import measure_coco
from tsd.experiments.dataset_schema import Dataset
from tsd.experiments.reading import DeclarationError, validate
from tsd.experiments.settings import open_grid
from tsd.results.data_check import DataCheck
from tsd.results.records import DetectRecord
from tsd.run_folder import read_json, write_json


def with_folds(root, folds=3, **keys):
    content = declaration(root, folds=folds, **keys)
    del content["val"]
    return content


@pytest.fixture
def grid_of(tmp_path):
    """Gives the grid of nine rectangles in so many folds, its results below ``tmp_path``."""
    categories = [(7, "green"), (4, "red")]
    write_split(tmp_path / "data", "train", annotated(categories, scattered(9, 0)))

    def open_(folds):
        path = tmp_path / f"{folds}.yaml"
        content = with_folds(tmp_path / "data", folds)
        if folds is None:
            content = {**declaration(tmp_path / "data"), "val": content["train"]}
        path.write_text(yaml.safe_dump(content))
        settings = {"scale": "smoke", "dataset": str(path), "seeds": 4}
        return open_grid(settings, tmp_path / "results")

    return open_


def check(grid, tmp_path):
    options = [*grid.command_line_options, "--results", str(grid.results)]
    out = grid.data_check("rectangles")
    main(["check-data", *options, "--data", "rectangles", "--out", str(out)])
    return out


def test_val_is_left_out_with_folds_and_needed_without(tmp_path):
    assert validate(Dataset, with_folds("data"), "own.yaml").val.annotations == "train.json"
    missing = with_folds("data")
    del missing["folds"]
    for content, message in (
        (missing, "key 'val' is missing"),
        (declaration("data", folds=3), "key folds: leave the key val out"),
        (with_folds("data", folds=1), "a number of 2 or more"),
        (with_folds("data", embedded={"seed": 0}), "with the key embedded cannot have folds"),
    ):
        with pytest.raises(DeclarationError, match=message):
            validate(Dataset, content, "own.yaml")


def test_a_declaration_with_folds_survives_being_collected():
    declared = Dataset.model_validate(with_folds("data"))
    assert Dataset.model_validate_json(declared.model_dump_json()) == declared
    assert "folds" not in Dataset.model_validate(declaration("data")).model_dump()


def test_seeds_share_the_digest_and_have_their_own_files(grid_of):
    grid = grid_of(3)
    jobs = [grid.job("r50", seed) for seed in range(4)]
    assert len({job.digest for job in jobs}) == 1
    files = [
        tuple(
            Path(job.config[f"{loader}_dataloader"].dataset.ann_file).name
            for loader in ("train", "test")
        )
        for job in jobs
    ]
    assert files == [
        ("train_0.json", "test_0.json"),
        ("train_1.json", "test_1.json"),
        ("train_2.json", "test_2.json"),
        ("train_0.json", "test_0.json"),
    ]
    digests = {jobs[0].digest, grid_of(2).job("r50", 0).digest, grid_of(None).job("r50", 0).digest}
    assert len(digests) == 3


def test_the_check_divides_and_says_so(grid_of, tmp_path):
    grid = grid_of(3)
    out = check(grid, tmp_path)
    (note,) = [text for text in DataCheck.read_current(out).notes if "folds" in text]
    assert "3 folds, of 3, 3, 3 images" in note
    assert not any("one and the same split" in text for text in DataCheck.read_current(out).notes)
    tested = []
    for seed in range(3):
        data = grid.job("r50", seed).data
        train, test = (read_json(Path(s.annotations)) for s in (data.train, data.val))
        assert test["categories"] == [{"id": 7, "name": "green"}, {"id": 4, "name": "red"}]
        ids = [{image["id"] for image in part["images"]} for part in (train, test)]
        assert not ids[0] & ids[1]
        assert ids[0] | ids[1] == set(range(1, 10))
        tested += ids[1]
    assert sorted(tested) == list(range(1, 10))


def test_a_seed_is_measured_on_its_fold_alone(grid_of, tmp_path):
    grid = grid_of(3)
    check(grid, tmp_path)
    whole = read_json(tmp_path / "data" / "train.json")
    for seed in (0, 1):
        job = grid.job("r50", seed)
        tested = {image["id"] for image in read_json(Path(job.data.val.annotations))["images"]}
        perfect = [
            {
                "image_id": entry["image_id"],
                "category_id": entry["category_id"],
                "bbox": entry["bbox"],
                "score": 1.0,
            }
            for entry in whole["annotations"]
            if entry["image_id"] in tested
        ]
        write_json(job.folder.detections, perfect)
        about = {"images": 3, "detections": len(perfect), "seconds_per_image": 0.1, "device": "cpu"}
        classes = job.dataset.classes
        DetectRecord(key=job.key, classes=classes, **about).write(job.folder.detect)
        assert measure_coco(job).metrics["AP"] == pytest.approx(100.0)

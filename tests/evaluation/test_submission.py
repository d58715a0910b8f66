"""Files for a server, made by a job that is trained for a moment."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.data.openimages_example import declared, write_raw
from tsd.data.openimages_prepare import prepare
from tsd.evaluation.submission import submit, write_for_coco, write_for_openimages
from tsd.experiments.dataset_schema import Split
from tsd.experiments.reading import DeclarationError
from tsd.training.train import train


def silent(_line):
    pass


def test_cocos_file_has_the_test_images_detections_and_no_annotation_is_needed(
    smoke_grid, tmp_path
):
    job = smoke_grid.job("r50", 0)
    train(job, [], silent)
    root = Path(job.dataset.root)
    content = json.loads((root / job.dataset.val.annotations).read_text())
    listed = {key: content[key] for key in ("images", "categories")}
    (tmp_path / "image_info.json").write_text(json.dumps(listed))
    test = Split(annotations=str(tmp_path / "image_info.json"), images=job.dataset.val.images)
    job = replace(job, dataset=job.dataset.model_copy(update={"test": test}))
    submit(job, tmp_path / "submission.zip", silent)
    with zipfile.ZipFile(tmp_path / "submission.zip") as archive:
        (name,) = archive.namelist()
        detections = json.loads(archive.read(name))
    assert name == f"detections_test-dev2017_r50_{job.digest}_seed0_results.json"
    assert detections
    for entry in detections:
        assert set(entry) == {"image_id", "category_id", "bbox", "score"}
    assert {entry["image_id"] for entry in detections} <= {i["id"] for i in listed["images"]}


def test_open_images_file_has_a_line_for_each_image_that_is_listed(smoke_grid, tmp_path):
    prepare(write_raw(tmp_path), tmp_path / "annotations")
    test = declared(tmp_path).val
    dataset = declared(tmp_path).model_copy(update={"test": test})
    job = replace(smoke_grid.job("r50", 0), dataset=dataset)
    found = {"image_id": "a1", "category_id": 2, "bbox": [0, 0, 32, 24], "score": 0.5}
    file = write_for_openimages(job, [found], tmp_path)
    assert file == tmp_path / f"r50_{job.digest}_seed0.csv"
    assert file.read_text().splitlines() == [
        "ImageId,PredictionString",
        "a1,/m/v 0.5 0 0 0.5 0.5 /m/c 0.5 0 0 0.5 0.5",
        "b2,",
    ]


def test_cocos_file_leaves_masks_out(smoke_grid, tmp_path):
    found = {"image_id": 1, "category_id": 2, "bbox": [0, 0, 3, 4], "score": 0.5}
    masked = {**found, "segmentation": {"size": [4, 4], "counts": "x"}}
    file = write_for_coco(smoke_grid.job("r50", 0), [masked], tmp_path)
    assert json.loads(file.read_text()) == [found]


def test_a_data_set_without_a_test_split_is_named(smoke_grid, tmp_path):
    job = smoke_grid.job("r50", 0)
    with pytest.raises(DeclarationError, match=r"embedded-tiny\.yaml: key test is missing"):
        submit(job, tmp_path / "submission.zip", silent)
    nowhere = Split(annotations="nowhere.json", images=".")
    dataset = job.dataset.model_copy(update={"test": nowhere}).with_origin("own.yaml")
    with pytest.raises(DeclarationError, match=r"own\.yaml: key test: there is no .*nowhere\.json"):
        submit(replace(job, dataset=dataset), tmp_path / "submission.zip", silent)

"""A run with masks needs data with masks."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.coco_example import annotated, declared, scattered, write_split
from tests.data.openimages_example import declared as declared_openimages
from tsd.cli.mask_check import check_masks
from tsd.data.coco_format import DatasetError

CATEGORIES = [(1, "red"), (2, "green")]
RUNS = {"size": [120, 160], "counts": [100, 50, 120 * 160 - 150]}


@pytest.fixture
def job_on(smoke_grid, tmp_path):
    """A job on a data set whose masks are those given, in turn, for each split."""

    def of(run, train, val):
        for split, masks in (("train", train), ("val", val)):
            content = annotated(CATEGORIES, scattered(4, 0))
            for number, entry in enumerate(content["annotations"]):
                entry["segmentation"] = masks[number % len(masks)] or entry["segmentation"]
                if entry["segmentation"] == "absent":
                    del entry["segmentation"]
            write_split(tmp_path, split, content)
        return replace(smoke_grid, dataset=declared(tmp_path)).job(run, 0)

    return of


def checked(job):
    said = []
    check_masks(job, said.append)
    return said


SOUND, ABSENT, EMPTY, TWO_POINTS = None, "absent", [[]], [[1, 1, 9, 9]]


def test_masks_that_can_be_used_are_not_spoken_of(job_on):
    assert checked(job_on("mask_r50", [SOUND], [SOUND])) == []
    assert checked(job_on("mask_r50", [RUNS], [RUNS])) == []


@pytest.mark.parametrize("useless", [ABSENT, EMPTY, TWO_POINTS])
@pytest.mark.parametrize("split", ["train", "val"])
def test_without_any_usable_mask_a_run_with_masks_is_refused(job_on, split, useless):
    masks = {"train": [SOUND], "val": [SOUND], split: [useless]}
    with pytest.raises(DatasetError) as error:
        checked(job_on("mask_r50", **masks))
    assert "run mask_r50: is a run with masks" in str(error.value)
    assert f"{split}.json: 8 of 8 objects have no mask" in str(error.value)
    assert "annotation ids 1, 2, 3, 4, 5, … (8 in all)" in str(error.value)


def test_some_objects_without_a_usable_mask_are_told(job_on):
    train, val = checked(job_on("mask_r50", [SOUND, ABSENT], [SOUND, SOUND, SOUND, TWO_POINTS]))
    assert "train.json: 4 of 8 objects have no mask" in train
    assert "(4 without a 'segmentation'): annotation ids 2, 4, 6, 8 (4 in all)" in train
    assert "val.json: 2 of 8 objects" in val
    assert "2 with one that is neither polygons of three points" in val


def test_a_run_without_masks_needs_none(job_on):
    assert checked(job_on("r50", [ABSENT], [ABSENT])) == []


def test_run_lengths_are_of_no_use_to_a_run_that_reads_polygons_alone(job_on):
    job = job_on("mask_r50", [RUNS], [RUNS])
    pipeline = "train_dataloader.dataset.pipeline.LoadAnnotations"
    alone = {"type": "LoadAnnotations", "with_bbox": True, "with_mask": True, "poly2mask": False}
    run = job.run.model_copy(update={"set": {pipeline: alone}})
    with pytest.raises(DatasetError, match=r"train\.json: 8 of 8 .*8 with run lengths, which the"):
        checked(replace(job, run=run))


def test_a_mask_head_alone_makes_a_run_with_masks(job_on):
    job = job_on("mask_r50", [ABSENT], [ABSENT])
    pipeline = "train_dataloader.dataset.pipeline.LoadAnnotations"
    without = {"type": "LoadAnnotations", "with_bbox": True}
    run = job.run.model_copy(update={"set": {pipeline: without}})
    with pytest.raises(DatasetError, match="is a run with masks"):
        checked(replace(job, run=run))


def test_files_that_are_not_there_yet_are_left_to_their_check(job_on, tmp_path):
    job = job_on("mask_r50", [ABSENT], [ABSENT])
    for split in ("train", "val"):
        Path(tmp_path, f"{split}.json").unlink()
    assert checked(job) == []


def test_open_images_have_no_masks(smoke_grid, tmp_path):
    job = replace(smoke_grid, dataset=declared_openimages(tmp_path)).job("mask_r50", 0)
    with pytest.raises(DatasetError, match="format of data set small-openimages has none"):
        checked(job)

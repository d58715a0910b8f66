"""Training and inference read images in the frame of their annotations."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmdet.registry import DATASETS, TRANSFORMS
from mmengine.runner import Runner

from tests.data.openimages_example import declared, write_raw
from tests.data.pictures import encoded, scene
from tsd.data.annotated_images import images_of_openimages
from tsd.data.coco_format import DatasetError
from tsd.data.image_check import check_images
from tsd.data.openimages_format import PREPARED
from tsd.data.openimages_prepare import prepare
from tsd.experiments.compile import dictionaries
from tsd.experiments.settings import open_grid
from tsd.training.build import augment_test, build_model, runtime_config
from tsd.training.image_loading import LoadImageInFrame, load_in_frame

STORED, SHOWN = (64, 48), (48, 64)


def types_in(config):
    return [part["type"] for part in dictionaries(config) if isinstance(part.get("type"), str)]


@pytest.mark.parametrize("scale", ["paper", "midi", "mini", "smoke", "transfer"])
def test_every_run_loads_images_in_frame_and_keeps_its_compiled_config(scale):
    grid = open_grid({"scale": scale})
    for job in {job.run.id: job for job in grid.jobs}.values():
        before = types_in(job.config.to_dict()).count("LoadImageFromFile")
        types = types_in(runtime_config(job).to_dict())
        assert before >= 2
        assert types.count("LoadImageInFrame") == before
        assert "LoadImageFromFile" not in types
        assert types_in(job.config.to_dict()).count("LoadImageFromFile") == before


@pytest.fixture
def path(tmp_path):
    def write(content):
        file = tmp_path / "image"
        file.write_bytes(content)
        return str(file)

    return write


@pytest.mark.parametrize("to_float32", [False, True])
@pytest.mark.parametrize("size", [{}, {"width": 64, "height": 48}])
def test_without_exif_orientation_the_results_are_those_of_mmcv(to_float32, size, path):
    info = {"img_path": path(encoded(scene(), "JPEG")), **size}
    expected = LoadImageFromFile(to_float32=to_float32)(dict(info))
    found = TRANSFORMS.build({"type": "LoadImageInFrame", "to_float32": to_float32})(dict(info))
    assert found.keys() == expected.keys()
    assert np.array_equal(found["img"], expected["img"])
    assert found["img"].dtype == expected["img"].dtype
    for key in ("img_shape", "ori_shape"):
        assert found[key] == expected[key]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_without_annotated_size_the_results_are_those_of_mmcv_too(orientation, path):
    info = {"img_path": path(encoded(scene(), "JPEG", orientation))}
    expected = LoadImageFromFile()(dict(info))
    assert np.array_equal(LoadImageInFrame()(dict(info))["img"], expected["img"])


def test_an_image_that_cannot_be_read_is_an_error_unless_it_may_be_left_out(path):
    info = {"img_path": path(b""), "width": 64, "height": 48}
    with pytest.raises(DatasetError, match="image: cannot be decoded"):
        LoadImageInFrame()(dict(info))
    assert LoadImageInFrame(ignore_empty=True)(dict(info)) is None
    with pytest.raises(FileNotFoundError):
        LoadImageInFrame()({**info, "img_path": "nowhere.jpg"})


@pytest.mark.parametrize("settings", [{"color_type": "grayscale"}, {"imdecode_backend": "pillow"}])
def test_another_way_of_decoding_is_refused(settings):
    with pytest.raises(ValueError, match="only 'color' and 'cv2'"):
        LoadImageInFrame(**settings)


@pytest.mark.parametrize("size", [STORED, SHOWN])
def test_several_images_in_one_are_each_read_in_frame(size, coco):
    dataset = {
        "type": "MultiImageMixDataset",
        "dataset": {
            "type": "CocoDataset",
            "ann_file": str(coco(size)),
            "data_prefix": {"img": f"{coco.folder}/"},
            "metainfo": {"classes": ("object",)},
            "pipeline": [
                {"type": "mmcv.LoadImageFromFile"},
                {"type": "LoadAnnotations", "with_bbox": True},
            ],
        },
        "pipeline": [{"type": "Mosaic", "img_scale": (64, 64)}],
    }
    load_in_frame(dataset)
    built = DATASETS.build(dataset)
    assert built[0]["img"].shape == (128, 128, 3)
    assert built.dataset[0]["img_shape"] == size[::-1]


class CocoSplit:
    """Writes a split with one image that EXIF turns, annotated in a size, with a box on it."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __call__(self, size) -> Path:
        (self.folder / "turned.jpg").write_bytes(encoded(scene(), "JPEG", 6))
        box = {"bbox": [4, 4, 30, 30], "area": 900, "iscrowd": 0, "image_id": 1, "category_id": 1}
        image = {"id": 1, "file_name": "turned.jpg", "width": size[0], "height": size[1]}
        content = {
            "images": [image],
            "annotations": [{"id": 1, **box}],
            "categories": [{"id": 1, "name": "object"}],
        }
        file = self.folder / "split.json"
        file.write_text(json.dumps(content))
        return file


@pytest.fixture
def coco(tmp_path):
    return CocoSplit(tmp_path)


@pytest.fixture
def job(coco, smoke_grid):
    """A job on such a split."""

    def of(size, run="r50"):
        split = {"annotations": coco(size).name, "images": "."}
        dataset = smoke_grid.dataset.model_copy(
            update={
                "root": str(coco.folder),
                "embedded": None,
                "classes": ["object"],
                "train": smoke_grid.dataset.train.model_copy(update=split),
                "val": smoke_grid.dataset.val.model_copy(update=split),
            }
        )
        return replace(smoke_grid.job(run, 0), dataset=dataset)

    return of


@pytest.mark.parametrize("size", [STORED, SHOWN])
def test_both_loaders_give_the_frame_of_the_annotations(size, job):
    config = runtime_config(job(size))
    for loader in (config.train_dataloader, config.test_dataloader):
        item = DATASETS.build(loader.dataset)[0]
        assert item["data_samples"].ori_shape == size[::-1]
        height, width = item["data_samples"].img_shape
        assert width / height == pytest.approx(size[0] / size[1], rel=0.05)
        assert item["inputs"].shape == (3, height, width)


@pytest.mark.parametrize("size", [STORED, SHOWN])
def test_several_scales_at_test_are_seen_in_that_frame_too(size, job):
    job = job(size, "bells_r101_dcn_tsd")
    config = runtime_config(job)
    augment_test(build_model(job), config, config.test_time_augmentation)
    batch = next(iter(Runner.build_dataloader(config.test_dataloader)))
    assert len(batch["data_samples"]) > 1
    for samples in batch["data_samples"]:
        assert samples[0].ori_shape == size[::-1]


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_open_images_are_read_in_the_size_that_was_prepared(orientation, tmp_path, smoke_grid):
    raw = write_raw(tmp_path)
    for split in ("train", "validation"):
        (raw / split / "a1.jpg").write_bytes(encoded(scene(), "JPEG", orientation))
    prepare(raw, tmp_path / "annotations")
    size = SHOWN if orientation == 6 else STORED
    lines = (tmp_path / "annotations" / PREPARED.train).read_text().splitlines()
    assert lines[:2] == ["a1.jpg", f"{size[0]} {size[1]}"]

    dataset = declared(tmp_path)
    file, folder = tmp_path / "annotations" / PREPARED.train, tmp_path / "train"
    images = images_of_openimages(file)
    report = check_images(file, folder, images, tmp_path / "manifest.json")
    assert (report.images, report.turned) == (2, int(orientation == 6))
    config = runtime_config(replace(smoke_grid.job("r50", 0), dataset=dataset))
    items = DATASETS.build(config.test_dataloader.dataset)
    assert items[0]["data_samples"].ori_shape == size[::-1]

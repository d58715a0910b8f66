"""What depends on the format of a data set, and that one place decides which it is."""

import ast
import inspect
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name

import pytest

from tests.data.openimages_example import declared, write_raw
from tsd.data.openimages_format import PREPARED
from tsd.data.openimages_prepare import prepare
from tsd.data.split_report import Purpose
from tsd.experiments import data_formats
from tsd.experiments.compile import use_split
from tsd.experiments.data_formats import CocoFormat, DataFormat, OpenImagesFormat, format_of
from tsd.experiments.grid import dataset_files
from tsd.experiments.settings import open_grid

FORMATS = [
    kind
    for _, kind in inspect.getmembers(data_formats, inspect.isclass)
    if issubclass(kind, DataFormat) and kind is not DataFormat
]


@pytest.fixture
def open_images(tmp_path):
    prepare(write_raw(tmp_path), tmp_path / "annotations")
    return declared(tmp_path)


@pytest.fixture
def coco(tiny_data):
    dataset = open_grid({"scale": "smoke"}).dataset
    return dataset.model_copy(update={"root": str(tiny_data), "embedded": None})


def test_the_declaration_decides(coco, open_images):
    assert type(format_of(coco)) is CocoFormat
    assert type(format_of(open_images)) is OpenImagesFormat


def test_one_module_reads_which_format_it_is():
    readers = {
        str(path)
        for path in Path("tsd").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "openimages"
    }
    assert readers == {"tsd/experiments/data_formats.py"}
    for path in [Path("Snakefile"), *Path("workflow").rglob("*.smk")]:
        assert ".openimages" not in path.read_text(), path


def test_every_format_is_chosen_for_some_declared_data_set():
    datasets = open_grid({}).experiments.datasets.values()
    assert {type(format_of(dataset)) for dataset in datasets} == set(FORMATS)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_reference_leads_to_a_function_that_takes_what_it_is_called_with(kind):
    measured = inspect.signature(resolve_name(kind.measure)).parameters
    assert list(measured) == ["job", "detections"]
    written = inspect.signature(resolve_name(kind.write_submission)).parameters
    assert list(written) == ["job", "detections", "folder"]
    checked = inspect.signature(resolve_name(kind.check)).parameters
    assert list(checked)[:3] == ["annotation_file", "image_dir", "classes"]
    assert "purpose" in checked
    for name, parameters in (
        (kind.count_masks, ["annotation_file", "classes", "purpose", "smallest_side"]),
        (kind.ceiling, ["annotation_file", "classes", "max_detections"]),
        (kind.is_in_file_order, ["file", "classes"]),
    ):
        if name is not None:
            assert list(inspect.signature(resolve_name(name)).parameters) == parameters
    listed = inspect.signature(resolve_name(kind.images)).parameters
    assert list(listed) == ["annotation_file"]


def test_formats_are_known_without_torch_and_without_what_they_name():
    code = (
        "import sys, tsd.experiments.data_formats as formats; "
        "print(sorted({m.split('.')[1] for m in sys.modules if m.startswith('tsd.')}), "
        "'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['experiments'] False"


@pytest.mark.parametrize("fixture", ["coco", "open_images"])
def test_both_splits_pass_the_check_of_their_format(fixture, request):
    data_format = format_of(request.getfixturevalue(fixture))
    dataset = data_format.dataset
    for split, purpose in ((dataset.train, Purpose.TRAINING), (dataset.val, Purpose.EVALUATION)):
        arguments = data_format.check_arguments(split)
        report = resolve_name(data_format.check)(*arguments, purpose=purpose)
        assert report.images > 0
        assert sum(report.fates.values()) == report.annotations > 0
        assert sum(report.per_class.values()) == report.objects > 0


def test_a_coco_data_set_is_told_by_its_annotations(coco):
    root = Path(coco.root)
    assert format_of(coco).files == {
        "train": root / "annotations/train.json",
        "val": root / "annotations/val.json",
    }
    assert dataset_files(coco) == [str(path) for path in format_of(coco).files.values()]
    assert format_of(coco).sampler is None


def test_an_open_images_data_set_is_told_by_all_of_its_files(open_images):
    files = format_of(open_images).files
    assert list(files) == ["train", "val", "labels", "hierarchy", "verified"]
    assert dataset_files(open_images) == [str(path) for path in files.values()]
    assert all(path.is_file() for path in files.values())

    grid = open_grid({"scale": "smoke"})
    job = replace(grid.job("r50", 0), dataset=open_images)
    assert list(job.config.dataset.content) == [*files, "images"]
    for path in files.values():
        before = path.read_bytes()
        path.write_bytes(before + b"\n")
        assert replace(job, dataset=open_images.model_copy()).digest != job.digest, path
        path.write_bytes(before)


def test_files_that_are_missing_are_not_waited_for(open_images):
    (Path(open_images.root) / "annotations" / PREPARED.relations).unlink()
    assert len(dataset_files(open_images)) == 4


def test_loaders_of_open_images_read_them_class_by_class(open_images):
    config = replace(open_grid({"scale": "smoke"}).job("r50", 0), dataset=open_images).config
    for loader, split in (
        (config.train_dataloader, open_images.train),
        (config.test_dataloader, open_images.val),
    ):
        loaded = loader.dataset
        assert loaded.type == "OpenImagesChallenge"
        assert (loaded.data_root, loaded.ann_file) == (open_images.root, split.annotations)
        assert loaded.data_prefix.img == split.images
        assert loaded.label_file == f"annotations/{PREPARED.classes}"
        assert loaded.hierarchy_file == f"annotations/{PREPARED.relations}"
        assert "filter_cfg" not in loaded
    assert config.train_dataloader.sampler.type == "ClassAwareSampler"


def test_a_data_set_that_is_wrapped_in_another_is_found(coco):
    loader = {"type": "RepeatDataset", "dataset": {"type": "CocoDataset", "ann_file": "", "x": 1}}
    use_split(loader, coco, coco.val)
    assert loader == {
        "type": "RepeatDataset",
        "dataset": {
            "type": "CocoDataset",
            "ann_file": "annotations/val.json",
            "data_root": coco.root,
            "data_prefix": {"img": "val/"},
            "metainfo": {"classes": tuple(coco.classes)},
            "x": 1,
        },
    }

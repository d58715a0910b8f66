"""Whatever data set comes in: it is refused by name, or what comes out is what it declares.

Hypothesis makes data sets of small images with every fault that this file knows of, alone and
together. Each goes through the check that runs before anything trains. If that refuses it, the
message has to name the file. If it passes, then

* every image is loaded as wide and high as annotated, and every object that training sees has the
  box and the class that the file gives it;
* the objects that training does not see are as many as the check counts;
* an answer that repeats the annotations of val has an AP of 100, but for what the check tells.

``TSD_FUZZ`` says how many data sets are tried.
"""

import json
import os
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmdet.registry import DATASETS

from tests.data.pictures import encoded, scene
from tsd.cli.main import main
from tsd.evaluation.measure import measure_coco
from tsd.experiments.settings import open_grid
from tsd.results.records import DetectRecord
from tsd.run_folder import write_json
from tsd.training.build import runtime_config

TRIES = int(os.environ.get("TSD_FUZZ", "25"))

NAMES = ["cat", "dog", "yes", "café au lait", "P̂_c", "a'b\"c", "0"]
TURNED = (5, 6, 7, 8)
FAULTS = ["empty", "cut", "no image", "deep", "enlarged", "missing"]


@dataclass
class Picture:
    """An image file, and how it is annotated."""

    name: str
    width: int
    height: int
    format: str
    orientation: int
    as_shown: bool
    fault: str
    annotations: list[dict] = field(default_factory=list)

    @property
    def annotated_size(self):
        turned = self.as_shown and self.orientation in TURNED
        return (self.height, self.width) if turned else (self.width, self.height)

    def content(self):
        if self.fault == "empty":
            return b""
        if self.fault == "no image":
            return b"<html>not found</html>"
        scale = 2 if self.fault == "enlarged" else 1
        picture = scene(self.width * scale, self.height * scale)
        if self.fault == "deep":
            return encoded(picture.convert("I;16"), "PNG")
        content = encoded(picture, self.format, self.orientation)
        return content[: len(content) // 2] if self.fault == "cut" else content


@st.composite
def boxes(draw, width, height, faulty):
    """Mostly sound boxes; some are empty, and faulty ones reach out or are negative."""
    x, y = draw(st.integers(0, width - 8)), draw(st.integers(0, height - 8))
    w, h = draw(st.integers(6, width - x)), draw(st.integers(6, height - y))
    strange = ["out", "negative", "beyond"] if faulty else []
    kind = draw(st.sampled_from(["sound"] * 8 + ["flat", "small", *strange]))
    return {
        "sound": [x, y, w, h],
        "out": [x, y, w + width, h],
        "flat": [x, y, w, 0],
        "negative": [x + w, y + h, -w, -h],
        "beyond": [width + 5, height + 5, w, h],
        "small": [x, y, 0.5, 0.5],
    }[kind]


@st.composite
def splits(draw, categories, name, faulty):
    """Images of one split with annotations of some categories (id by position)."""
    pictures = []
    for number in range(draw(st.integers(1, 3))):
        width, height = draw(st.integers(24, 64)), draw(st.integers(24, 64))
        format = draw(st.sampled_from(["PNG", "JPEG"]))
        orientation = draw(st.sampled_from([1, 1, 1, 3, 6, 8])) if format == "JPEG" else 1
        picture = Picture(
            f"{name}-{number}.{format.lower()}",
            width,
            height,
            format,
            orientation,
            as_shown=draw(st.booleans()) if orientation in TURNED else True,
            fault=draw(st.sampled_from(FAULTS)) if faulty and draw(st.booleans()) else "",
        )
        for _ in range(draw(st.integers(0, 4))):
            box = draw(boxes(*picture.annotated_size, faulty))
            entry = {
                "category_id": draw(st.sampled_from(categories)),
                "bbox": box,
                "area": abs(box[2] * box[3]),
                "iscrowd": draw(st.sampled_from([0, 0, 0, 0, 1])),
            }
            if draw(st.sampled_from([False] * 5 + [True])):
                entry["ignore"] = 1
            picture.annotations.append(entry)
        pictures.append(picture)
    return pictures


@dataclass
class DataSet:
    """What is written: the declared classes, each file's categories in its order, and images."""

    classes: list[str]
    categories: dict[str, list[tuple[int, str]]]
    pictures: dict[str, list[Picture]]
    mark: bool

    def write(self, folder):
        for split, pictures in self.pictures.items():
            (folder / split).mkdir()
            content = {
                "images": [],
                "annotations": [],
                "categories": [{"id": i, "name": n} for i, n in self.categories[split]],
            }
            for number, picture in enumerate(pictures, start=1):
                if picture.fault != "missing":
                    (folder / split / picture.name).write_bytes(picture.content())
                width, height = picture.annotated_size
                content["images"].append(
                    {"id": number, "file_name": picture.name, "width": width, "height": height}
                )
                for entry in picture.annotations:
                    content["annotations"].append(
                        {"id": len(content["annotations"]) + 1, "image_id": number, **entry}
                    )
            text = json.dumps(content)
            encoding = "utf-8-sig" if self.mark else "utf-8"
            (folder / f"{split}.json").write_text(text, encoding=encoding)
        declared = {
            "id": "any",
            "title": "any",
            "licence": "none",
            "root": str(folder),
            **{s: {"annotations": f"{s}.json", "images": f"{s}/"} for s in self.pictures},
            "classes": self.classes,
        }
        path = folder / "any.yaml"
        path.write_text(yaml.safe_dump(declared, allow_unicode=True), encoding="utf-8")
        return path


@st.composite
def data_sets(draw):
    """Data sets of one to three classes, each split's file with an order and ids of its own."""
    faulty = draw(st.sampled_from([False, False, False, True]))
    classes = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    categories = {}
    pictures = {}
    for split in ("train", "val"):
        others = draw(st.sampled_from([[], ["other"], *([[classes[0]]] if faulty else [])]))
        names = draw(st.permutations([*classes, *others]))
        ids = draw(st.lists(st.integers(0, 90), min_size=4, max_size=4, unique=True))
        categories[split] = list(zip(ids, names, strict=False))
        known = [number for number, _ in categories[split]]
        pictures[split] = draw(splits(known, split, faulty))
    declared = draw(st.permutations(classes))
    if faulty and draw(st.sampled_from([False, False, True])):
        declared = [*declared, declared[0]]
    return DataSet(list(declared), categories, pictures, draw(st.booleans()))


SEEN = Counter()


@pytest.fixture(scope="module", autouse=True)
def tell():
    yield
    print("data sets:", dict(SEEN))


@settings(
    max_examples=TRIES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
@given(data_sets())
def test_a_data_set_is_refused_by_name_or_comes_out_as_it_is_declared(drawn):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        declared = drawn.write(folder)
        options = ["--scale=smoke", f"--dataset={declared}", f"--results={folder / 'results'}"]
        out = folder / "check.json"
        refusal = refused(["check-data", *options, "--data=any", f"--out={out}"])
        if refusal is not None:
            assert refusal.startswith("tsd: ")
            assert str(folder) in refusal
            SEEN["refused"] += 1
            return
        SEEN["accepted"] += 1
        assert not any(p.fault for pictures in drawn.pictures.values() for p in pictures)
        grid = open_grid({"scale": "smoke", "dataset": str(declared)}, folder / "results")
        job = grid.job("r50", 0)
        check = json.loads(out.read_text())
        seen = objects_in_training(drawn, job)
        assert seen == sum(check["train"]["per_class"].values())
        assert sum(check["train"]["fates"].values()) == check["train"]["annotations"]
        assert sum(check["val"]["fates"].values()) == check["val"]["annotations"]
        measured = measure_coco(perfect(drawn, job)).metrics["AP"]
        if measured is not None:
            assert measured > check["ceiling"]["ap"] - 1e-6
            if not check["val"]["fates"].get("never_found"):
                assert measured == pytest.approx(100)


def refused(command):
    """Why a command refuses; None if it does not."""
    try:
        main(command)
    except SystemExit as end:
        return str(end.code)
    return None


def objects_in_training(drawn, job):
    """Compare each object that the training's data set gives with the file; count them."""
    config = runtime_config(job).train_dataloader.dataset
    config["filter_cfg"] = None
    dataset = DATASETS.build(config)
    by_name = {picture.name: picture for picture in drawn.pictures["train"]}
    names = dict(drawn.categories["train"])
    count = 0
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        picture = by_name[Path(info["img_path"]).name]
        image = dataset.pipeline.transforms[0](dict(info))["img"]
        assert image.shape[1::-1] == picture.annotated_size
        annotated = Counter(
            (names[entry["category_id"]], *corners(entry["bbox"])) for entry in picture.annotations
        )
        for instance in info["instances"]:
            if instance["ignore_flag"]:
                continue
            label = job.dataset.classes[instance["bbox_label"]]
            found = (label, *map(float, instance["bbox"]))
            assert annotated[found] > 0, (found, annotated)
            annotated[found] -= 1
            count += 1
    return count


def corners(box):
    x, y, w, h = map(float, box)
    return x, y, x + w, y + h


def perfect(drawn, job):
    """Write detections that repeat the annotations of val."""
    names = dict(drawn.categories["val"])
    found = [
        {
            "image_id": number,
            "category_id": entry["category_id"],
            "bbox": entry["bbox"],
            "score": 0.9,
        }
        for number, picture in enumerate(drawn.pictures["val"], start=1)
        for entry in picture.annotations
        if names[entry["category_id"]] in drawn.classes and min(entry["bbox"][2:]) > 0
    ]
    write_json(job.folder.detections, found)
    DetectRecord(
        key=job.key,
        images=len(drawn.pictures["val"]),
        detections=len(found),
        seconds_per_image=0,
        device="none",
        classes=job.dataset.classes,
    ).write(job.folder.detect)
    return job

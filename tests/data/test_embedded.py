import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as rle

from tsd.data import digit_scenes, embedded
from tsd.data.coco_check import check_split
from tsd.data.digit_scenes import (
    CLASSES,
    SPLITS,
    render,
    split_photos,
    split_scans,
    tight_box,
)
from tsd.data.embedded import EmbeddedSpec, encode_png, make_embedded
from tsd.data.split_report import Fate

TINY = EmbeddedSpec(train_images=6, val_images=3, size=96)
GOLDEN = "569e55e4408afe9bbff7811461f8c1a8e7c461971b431ee6601a712255c13a02"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set at the default size and proportions."""
    spec = EmbeddedSpec(train_images=60, val_images=30)
    return make_embedded(tmp_path_factory.mktemp("embedded"), spec).parent


def contents(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def read(path: Path) -> dict:
    return json.loads(path.read_text())


def test_same_seed_gives_the_bytes_that_every_machine_must_give(tmp_path):
    first, second = (make_embedded(tmp_path / name, TINY) for name in ("a", "b"))
    assert contents(first.parent) == contents(second.parent)
    assert read(first)["sha256"] == GOLDEN


def test_other_seed_gives_other_bytes(tmp_path):
    digests = set()
    for seed in (0, 1):
        spec = EmbeddedSpec(seed=seed, train_images=1, val_images=1, size=64)
        digests.add(read(make_embedded(tmp_path / str(seed), spec))["sha256"])
    assert len(digests) == 2


def test_images_of_an_index_do_not_depend_on_how_many_there_are(tmp_path):
    fewer = EmbeddedSpec(train_images=2, val_images=1, size=TINY.size)
    specs = {"six": TINY, "two": fewer}
    made = {name: contents(make_embedded(tmp_path / name, specs[name]).parent) for name in specs}
    for name in ("train/000001.png", "train/000002.png", "val/000001.png"):
        assert made["six"][name] == made["two"][name]
    assert made["six"]["train/000001.png"] != made["six"]["val/000001.png"]


@pytest.mark.parametrize("split", SPLITS)
def test_annotations_describe_the_visible_masks(root, split):
    content = read(root / "annotations" / f"{split}.json")
    assert [category["name"] for category in content["categories"]] == list(CLASSES)
    assert [category["id"] for category in content["categories"]] == list(range(1, 11))
    covered: dict[int, np.ndarray] = {}
    for annotation in content["annotations"]:
        mask = rle.decode(annotation["segmentation"]).astype(bool)
        assert mask.shape == (160, 160)
        assert annotation["bbox"] == list(tight_box(mask))
        assert all(isinstance(value, int) for value in annotation["bbox"])
        assert annotation["area"] == mask.sum()
        assert min(annotation["bbox"][2:]) >= 4
        assert annotation["iscrowd"] == 0
        before = covered.setdefault(annotation["image_id"], np.zeros_like(mask))
        assert not (before & mask).any(), "a pixel shows one object only"
        before |= mask
    assert len(covered) == len(content["images"])


def test_images_decode_to_what_was_rendered(root):
    spec = EmbeddedSpec(train_images=60, val_images=30)
    for split in SPLITS:
        entry = read(root / "annotations" / f"{split}.json")["images"][1]
        with Image.open(root / split / entry["file_name"]) as picture:
            assert picture.format == "PNG"
            assert picture.size == (entry["width"], entry["height"])
            assert np.array_equal(np.asarray(picture), render(spec.seed, spec.size, split, 1)[0])


@pytest.mark.parametrize("height", [1, 200])  # one stored block and several
def test_png_is_decodable_by_pillow(tmp_path, height):
    pixels = np.random.default_rng(0).integers(0, 256, (height, 150, 3), np.uint8)
    (tmp_path / "x.png").write_bytes(encode_png(pixels))
    assert np.array_equal(np.asarray(Image.open(tmp_path / "x.png")), pixels)


@pytest.mark.parametrize("split", SPLITS)
def test_every_size_and_class_is_present_and_the_manifest_counts_them(root, split):
    report = check_split(root / "annotations" / f"{split}.json", root / split, CLASSES)
    objects = report.annotations
    assert 0.4 <= report.sizes["small"] / objects <= 0.65
    assert 0.02 <= report.sizes["large"] / objects <= 0.12
    assert min(report.per_class.values()) > 0
    assert report.images_without_objects == 0
    assert report.fates[Fate.TRAINED] == report.usable_masks == objects
    manifest = read(root / "manifest.json")
    assert manifest["images"][split] == report.images
    assert manifest["objects"][split] == {
        **report.sizes,
        "total": objects,
    }


def test_digits_are_partly_hidden_but_never_by_more_than_half(monkeypatch):
    whole = []
    cut = digit_scenes._sticker

    def remember(*args):
        whole.append(cut(*args))
        return whole[-1]

    monkeypatch.setattr(digit_scenes, "_sticker", remember)
    shares = []
    for index in range(15):
        whole.clear()
        objects = render(0, 160, "train", index)[1]
        digits = iter([sticker for sticker in whole if sticker.label is not None])
        for label, mask in objects:  # in the order of sticking; some digits found no place
            digit = next(d for d in digits if d.label == label and 2 * mask.sum() >= d.mask.sum())
            shares.append(mask.sum() / digit.mask.sum())
    assert min(shares) >= 0.5
    assert min(shares) < 0.8
    assert np.mean(np.array(shares) == 1) > 0.4


def test_no_scan_is_in_both_splits():
    scans = {split: {scan.tobytes() for scan in split_scans(split)[0]} for split in SPLITS}
    assert not scans["train"] & scans["val"]
    assert sum(map(len, scans.values())) == 1797
    for split in SPLITS:
        assert set(split_scans(split)[1]) == set(range(10))


def test_no_region_of_a_photograph_is_in_both_splits():
    for train, val in zip(split_photos("train"), split_photos("val"), strict=True):
        assert not np.shares_memory(train, val)
        assert train.shape[1] + val.shape[1] == 640
        assert train.shape[0] == val.shape[0] == 427


def test_a_complete_data_set_is_left_alone(tmp_path):
    manifest = make_embedded(tmp_path, TINY)
    (tmp_path / "train" / "000001.png").write_bytes(b"touched")
    assert make_embedded(tmp_path, TINY) == manifest
    assert (tmp_path / "train" / "000001.png").read_bytes() == b"touched"


def test_another_spec_replaces_the_data_set(tmp_path):
    make_embedded(tmp_path, TINY)
    make_embedded(tmp_path, EmbeddedSpec(train_images=2, val_images=1, size=64))
    assert len(list((tmp_path / "train").iterdir())) == 2
    assert read(tmp_path / "manifest.json")["spec"]["size"] == 64


def test_another_version_replaces_the_data_set(tmp_path, monkeypatch):
    make_embedded(tmp_path, TINY)
    monkeypatch.setattr(embedded, "GENERATOR_VERSION", 999)
    assert read(make_embedded(tmp_path, TINY))["generator_version"] == 999


def test_an_interrupted_call_is_started_over(tmp_path, monkeypatch):
    drawn = embedded.render

    def interrupted(seed, size, split, index):
        if (split, index) == ("val", 1):
            raise KeyboardInterrupt
        return drawn(seed, size, split, index)

    with monkeypatch.context() as patch:
        patch.setattr(embedded, "render", interrupted)
        with pytest.raises(KeyboardInterrupt):
            make_embedded(tmp_path, TINY)
    assert not (tmp_path / "manifest.json").exists()
    (tmp_path / "train" / "000009.png").write_bytes(b"left over")
    assert read(make_embedded(tmp_path, TINY))["sha256"] == GOLDEN
    assert len(contents(tmp_path)) == 6 + 3 + 2 + 2


def test_a_set_that_lost_its_manifest_is_made_again(tmp_path):
    before = read(make_embedded(tmp_path, TINY))
    (tmp_path / "manifest.json").unlink()
    assert read(make_embedded(tmp_path, TINY)) == before


@pytest.mark.parametrize("name", ["train/mine.png", "annotations/mine.json", "manifest.json"])
def test_what_others_made_is_not_overwritten(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("[]")
    with pytest.raises(FileExistsError, match=r"not written by make_embedded: name another"):
        make_embedded(tmp_path, TINY)
    assert contents(tmp_path) == {name: b"[]"}


@pytest.mark.parametrize(
    "wrong", [{"seed": -1}, {"train_images": 0}, {"val_images": 0}, {"size": 63}]
)
def test_a_spec_out_of_range_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        EmbeddedSpec(**wrong)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**64), images=st.integers(1, 3), size=st.integers(64, 200))
def test_boxes_lie_inside_images_and_ids_are_unique(tmp_path_factory, seed, images, size):
    spec = EmbeddedSpec(seed=seed, train_images=images, val_images=1, size=size)
    root = make_embedded(tmp_path_factory.mktemp("random"), spec).parent
    content = read(root / "annotations" / "train.json")
    for key in ("images", "annotations"):
        ids = [entry["id"] for entry in content[key]]
        assert len(set(ids)) == len(ids)
    per_image = [annotation["image_id"] for annotation in content["annotations"]]
    assert set(per_image) <= {image["id"] for image in content["images"]}
    assert max(map(per_image.count, per_image), default=0) <= 6
    for annotation in content["annotations"]:
        x, y, w, h = annotation["bbox"]
        assert x >= 0
        assert y >= 0
        assert x + w <= size
        assert y + h <= size
        assert 0 < annotation["area"] <= w * h
        assert 1 <= annotation["category_id"] <= 10

import itertools
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.data.pictures import encoded, scene
from tsd.data.annotated_images import AnnotatedImage
from tsd.data.coco_format import DatasetError, counted
from tsd.data.image_check import ImageReport, check_images
from tsd.data.pixels import decode_in_frame

FILE = Path("train.json")


def silent(_line):
    pass


@pytest.fixture
def check(tmp_path):
    """Check images of which each is given by its bytes, annotated width and height, and boxes."""

    def check(**images) -> ImageReport:
        annotated = []
        for name, (content, width, height, *boxes) in images.items():
            (tmp_path / name).write_bytes(content)
            annotated.append(AnnotatedImage(name, width, height, boxes))
        return check_images(FILE, tmp_path, annotated, tmp_path / "manifest.json", silent)

    return check


def lying(orientation=6, width=64, height=48):
    return encoded(scene(width, height), "JPEG", orientation)


PLAIN = (encoded(scene(), "PNG"), 64, 48)


def test_plain_images_are_counted_and_nothing_is_told(check):
    report = check(a=PLAIN, b=(encoded(scene(), "JPEG"), 64, 48), c=(lying(1), 64.0, 48.0))
    counts = (report.turned, report.not_turned, report.assumed, report.alpha, report.several)
    assert (report.images, *counts) == (3, 0, 0, 0, 0, 0)
    assert len(report.content) == 32
    assert report.told() == []


def test_what_is_done_about_exif_orientation_is_counted_and_told(check):
    report = check(
        a=PLAIN,
        stored=(lying(6), 64, 48),
        shown=(lying(8), 48, 64),
        also_shown=(lying(5), 48, 64),
        square=(lying(6, 40, 40), 40, 40),
        head_down=(lying(3), 64, 48),
        mirrored=(lying(2), 64, 48),
    )
    assert (report.turned, report.not_turned, report.assumed) == (2, 1, 3)
    turned, not_turned, assumed = report.told()
    assert turned.startswith("2 images are turned")
    assert not_turned.startswith("1 image is not turned, though their EXIF data say so")
    assert assumed.startswith("3 images are turned")
    assert "do not tell" in assumed


def test_transparency_and_further_pictures_are_told(check):
    transparent = scene()
    transparent.putalpha(Image.linear_gradient("L").resize((64, 48)))
    several = encoded(scene(), "GIF", save_all=True, append_images=[scene().rotate(180)])
    report = check(a=(encoded(transparent, "PNG"), 64, 48), b=(several, 64, 48), c=PLAIN)
    assert (report.alpha, report.several) == (1, 1)
    assert [line.split()[0] for line in report.told()] == ["1", "1"]


BAD = {
    "empty": ((b"", 64, 48), ["empty: 'x' (1 in all)", "fetch them again"]),
    "no image": ((b"<html>", 64, 48), ["no images: 'x'", "leave them out of train.json"]),
    "cut off": ((lying(1)[:-300], 64, 48), ["cannot be decoded", "cut off", "'x'"]),
    "deep": (
        (encoded(Image.fromarray(np.full((48, 64), 4000, np.uint16)), "PNG"), 64, 48),
        ["more than 8 bits per channel", "'x' (16 bits)", "convert them to 8 bits", "upper 8 bits"],
    ),
    "format": ((encoded(scene(), "TGA"), 64, 48), ["'x' (TGA)", "convert them to PNG or JPEG"]),
    "colours": ((encoded(scene().convert("LAB"), "TIFF"), 64, 48), ["'x' (TIFF, LAB)", "to RGB"]),
    "enlarged": (
        (encoded(scene(128, 96), "PNG"), 64, 48),
        ["'x' is 128 × 96, but annotated as 64 × 48 (1 in all)", "'width' and 'height'"],
    ),
    "exchanged": ((PLAIN[0], 48, 64), ["'x' is 64 × 48, but annotated as 48 × 64"]),
    "turned, of another size": (
        (lying(6), 60, 40),
        ["'x' is 64 × 48, turned by its EXIF data 48 × 64, but annotated as 60 × 40"],
    ),
    "a fraction": ((PLAIN[0], 64.5, 48), ["annotated as 64.5 × 48"]),
}


@pytest.mark.parametrize("name", BAD)
def test_each_fault_is_refused_with_file_and_remedy(name, check):
    image, parts = BAD[name]
    with pytest.raises(DatasetError) as error:
        check(x=image, sound=PLAIN)
    for part in parts:
        assert part in str(error.value)
    assert "'sound'" not in str(error.value)


def test_a_missing_image_is_refused(tmp_path):
    missing = [AnnotatedImage("none.jpg", 64, 48)]
    with pytest.raises(DatasetError, match=r"cannot be opened: 'none\.jpg' \(No such"):
        check_images(FILE, tmp_path, missing, tmp_path / "manifest.json", silent)


def test_more_faults_are_all_named_with_five_files_each(check):
    empty = {f"empty{number}": (b"", 64, 48) for number in range(7)}
    larger = {f"larger{number}": (PLAIN[0], 32, 24) for number in range(6)}
    with pytest.raises(DatasetError) as error:
        check(**empty, **larger, sound=PLAIN)
    first, second = str(error.value).splitlines()
    assert "'empty4', … (7 in all)" in first
    assert "'empty5'" not in first
    assert second.count("annotated as") == 5
    assert "(6 in all)" in second


@pytest.mark.parametrize(
    ("size", "boxes", "out"),
    [
        ((64, 48), [(0, 0, 40, 60)], 1),
        ((64, 48), [(0, 0, 40, 60), (5, 50, 10, 10), (5, 5, 10, 10)], 2),
        ((48, 64), [(0, 0, 60, 40)], 1),
        ((64, 48), [(0, 0, 60, 40)], 0),
        ((64, 48), [(0, 0, 40, 49)], 0),
        ((64, 48), [(0, 0, 60, 60)], 0),
        ((64, 48), [(0, 0, 40, 60), (0, 0, 60, 40)], 0),
        ((64, 48), [], 0),
    ],
)
def test_boxes_that_fit_the_other_frame_alone_are_refused(size, boxes, out, check):
    image = (lying(6), *size, *boxes)
    if not out:
        assert check(x=image).images == 1
        return
    with pytest.raises(DatasetError) as error:
        check(x=image, sound=(lying(6), *size, (1, 1, 10, 10)))
    said = counted(out, "box", "boxes")
    assert f"'x' ({out} of its boxes) (1 in all), {said} in all" in str(error.value)
    frame = "the stored picture" if size == (64, 48) else "the picture as viewers show it"
    assert f"'width' and 'height' are those of {frame}" in str(error.value)
    assert "exchange" in str(error.value)


def test_boxes_beyond_an_image_without_orientation_are_not_of_another_frame(check):
    assert check(x=(*PLAIN, (0, 0, 40, 60)), y=(lying(3), 64, 48, (0, 0, 40, 60))).images == 2


def test_an_image_that_is_annotated_twice_is_one_image(tmp_path):
    (tmp_path / "a.png").write_bytes(PLAIN[0])
    twice = [AnnotatedImage("a.png", 64, 48)] * 2
    assert check_images(FILE, tmp_path, twice, tmp_path / "m.json", silent).images == 1
    with pytest.raises(DatasetError, match=r"annotated as 48 × 64 \(1 in all\)"):
        check_images(
            FILE,
            tmp_path,
            [twice[0], AnnotatedImage("a.png", 48, 64)],
            tmp_path / "m.json",
            silent,
        )


def test_images_of_another_content_have_another_hash(check):
    first = check(a=PLAIN, b=(lying(6), 64, 48)).content
    assert check(b=(lying(6), 64, 48), a=PLAIN).content == first
    assert check(a=PLAIN, b=(lying(8), 64, 48)).content != first


@settings(deadline=None)
@given(
    st.sampled_from([(4, 3), (3, 4), (3, 3), (20, 15)]),
    st.integers(1, 8),
    st.sampled_from([(4, 3), (3, 4), (3, 3), (20, 15), (15, 20)]),
    st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF"]),
)
def test_what_the_check_accepts_is_read_with_the_annotated_size(
    stored, orientation, annotated, format
):
    content = encoded(scene(*stored), format, orientation if format != "BMP" else 1)
    with TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "image").write_bytes(content)
        images = [AnnotatedImage("image", *annotated)]
        try:
            check_images(FILE, root, images, root / "manifest.json", silent)
        except DatasetError:
            with pytest.raises(DatasetError):
                decode_in_frame(content, annotated, "image")
        else:
            assert decode_in_frame(content, annotated, "image").shape[1::-1] == annotated


def test_every_way_of_turning_is_accepted_in_both_frames(check):
    for number, (orientation, size) in enumerate(
        itertools.product(range(5, 9), [(64, 48), (48, 64)])
    ):
        report = check(**{f"image{number}": (lying(orientation), *size)})
        assert report.turned + report.not_turned == 1

import struct
import warnings
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.data.pictures import encoded, scene
from tsd.data import image_files
from tsd.data.image_files import Fault, ImageFile, inspect, silence

ALPHA = Image.linear_gradient("L").resize((64, 48))


def with_alpha(mode):
    picture = scene().convert(mode)
    picture.putalpha(ALPHA)
    return picture


def sixteen_bits(extension, dtype=np.uint16):
    return cv2.imencode(extension, np.asarray(scene()).astype(dtype) * 16)[1].tobytes()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "AVIF"])
def test_a_plain_image_is_sound_in_each_format(format):
    found = inspect(encoded(scene(), format))
    assert (found.width, found.height, found.format) == (64, 48, format)
    assert (found.fault, found.bits, found.orientation, found.pictures) == (None, 8, 1, 1)
    assert len(found.content) == 32


GOOD = {
    "grey JPEG": encoded(scene().convert("L"), "JPEG"),
    "CMYK JPEG": encoded(scene().convert("CMYK"), "JPEG", quality=95),
    "progressive JPEG": encoded(scene(), "JPEG", progressive=True),
    "JPEG with bytes behind it": encoded(scene(), "JPEG") + b"\0" * 100,
    "two JPEG in one file": encoded(scene(), "MPO", save_all=True, append_images=[scene()]),
    "grey PNG": encoded(scene().convert("L"), "PNG"),
    "PNG of 1 bit": encoded(scene().convert("1"), "PNG"),
    "PNG of 2 bits": encoded(scene().quantize(4), "PNG", bits=2),
    "palette PNG": encoded(scene().convert("P"), "PNG"),
    "PNG of a pixel": encoded(scene(1, 1), "PNG"),
    "JPEG of a row": encoded(scene(64, 1), "JPEG"),
    "lossless WEBP": encoded(scene(), "WEBP", lossless=True),
    "packed TIFF": encoded(scene(), "TIFF", compression="tiff_lzw"),
    "CMYK TIFF": encoded(scene().convert("CMYK"), "TIFF"),
    "opaque TIFF": encoded(scene().convert("RGBA"), "TIFF"),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_read_as_it_is_meant_is_sound(name):
    found = inspect(GOOD[name])
    assert found.fault is None
    pixels = image_files.decode(GOOD[name], cv2.IMREAD_COLOR)
    assert pixels.shape == (found.height, found.width, 3)


def png_chunk(kind, data):
    crc = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def spoilt(content, start):
    return content[:start] + bytes(100) + content[start + 100 :]


JPEG, PNG = encoded(scene(), "JPEG"), encoded(scene(), "PNG", compress_level=0)
THUMBNAIL = encoded(scene(16, 16), "JPEG")
EXIF_WITH_AN_END = b"\xff\xe1" + struct.pack(">H", 2 + 6 + len(THUMBNAIL)) + b"Exif\0\0" + THUMBNAIL

BAD = {
    "no bytes": (b"", Fault.EMPTY),
    "a page of a server": (b"<html>404 not found</html>", Fault.NO_IMAGE),
    "zeros": (bytes(1000), Fault.NO_IMAGE),
    "one byte": (b"\xff", Fault.NO_IMAGE),
    "half a JPEG": (JPEG[: len(JPEG) // 2], Fault.DAMAGED),
    "the header of a JPEG": (JPEG[:20], Fault.DAMAGED),
    "a JPEG without its last bytes": (JPEG[:-2], Fault.DAMAGED),
    "half a JPEG, the rest zeros": (JPEG[:800] + bytes(len(JPEG) - 800), Fault.DAMAGED),
    "half a JPEG with a thumbnail": (JPEG[:2] + EXIF_WITH_AN_END + JPEG[2:800], Fault.DAMAGED),
    "half a PNG": (PNG[: len(PNG) // 2], Fault.DAMAGED),
    "a PNG without its last bytes": (PNG[:-2], Fault.DAMAGED),
    "a PNG with a hole": (spoilt(PNG, 3000), Fault.DAMAGED),
    "half a TIFF": (encoded(scene(), "TIFF")[:4000], Fault.DAMAGED),
    "half a BMP": (encoded(scene(), "BMP")[:4000], Fault.DAMAGED),
    "half a WEBP": (encoded(scene(), "WEBP")[:200], Fault.DAMAGED),
    "half a GIF": (encoded(scene(), "GIF")[:1200], Fault.DAMAGED),
    "grey PNG of 16 bits": (
        encoded(Image.fromarray(np.full((48, 64), 4000, np.uint16)), "PNG"),
        Fault.DEPTH,
    ),
    "PNG of 16 bits": (sixteen_bits(".png"), Fault.DEPTH),
    "TIFF of 16 bits": (sixteen_bits(".tiff"), Fault.DEPTH),
    "JPEG 2000 of 16 bits": (sixteen_bits(".jp2"), Fault.DEPTH),
    "TIFF of fractions": (encoded(scene().convert("F"), "TIFF"), Fault.DEPTH),
    "TIFF of large numbers": (encoded(scene().convert("I"), "TIFF"), Fault.DEPTH),
    "PPM of 16 bits": (b"P6 1 1 65535 " + bytes(6), Fault.DEPTH),
    "PNG of 16 bits, tiny": (cv2.imencode(".png", np.ones((2, 2), np.uint16))[1], Fault.DEPTH),
    "TGA": (encoded(scene(), "TGA"), Fault.FORMAT),
    "ICO": (encoded(scene(), "ICO"), Fault.FORMAT),
    "PCX": (encoded(scene(), "PCX"), Fault.FORMAT),
    "TIFF in L*a*b*": (encoded(scene().convert("LAB"), "TIFF"), Fault.COLOURS),
    "TIFF with transparency": (encoded(with_alpha("RGB"), "TIFF"), Fault.COLOURS),
}


@pytest.mark.parametrize("name", BAD)
def test_what_training_cannot_use_is_a_fault(name):
    content, fault = BAD[name]
    with silence():
        assert inspect(bytes(content)).fault is fault


def test_depth_is_known_in_bits():
    assert inspect(sixteen_bits(".png")).bits == 16
    assert inspect(encoded(scene().convert("F"), "TIFF")).bits == 32


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "MPO"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_is_the_stored_one_and_orientation_that_of_exif(format, orientation):
    found = inspect(encoded(scene(), format, orientation))
    assert (found.width, found.height, found.orientation) == (64, 48, orientation)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_what_its_decoder_turns_it_to(orientation):
    content = encoded(scene(), "TIFF", orientation)
    found = inspect(content)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    height, width, _ = image_files.decode(content, flags).shape
    assert (found.width, found.height, found.orientation) == (width, height, 1)
    assert found.fault is None


def test_exif_data_behind_the_pixels_of_a_png_count():
    exif = Image.Exif()
    exif[0x0112] = 8
    end = PNG.index(b"IEND") - 4
    content = PNG[:end] + png_chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")) + PNG[end:]
    assert inspect(content).orientation == 8
    assert inspect(PNG).orientation == 1


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_exif_does_not_know_is_none(value):
    assert inspect(encoded(scene(), "JPEG", value)).orientation == 1


def test_faulty_exif_data_turn_nothing():
    content = JPEG[:2] + b"\xff\xe1\x00\x0eExif\0\0II*\0\xff\xff" + JPEG[2:]
    with silence():
        found = inspect(content)
    assert (found.fault, found.orientation) == (None, 1)


@pytest.mark.parametrize(
    ("content", "alpha"),
    [
        (encoded(with_alpha("RGB"), "PNG"), True),
        (encoded(with_alpha("L"), "PNG"), True),
        (encoded(scene().convert("P"), "PNG", transparency=3), True),
        (encoded(with_alpha("RGB"), "WEBP"), True),
        (encoded(scene(), "PNG"), False),
        (encoded(scene().convert("P"), "PNG"), False),
    ],
)
def test_transparency_is_told_and_the_colour_beneath_is_read(content, alpha):
    found = inspect(content)
    assert (found.alpha, found.fault) == (alpha, None)


def test_several_pictures_in_a_file_are_counted():
    other = {"save_all": True, "append_images": [scene().rotate(180)]}
    assert inspect(encoded(scene(), "GIF", **other)).pictures == 2
    assert inspect(encoded(scene(), "TIFF", **other)).pictures == 2
    assert inspect(encoded(scene(), "MPO", **other)).pictures == 1


def test_the_hash_is_that_of_the_bytes():
    assert inspect(JPEG).content == inspect(JPEG).content
    assert inspect(JPEG).content != inspect(JPEG + b"\0").content


def test_pillows_limit_is_no_reason_to_refuse_an_image(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = inspect(JPEG)
    assert (found.width, found.height, found.fault) == (64, 48, None)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_what_opencv_does_not_read_for_its_size_is_a_fault_of_its_own():
    rows = zlib.compress(bytes(2**17 + 1)) * 1
    head = struct.pack(">IIBBBBB", 2**20 + 8, 1, 1, 0, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + png_chunk(b"IDAT", rows)
    with silence():
        found = inspect(content + png_chunk(b"IEND", b""))
    assert (found.width, found.fault) == (2**20 + 8, Fault.PIXELS)


def test_large_images_are_decoded_all_the_same(monkeypatch):
    monkeypatch.setattr(image_files, "FEW_PIXELS", 100)
    assert inspect(JPEG).fault is None
    assert inspect(JPEG[:-2]).fault is Fault.DAMAGED


def test_silence_lasts_no_longer_than_asked_for():
    level = cv2.utils.logging.getLogLevel()
    with silence():
        assert cv2.utils.logging.getLogLevel() == cv2.utils.logging.LOG_LEVEL_SILENT
    assert cv2.utils.logging.getLogLevel() == level


def test_nothing_is_known_of_a_file_that_was_not_opened():
    assert ImageFile().width == 0

"""Files that the page carries."""

import base64

import numpy as np
from PIL import Image

from tsd.reporting.embedding import LARGEST_DOWNLOAD, downloads, picture


def content(uri):
    return base64.b64decode(uri.partition("base64,")[2])


def test_a_file_for_download_is_carried_whole_under_its_name(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/one.csv").write_text("ΔC,1\n", encoding="utf-8")
    (found,) = downloads(tmp_path, "tables/one.csv", "tables/absent.tex")
    assert (found.name, found.suffix, found.is_inside) == ("one.csv", "csv", True)
    assert content(found.href).decode() == "ΔC,1\n"


def test_a_large_file_stays_beside_the_page(tmp_path):
    (tmp_path / "large.csv").write_bytes(b"0" * (LARGEST_DOWNLOAD + 1))
    (found,) = downloads(tmp_path, "large.csv")
    assert (found.href, found.is_inside) == ("large.csv", False)


def test_a_large_picture_of_pixels_is_carried_in_fewer_bytes(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    for name, size in (("large.png", 300), ("small.png", 8)):
        Image.fromarray(pixels[:size, :size]).save(tmp_path / name)
    large, small = (picture(tmp_path / name) for name in ("large.png", "small.png"))
    assert large.startswith("data:image/webp")
    assert len(content(large)) < (tmp_path / "large.png").stat().st_size / 2
    assert content(small) == (tmp_path / "small.png").read_bytes()

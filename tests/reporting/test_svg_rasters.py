"""Photographs inside SVG files."""

import base64
import io
import re

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from tsd.reporting.svg_rasters import with_light_rasters


def drawn(pixels):
    figure = Figure(figsize=(3, 3))
    figure.add_subplot().imshow(pixels, interpolation="nearest")
    file = io.StringIO()
    figure.savefig(file, format="svg")
    return file.getvalue()


def smooth():
    """A photograph as far as its bytes go: smooth shades with a little noise."""
    y, x = np.mgrid[0:200, 0:200]
    noise = np.random.default_rng(0).integers(0, 8, (200, 200, 3))
    return (np.stack([x, y, (x + y) // 2], -1) + noise).clip(0, 255).astype(np.uint8)


def test_a_photograph_takes_a_fraction_and_looks_alike():
    svg = drawn(smooth())
    lighter = with_light_rasters(svg)
    assert len(lighter) < len(svg) / 3
    (found,) = re.findall(r"data:image/jpeg;base64,([^\"]+)", lighter)
    (original,) = re.findall(r"data:image/png;base64,([^\"]+)", svg)
    a, b = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(one))).convert("RGB"), float)
        for one in (found, original)
    )
    assert a.shape == b.shape
    assert abs(a - b).mean() < 4
    assert with_light_rasters(svg) == lighter


def test_what_is_transparent_or_small_stays_as_it_is():
    pixels = np.dstack([smooth(), np.full((200, 200), 128, np.uint8)])
    for svg in (drawn(pixels), drawn(smooth()[:9, :9]), "<svg>no picture</svg>"):
        assert with_light_rasters(svg) == svg

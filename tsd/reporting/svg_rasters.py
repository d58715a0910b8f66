"""Photographs inside SVG files, stored as JPEG.

Matplotlib writes each picture of pixels into an SVG file as PNG, which takes five to ten times the
bytes of a JPEG for a photograph. The pictures of a figure are looked at, and nothing is measured in
them.
"""

import base64
import io
import re

from PIL import Image

RASTER = re.compile(r"data:image/png;base64,\s*([A-Za-z0-9+/=\s]+)")

SMALL = 4_000
"""Bytes: a smaller picture stays as it is."""

QUALITY = 85
"""Of the JPEG pictures, from 0 to 100."""


def with_light_rasters(svg: str) -> str:
    """Return an SVG file whose opaque pictures are JPEG where that makes them smaller.

    Args:
        svg: Content of the file.
    """
    return RASTER.sub(_lighter, svg)


def _lighter(found: re.Match[str]) -> str:
    content = base64.b64decode(found[1])
    if len(content) <= SMALL:
        return found[0]
    with Image.open(io.BytesIO(content)) as image:
        pixels = image.convert("RGBA")
    if pixels.getchannel("A").getextrema() != (255, 255):
        return found[0]  # JPEG knows no transparency
    jpeg = io.BytesIO()
    pixels.convert("RGB").save(jpeg, "JPEG", quality=QUALITY, optimize=True)
    if jpeg.tell() >= len(content):
        return found[0]
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.getvalue()).decode("ascii")

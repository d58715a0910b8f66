"""Image files that tests make."""

import io
from typing import Any

import numpy as np
from PIL import Image


def scene(width: int = 64, height: int = 48) -> Image.Image:
    """A smooth picture in many colours that is another one after each way of turning it."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = 255 * x / max(width - 1, 1), 255 * y / max(height - 1, 1)
    return Image.fromarray(np.stack([red, green, (red + 2 * green) % 256], -1).astype(np.uint8))


def encoded(picture: Image.Image, format: str, orientation: int = 1, **options: Any) -> bytes:
    """An image file's bytes, with EXIF data if the orientation is not 1."""
    if orientation != 1:
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = orientation
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()

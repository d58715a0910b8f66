"""Images of a data set in figures: read in the frame of their annotations, and never an obstacle.

A figure shows an image that cannot be read as an empty panel of its size, in which it says why. A
report that took days of training to come by does not fail for the sake of a picture.
"""

import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from tsd.data.pixels import read_rgb

SIDE = 2000
"""Pixels along the larger side that a figure shows at most: of huge images no more is decoded."""


@dataclass(frozen=True)
class Photo:
    """An image of a data set, or the reason why it cannot be shown.

    Attributes:
        width: Its width in pixels, in the frame of its annotations.
        height: Its height, likewise.
        pixels: Array[H, W, 3] of bytes, red first, perhaps reduced; None if it cannot be read.
        fault: Why it cannot be read.
    """

    width: float
    height: float
    pixels: np.ndarray | None
    fault: str = ""

    def draw(self, axes: Axes, is_grey: bool = False) -> None:
        """Draw the image, its upper left corner at (0, 0), a unit a pixel.

        Args:
            axes: Where to draw.
            is_grey: Whether to draw it in pale shades of grey, as a background.
        """
        extent = (0, self.width, self.height, 0)
        if self.pixels is None:
            axes.set(xlim=extent[:2], ylim=extent[2:], aspect="equal", facecolor="#e4e7ea")
            axes.text(
                0.5,
                0.5,
                textwrap.fill(self.fault, 30),
                transform=axes.transAxes,
                ha="center",
                va="center",
                fontsize=6,
                parse_math=False,
                in_layout=False,
            )
        elif is_grey:
            grey = np.asarray(Image.fromarray(self.pixels).convert("L"))
            axes.imshow(grey, cmap="gray", vmin=-60, vmax=315, extent=extent)
        else:
            axes.imshow(self.pixels, extent=extent, interpolation="nearest")


def read_photo(path: Path, width: float | None, height: float | None) -> Photo:
    """Read an image for a figure. It raises nothing.

    Args:
        path: The image file.
        width: Width in pixels that the annotation file gives; None where it is not known.
        height: Height, likewise.
    """
    try:
        if width is None or height is None:
            pixels = read_rgb(path)
            return Photo(pixels.shape[1], pixels.shape[0], pixels)
        return Photo(width, height, read_rgb(path, width, height, side=SIDE))
    except Exception as error:  # whatever decoders raise
        fault = f"{path.name} cannot be shown: {str(error).removeprefix(f'{path}: ')}"
        return Photo(width or 1, height or 1, None, fault)

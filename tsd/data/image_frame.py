"""In which frame the pixels of an image are read: as they are stored, or as viewers show them.

A camera that was held sideways stores its picture lying and writes into the EXIF data how it has to
be turned (the tag *orientation*, 1 to 8). Viewers turn the picture; many tools that make annotation
files do not. A COCO file does not say which of the two its boxes are of, but the width and height
that it gives for each image tell it wherever turning exchanges them.
"""

from enum import Enum

import cv2
import numpy as np

Size = tuple[int, int]
"""Width and height in pixels."""

STORED_AS_SHOWN = 1
"""The orientation of a picture that is not to be turned, also of one without EXIF data."""

EXCHANGING = frozenset({5, 6, 7, 8})
"""The orientations that exchange width and height."""


class Frame(Enum):
    """The frame that annotations are of, which is the one that pixels are read in.

    Attributes:
        STORED: The stored bitmap. It is not turned, whatever its EXIF data say.
        SHOWN: The picture as viewers show it. It is turned as its EXIF data say.
        ASSUMED: As ``SHOWN``, but the sizes do not tell one from the other.
        NEITHER: The annotations are of a picture of another size.
    """

    STORED = "stored"
    SHOWN = "shown"
    ASSUMED = "assumed"
    NEITHER = "neither"

    @property
    def turned(self) -> bool:
        """Whether the stored bitmap has to be turned."""
        return self in (Frame.SHOWN, Frame.ASSUMED)


def frame_of(stored: Size, orientation: int, annotated: tuple[float, float] | None) -> Frame:
    """Decide the frame of an image. Nothing else in the project decides it.

    ====================  =========================  ===========
    EXIF orientation      annotated size             frame
    ====================  =========================  ===========
    1, or no EXIF data    (W, H)                     ``STORED``
    5 to 8, W ≠ H         (W, H)                     ``STORED``
    5 to 8, W ≠ H         (H, W)                     ``SHOWN``
    5 to 8, W = H         (W, H)                     ``ASSUMED``
    2 to 4                (W, H)                     ``ASSUMED``
    any                   any other                  ``NEITHER``
    ====================  =========================  ===========

    An image without an annotated size is read as viewers show it.

    Args:
        stored: (W, H), width and height of the stored bitmap.
        orientation: 1 to 8, as EXIF defines it; 1 where there is none.
        annotated: Width and height that the annotation file gives; None where it gives none.
    """
    if annotated is None:
        return Frame.STORED if orientation == STORED_AS_SHOWN else Frame.ASSUMED
    same = annotated == stored
    if orientation in EXCHANGING and stored[0] != stored[1]:
        if same:
            return Frame.STORED
        return Frame.SHOWN if annotated == stored[::-1] else Frame.NEITHER
    if not same:
        return Frame.NEITHER
    return Frame.STORED if orientation == STORED_AS_SHOWN else Frame.ASSUMED


def shown_size(stored: Size, orientation: int) -> Size:
    """Width and height of a picture as viewers show it."""
    return stored[::-1] if orientation in EXCHANGING else stored


def turn(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn a stored bitmap as viewers do.

    Args:
        pixels: Array[H, W] or Array[H, W, C].
        orientation: 1 to 8, as EXIF 2.32 defines it (section 4.6.4, tag 0x0112).

    Returns:
        The picture, of shape [W, H] where the orientation exchanges width and height.
    """
    match orientation:
        case 2:
            return cv2.flip(pixels, 1)
        case 3:
            return cv2.rotate(pixels, cv2.ROTATE_180)
        case 4:
            return cv2.flip(pixels, 0)
        case 5:
            return cv2.transpose(pixels)
        case 6:
            return cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE)
        case 7:
            return cv2.rotate(cv2.transpose(pixels), cv2.ROTATE_180)
        case 8:
            return cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE)
        case _:
            return pixels

"""Pixels in the frame that annotations are of. Whoever shows or trains on an image reads it here.

Which frame that is follows from the file and from the width and height that the annotation file
gives (``tsd.data.image_frame``). An image without EXIF orientation is read exactly as mmcv's
``LoadImageFromFile`` reads it.
"""

import io
import warnings
from pathlib import Path

import cv2
import numpy as np

from tsd.data.coco_format import DatasetError
from tsd.data.image_files import decode, open_picture, orientation_of
from tsd.data.image_frame import STORED_AS_SHOWN, Frame, Size, frame_of, shown_size, turn

REDUCED = {
    8: cv2.IMREAD_REDUCED_COLOR_8,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    2: cv2.IMREAD_REDUCED_COLOR_2,
}
"""Pixels of the stored bitmap for each that is read, in both directions → OpenCV's flag. Of JPEG
files no more than that is decoded; others are decoded and reduced at once."""


def decode_in_frame(
    content: bytes, annotated: tuple[float, float] | None, name: str, at_least: int | None = None
) -> np.ndarray:
    """Decode an image in the frame of its annotations.

    Args:
        content: All bytes of the file.
        annotated: Width and height in pixels that the annotation file gives, if any.
        name: Of the file, for errors.
        at_least: The image may be reduced, if its larger side keeps so many pixels; None for the
            image in full size.

    Returns:
        Array[H, W, 3] of bytes, blue first; in full size, H and W are those annotated if any are.

    Raises:
        DatasetError: It cannot be decoded, or its size is not the annotated one, turned or not.
    """
    size, orientation = _header(content)
    flags = cv2.IMREAD_COLOR
    if at_least is not None:
        steps = [s for s in REDUCED if max(size) >= s * at_least and min(size) >= s]
        flags = REDUCED[steps[0]] if steps else flags
    pixels = decode(content, flags | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise DatasetError(f"{name}: cannot be decoded; if it is cut off, fetch it again")
    stored = size if flags in REDUCED.values() else (pixels.shape[1], pixels.shape[0])
    frame = frame_of(stored, orientation, annotated)
    if annotated is not None and frame is Frame.NEITHER:
        raise DatasetError(
            f"{name}: is {size_text(shown_size(stored, orientation))} pixels large, but "
            f"{size_text(annotated)} in the annotation file; one of the two is of another image"
        )
    return turn(pixels, orientation) if frame.turned else pixels


def read_rgb(
    path: Path, width: float | None = None, height: float | None = None, side: int | None = None
) -> np.ndarray:
    """Read an image as figures show it, in the frame of its annotations.

    Args:
        path: Of the image.
        width: As the annotation file gives it, in pixels; None if it is not known.
        height: Likewise.
        side: The image is reduced until its larger side has no more pixels than that; None for the
            image in full size.

    Returns:
        Array[H, W, 3] of bytes, red first; in full size, of the annotated width and height.

    Raises:
        OSError: The file cannot be opened.
        DatasetError: As :func:`decode_in_frame`.
    """
    annotated = None if width is None or height is None else (width, height)
    pixels = decode_in_frame(path.read_bytes(), annotated, str(path), side)
    if side is not None and max(pixels.shape) > side:
        shrink = side / max(pixels.shape)
        reduced = [max(round(length * shrink), 1) for length in pixels.shape[1::-1]]
        pixels = cv2.resize(pixels, reduced, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def size_text(size: tuple[float, float]) -> str:
    """A width and a height as messages name them."""
    return f"{size[0]:g} × {size[1]:g}"


def _header(content: bytes) -> tuple[Size, int]:
    """Size of the stored bitmap and orientation; no size and no turning where it is unreadable."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            picture = open_picture(io.BytesIO(content))
        except Exception:  # whatever Pillow raises: if OpenCV cannot decode it either, it is told
            picture = None
    if picture is None:
        return (0, 0), STORED_AS_SHOWN
    return picture.size, orientation_of(picture)

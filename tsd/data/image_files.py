"""One image file: what its header says, and whether it is read as it was meant.

Training, inference and figures read images by OpenCV, as colour of 8 bits per channel. Pillow tells
format, mode and EXIF data; OpenCV itself tells whether it can decode the file, and how deep its
channels are. What OpenCV (5.0) makes of the modes that files have, compared with Pillow (13):

- Grey and palette images, also of 1, 2 and 4 bits, become colour without loss.
- An alpha channel is left out, so that what is transparent has the colour stored beneath it. This
  is accepted and told. In TIFF files colours are darkened by transparency, which is refused.
- CMYK becomes RGB as Pillow's plain conversion has it, up to rounding.
- Of files with several pictures the first is read, which is accepted and told.
- Deeper channels lose all but their upper 8 bits. Where a camera fills 12 of 16 bits, the picture
  is almost black. This is refused.
- L*a*b* and some JPEG 2000 files get other colours than Pillow gives them. This is refused.

Pictures in the few formats and modes that nearly all data sets consist of are known to be read
right; every other picture is decoded by both libraries, and refused where their colours differ.

What cannot be found is damage inside a JPEG file that goes on to its end: decoders show the wrong
pixels, as viewers do, and report nothing.
"""

import hashlib
import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import IO

import cv2
import numpy as np
from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile as Picture

from tsd.data.image_frame import STORED_AS_SHOWN

READ_BY_OPENCV = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000", "AVIF")
"""Pillow's names of the formats that OpenCV reads, the usual ones first."""

TRUSTED = frozenset({"JPEG", "MPO", "PNG", "WEBP"})
"""Formats in which both libraries agree on colours, unless the mode is CMYK. MPO is JPEG with more
pictures behind the first, as telephones write it."""

TURNED_BY_DECODERS = frozenset({"TIFF"})
"""Formats that OpenCV and Pillow turn by themselves, whatever is asked of them."""

COLOURS_DIFFER_FROM = 2.0
"""Mean difference of two libraries' colours, of 255, above which the picture is another one.
Rounding makes less than 1, other colour spaces and transparency much more than that."""

LARGEST_SIDE, MOST_PIXELS = 2**20, 2**30
"""What OpenCV reads at most, unless OPENCV_IO_MAX_IMAGE_WIDTH and its like raise it."""

FEW_PIXELS = 2**25
"""Larger pictures are decoded one at a time, so that memory does not grow with the threads."""

_one_large_at_a_time = threading.Lock()


class Fault(StrEnum):
    """Why an image is not fit for training."""

    UNREADABLE = "unreadable"
    EMPTY = "empty"
    NO_IMAGE = "no image"
    FORMAT = "format"
    PIXELS = "pixels"
    DAMAGED = "damaged"
    DEPTH = "depth"
    COLOURS = "colours"


@dataclass(frozen=True)
class ImageFile:
    """What is known of an image file.

    Attributes:
        content: Hash of all its bytes; empty if it could not be opened.
        format: Pillow's name of the format; empty if it is no image.
        width: Of the stored bitmap, in pixels; 0 if it is no image.
        height: Likewise.
        orientation: 1 to 8, as in its EXIF data; 1 if there is none, or where decoders turn the
            picture by themselves.
        mode: Pillow's name of the mode, such as ``RGB``.
        bits: Per channel, as far as they do not fit into 8: 8, 16 or 32.
        alpha: Whether parts of it may be transparent.
        pictures: How many there are in the file.
        fault: Why it cannot be used; None if it can.
        reason: What a library or the system says of the fault, if anything.
    """

    content: str = ""
    format: str = ""
    width: int = 0
    height: int = 0
    orientation: int = STORED_AS_SHOWN
    mode: str = ""
    bits: int = 8
    alpha: bool = False
    pictures: int = 1
    fault: Fault | None = None
    reason: str = ""


def inspect(content: bytes) -> ImageFile:
    """Find out what an image file is, and whether training can read it. It raises nothing.

    Args:
        content: All bytes of the file.
    """
    digest = hashlib.sha256(content).hexdigest()[:32]
    if not content:
        return ImageFile(digest, fault=Fault.EMPTY)
    try:
        picture = open_picture(io.BytesIO(content))
    except Image.DecompressionBombError as error:  # formats whose header Pillow does not give out
        return ImageFile(digest, fault=Fault.PIXELS, reason=str(error))
    except Exception as error:  # whatever a decoder raises on bytes that anybody may have made
        return ImageFile(digest, fault=Fault.DAMAGED, reason=str(error))
    if picture is None:
        return ImageFile(digest, fault=Fault.NO_IMAGE)
    bits, fault, reason = _readability(content, picture)
    return ImageFile(
        content=digest,
        format=picture.format or "",
        width=picture.width,
        height=picture.height,
        orientation=orientation_of(picture),
        mode=picture.mode,
        bits=bits,
        alpha=picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info,
        pictures=1 if picture.format == "MPO" else _pictures_in(picture),
        fault=fault,
        reason=reason,
    )


@contextmanager
def silence() -> Iterator[None]:
    """Keep what libraries say of broken files off the terminal: a check names them itself.

    Warnings and OpenCV's log are the process's: this belongs around threads, not into them.
    """
    level = cv2.utils.logging.getLogLevel()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cv2.utils.logging.setLogLevel(0)
        try:
            yield
        finally:
            cv2.utils.logging.setLogLevel(level)


def open_picture(file: IO[bytes]) -> Picture | None:
    """Read an image's header, however many pixels it has.

    Pillow's own ``open`` refuses large images, by a limit that is the whole process's.

    Args:
        file: The file's bytes. It has to stay open as long as the picture is used.

    Returns:
        The picture, not decoded; None if it is in no format that Pillow knows.

    Raises:
        Exception: The file begins as one of a format that OpenCV reads, but its header is faulty.
    """
    Image.init()
    file.seek(0)
    prefix = file.read(16)
    faulty: Exception | None = None
    for name in (*READ_BY_OPENCV, *(name for name in Image.ID if name not in READ_BY_OPENCV)):
        factory, accepts = Image.OPEN[name]
        accepted = False
        try:
            accepted = accepts is None or accepts(prefix) is True
            if accepted:
                file.seek(0)
                return factory(file, "")
        except Exception as error:  # whatever a plugin raises on bytes that are not its own
            if accepted and name in READ_BY_OPENCV:
                faulty = faulty or error
    if faulty is not None:
        raise faulty
    return None


def orientation_of(picture: Picture) -> int:
    """How a picture has to be turned, 1 to 8, by its EXIF data; 1 if they do not say or are faulty.

    What XMP data say is left alone, for viewers do not heed it either.
    """
    if picture.format in TURNED_BY_DECODERS:
        return STORED_AS_SHOWN
    data = picture.info.get("exif")
    if not data and picture.format == "PNG" and picture.fp is not None:
        data = _png_exif(picture.fp)
    if not data:
        return STORED_AS_SHOWN
    exif = Image.Exif()
    try:
        exif.load(data)
        value = exif.get(ExifTags.Base.Orientation)
    except Exception:  # of whatever kind: viewers show such pictures all the same
        return STORED_AS_SHOWN
    return value if isinstance(value, int) and 1 <= value <= 8 else STORED_AS_SHOWN


def decode(content: bytes, flags: int) -> np.ndarray | None:
    """Decode an image by OpenCV; None if it cannot be.

    Args:
        content: All bytes of the file.
        flags: OpenCV's ``IMREAD_`` flags.
    """
    if not content:
        return None
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:
        return None


def _readability(content: bytes, picture: Picture) -> tuple[int, Fault | None, str]:
    """Bits per channel, what is wrong with the picture, and what a library says of it."""
    if picture.format not in (*READ_BY_OPENCV, "MPO"):
        return 8, Fault.FORMAT, ""
    if picture.width * picture.height <= FEW_PIXELS:
        return _decoded_as_meant(content, picture)
    with _one_large_at_a_time:
        return _decoded_as_meant(content, picture)


def _decoded_as_meant(content: bytes, picture: Picture) -> tuple[int, Fault | None, str]:
    trusted = picture.format in TRUSTED and picture.mode != "CMYK"
    # An eighth of the size is enough to see that a file is whole, and takes less time and memory.
    small = trusted and min(picture.size) >= 8
    colour = cv2.IMREAD_REDUCED_GRAYSCALE_8 if small else cv2.IMREAD_ANYCOLOR
    pixels = decode(content, colour | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        too_many = max(picture.size) > LARGEST_SIDE or picture.width * picture.height > MOST_PIXELS
        return 8, Fault.PIXELS if too_many else Fault.DAMAGED, ""
    if pixels.dtype != np.uint8:
        return 8 * pixels.dtype.itemsize, Fault.DEPTH, ""
    return 8, *((None, "") if trusted else _compared(content, picture))


def _compared(content: bytes, picture: Picture) -> tuple[Fault | None, str]:
    """Compare the colours that training reads with those that Pillow reads."""
    pixels = decode(content, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    try:
        meant = np.asarray(picture.convert("RGB"))
    except Image.DecompressionBombError as error:
        return Fault.PIXELS, str(error)
    except Exception as error:  # whatever a decoder raises
        return Fault.DAMAGED, str(error)
    if pixels is None or pixels.shape != meant.shape:
        return Fault.COLOURS, ""
    return (Fault.COLOURS if _difference(pixels, meant) > COLOURS_DIFFER_FROM else None), ""


def _difference(bgr: np.ndarray, rgb: np.ndarray) -> float:
    return float(cv2.absdiff(bgr, np.ascontiguousarray(rgb[..., ::-1])).mean())


def _pictures_in(picture: Picture) -> int:
    try:
        return getattr(picture, "n_frames", 1)
    except Exception:  # whatever a decoder raises: the first picture is read, and was judged
        return 1


def _png_exif(file: IO[bytes]) -> bytes:
    """The EXIF data of a PNG file; they may stand behind the pixels, where Pillow does not look."""
    before = file.tell()
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length = int.from_bytes(head[:4])
        if head[4:] == b"eXIf":
            break
        file.seek(length + 4, io.SEEK_CUR)
    found = file.read(length) if head[4:] == b"eXIf" else b""
    file.seek(before)
    return found

"""Files that are carried inside the page, so that the page alone shows and gives away everything.

A picture or a file for download becomes a ``data:`` URI. A large file stays beside the page, since
a page of many megabytes opens slowly.
"""

import base64
import io
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

LARGEST_DOWNLOAD = 300_000
"""Bytes: a larger file is not carried in the page but linked beside it."""

LARGE_PICTURE = 60_000
"""Bytes: a larger picture of pixels is carried as WebP, which takes a fraction."""

QUALITY = 80
"""Of WebP pictures, from 0 to 100."""


@dataclass(frozen=True)
class Download:
    """A file that a reader can save.

    Args:
        href: Where it is: a ``data:`` URI, or the file's path relative to the page.
        name: The name under which it is saved.
        suffix: What kind of file it is, such as "csv".
        is_inside: Whether the page carries it.
    """

    href: str
    name: str
    suffix: str
    is_inside: bool


def data_uri(content: bytes, kind: str) -> str:
    """Write bytes as a ``data:`` URI.

    Args:
        content: The bytes.
        kind: Their MIME type.
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def download(folder: Path, file: str) -> Download | None:
    """Offer a file for download.

    Args:
        folder: The folder of the page.
        file: Path of the file, relative to the folder.

    Returns:
        None where there is no such file.
    """
    path = folder / file
    if not path.is_file():
        return None
    is_inside = path.stat().st_size <= LARGEST_DOWNLOAD
    kind = mimetypes.guess_type(path.name)[0] or "text/plain"
    href = data_uri(path.read_bytes(), kind) if is_inside else file
    return Download(href, path.name, path.suffix.removeprefix("."), is_inside)


def downloads(folder: Path, *files: str) -> list[Download]:
    """Offer those of some files for download that are there.

    Args:
        folder: The folder of the page.
        files: Paths of the files, relative to the folder.
    """
    return [found for file in files if (found := download(folder, file)) is not None]


def picture(path: Path) -> str:
    """Write a picture as a ``data:`` URI.

    Args:
        path: An SVG file or one of pixels.

    Raises:
        OSError: The file cannot be read.
    """
    content = path.read_bytes()
    if path.suffix == ".svg":
        return data_uri(content, "image/svg+xml")
    if len(content) <= LARGE_PICTURE:
        return data_uri(content, f"image/{path.suffix.removeprefix('.')}")
    smaller = io.BytesIO()
    with Image.open(path) as image:
        image.convert("RGB").save(smaller, "WEBP", quality=QUALITY)
    return data_uri(smaller.getvalue(), "image/webp")

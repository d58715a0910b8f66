"""What is known of all images of a folder, remembered between checks.

Reading an image takes milliseconds, so that a folder of a hundred thousand takes minutes. A
*manifest* remembers what was found in each file. A file of which neither size nor time of change
differ is not read again.

A manifest is a JSON file with two keys. ``made_by`` names what it was found by: the version of
these checks and of the libraries; where another one made it, all images are read again. ``files``
has for each name, as annotation files give it, a list: bytes of the file, time of its last change
in nanoseconds, and the fields of ``ImageFile`` in their order.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

import cv2
import PIL

from tsd.data.image_files import Fault, ImageFile, inspect, silence
from tsd.run_folder import write_text

CHECK_VERSION = 1
"""Raised when ``inspect`` finds something else in the same file."""

MADE_BY = [CHECK_VERSION, f"opencv {cv2.__version__}", f"pillow {PIL.__version__}"]

FIELDS = tuple(field.name for field in fields(ImageFile))

MOST_THREADS = 16

ANNOUNCE_EVERY = 30.0
"""Seconds between two lines for the person who waits."""

REMEMBER_EVERY = 120.0
"""Seconds after which what was read is written down, so that an interruption costs no more."""

Remembered = dict[str, list[Any]]


def manifest_path(results: Path, folder: Path) -> Path:
    """Where the manifest of an image folder lies: with the results, as data may be read-only.

    Args:
        results: Folder of all results.
        folder: Of the images.
    """
    place = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]
    return results / ".images" / f"{place}.json"


def read_images(
    folder: Path, names: Iterable[str], manifest: Path, announce: Callable[[str], None]
) -> dict[str, ImageFile]:
    """Find out what image files are; those that the manifest knows are not read again.

    Several may do so at the same time: each writes a whole manifest, and what another has written
    in the meantime is lost at worst, and read again.

    Args:
        folder: That names are relative to.
        names: Of the files, as an annotation file gives them.
        manifest: A file (:func:`manifest_path`); written anew if anything was read.
        announce: Takes a line for the person who waits.

    Returns:
        What each file is, by its name.
    """
    known = _remembered(manifest)
    wanted = list(dict.fromkeys(names))
    found: dict[str, ImageFile] = {}
    new: Remembered = {}
    announced = remembered = time.monotonic()

    def look(name: str) -> tuple[ImageFile, list[Any] | None]:
        return _look(folder / name, known.get(name))

    threads = min(os.cpu_count() or 1, MOST_THREADS)
    pool = ThreadPoolExecutor(threads)
    try:
        with silence():
            for name, (image, entry) in zip(wanted, pool.map(look, wanted), strict=True):
                found[name] = image
                if entry is not None:
                    new[name] = entry
                now = time.monotonic()
                if now - announced >= ANNOUNCE_EVERY:
                    announced = now
                    announce(f"  {len(found)} of {len(wanted)} images of {folder} are looked at")
                if now - remembered >= REMEMBER_EVERY:
                    remembered = now
                    _remember(manifest, new, announce)
    finally:
        pool.shutdown(cancel_futures=True)
    _remember(manifest, new, announce)
    return found


def content_of(files: Mapping[str, ImageFile]) -> str:
    """Hash names and contents of images, whatever their order, their place and their times.

    Args:
        files: What each is, by its name in the annotation file.

    Returns:
        32 hexadecimal digits.
    """
    lines = sorted(f"{name}\0{file.content}\n" for name, file in files.items())
    return hashlib.sha256("".join(lines).encode(errors="surrogatepass")).hexdigest()[:32]


def _look(path: Path, known: list[Any] | None) -> tuple[ImageFile, list[Any] | None]:
    """What a file is, and what to remember of it if it had to be read."""
    try:
        if known is not None and known[:2] == _state(path.stat()):
            return _image(known), None
        with path.open("rb") as file:
            state = _state(os.fstat(file.fileno()))  # before reading: a later change has to tell
            image = inspect(file.read())
    except OSError as error:
        return ImageFile(fault=Fault.UNREADABLE, reason=error.strerror or str(error)), None
    return image, [*state, *astuple(image)]


def _image(entry: list[Any]) -> ImageFile:
    values = dict(zip(FIELDS, entry[2:], strict=True))
    values["fault"] = values["fault"] and Fault(values["fault"])
    return ImageFile(**values)


def _state(stat: os.stat_result) -> list[int]:
    return [stat.st_size, stat.st_mtime_ns]


def _remembered(manifest: Path) -> Remembered:
    """The entries of a manifest; none where there is none, or it was made by something else."""
    try:
        content = json.loads(manifest.read_bytes())
        return content["files"] if content["made_by"] == MADE_BY else {}
    except (OSError, ValueError, TypeError, KeyError):  # its loss costs nothing but time
        return {}


def _remember(manifest: Path, new: Remembered, announce: Callable[[str], None]) -> None:
    """Add entries to a manifest, if there are any."""
    if not new:
        return
    # Read again: another check may have written to it.
    content = {"made_by": MADE_BY, "files": _remembered(manifest) | new}
    try:
        write_text(manifest, json.dumps(content, separators=(",", ":")))
    except OSError as error:
        announce(f"  {manifest} cannot be written, so images will be read again: {error}")

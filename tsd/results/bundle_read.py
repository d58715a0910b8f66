"""Reading a bundle: every byte is checked against the manifest before anybody uses it."""

import gzip
import hashlib
import json
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from tsd.results.bundle_format import (
    BUNDLE_VERSION,
    MANIFEST,
    BundledFile,
    BundleError,
    Manifest,
    is_safe,
)

BLOCK = 1 << 20
"""Bytes that are read at a time."""

LARGEST_MANIFEST = 64 << 20
"""Bytes: a manifest of more is refused, since it is read as a whole."""


@dataclass(frozen=True)
class _Member:
    """An entry of an archive; ``stream`` is None where it is no plain file, such as a link."""

    name: str
    size: int
    stream: IO[bytes] | None


def unpack(bundle: Path, folder: Path) -> Manifest:
    """Unpack a bundle into an empty folder of its own.

    Args:
        bundle: The file.
        folder: Where to; it holds nothing of use if the bundle is refused.

    Returns:
        The manifest. Every file that it lists is in the folder, and no other.

    Raises:
        BundleError: The bundle is damaged, cut off, of another version, or has a file that is not
            what the manifest says of it.
    """
    try:
        with _members(bundle) as members:
            return _unpack(bundle, members, folder)
    except FileNotFoundError as error:
        raise BundleError(f"{error.filename or bundle}: no such file") from None
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise _damaged(bundle, error) from error
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile) or error.errno is None:
            raise _damaged(bundle, error) from error
        raise BundleError(f"{bundle}: {error.strerror}") from error


def _unpack(bundle: Path, members: Iterator[_Member], folder: Path) -> Manifest:
    first = next(members, None)
    if first is None or first.name != MANIFEST or first.stream is None:
        raise BundleError(f"{bundle}: is no bundle, since its first file is not {MANIFEST}")
    manifest = _manifest(bundle, first.stream.read(LARGEST_MANIFEST + 1))
    missing = {file.path: file for file in manifest.files}
    found: set[str] = set()
    for member in members:
        if member.name in found or member.name == MANIFEST:
            raise BundleError(f"{bundle}: {member.name!r} is there twice")
        if member.stream is None:
            raise BundleError(f"{bundle}: {member.name!r} is no plain file")
        if not is_safe(member.name):
            raise BundleError(f"{bundle}: {member.name!r} leads out of where a bundle may write")
        if member.name not in missing:
            raise BundleError(f"{bundle}: {member.name!r} is not in the manifest")
        file = missing.pop(member.name)
        found.add(member.name)
        if member.size != file.size:
            raise BundleError(
                f"{bundle}: {member.name!r} has {member.size} bytes, the manifest says {file.size}"
            )
        _copy(bundle, member.stream, file, folder / member.name)
    if missing:
        raise BundleError(f"{bundle}: lacks {next(iter(missing))!r}, which the manifest lists")
    return manifest


def _manifest(bundle: Path, content: bytes) -> Manifest:
    place = f"{bundle}: {MANIFEST}"
    if len(content) > LARGEST_MANIFEST:
        raise BundleError(f"{place}: has more than {LARGEST_MANIFEST} bytes")
    try:
        plain = json.loads(content)
    except (ValueError, RecursionError):
        raise BundleError(f"{place}: is not JSON") from None
    version = plain.get("version") if isinstance(plain, dict) else None
    if version != BUNDLE_VERSION or isinstance(version, bool):
        raise BundleError(
            f"{place}: has version {version!r}, this project reads version {BUNDLE_VERSION}; make "
            "the bundle anew with the same commit of the project as is used here"
        )
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the whole"
        raise BundleError(f"{place}: key {key}: {first['msg']}") from None


def _copy(bundle: Path, stream: IO[bytes], file: BundledFile, target: Path) -> None:
    """Write a file of a bundle, no more of it than the manifest says, and compare its sum."""
    target.parent.mkdir(parents=True, exist_ok=True)
    hashed, left = hashlib.sha256(), file.size
    with target.open("wb") as written:
        while left and (block := stream.read(min(left, BLOCK))):
            hashed.update(block)
            written.write(block)
            left -= len(block)
    if left or stream.read(1) or hashed.hexdigest() != file.sha256:
        raise BundleError(
            f"{bundle}: {file.path!r} is not what the manifest says: its SHA-256 differs"
        )


@contextmanager
def _members(bundle: Path) -> Iterator[Iterator[_Member]]:
    """Open an archive, whose kind its first bytes tell, and yield its entries one by one."""
    with bundle.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        if start[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=file) as unpacked:
                with tarfile.open(fileobj=unpacked, mode="r|") as archive:
                    yield _of_tar(archive)
                while block := unpacked.read(BLOCK):  # to the end, where the archive's own sum is
                    if block.strip(b"\0"):
                        raise BundleError(f"{bundle}: something follows the end of the archive")
        elif start[:2] == b"PK":
            with zipfile.ZipFile(file) as archive_of_zip:
                yield _of_zip(archive_of_zip)
        else:
            raise BundleError(f"{bundle}: is neither a .tar.gz nor a .zip file, or is damaged")


def _of_tar(archive: tarfile.TarFile) -> Iterator[_Member]:
    for member in archive:
        stream = archive.extractfile(member) if member.type in tarfile.REGULAR_TYPES else None
        yield _Member(member.name, member.size, stream)


def _of_zip(archive: zipfile.ZipFile) -> Iterator[_Member]:
    for member in archive.infolist():
        kind = stat.S_IFMT(member.external_attr >> 16)
        if member.is_dir() or kind not in (0, stat.S_IFREG):
            yield _Member(member.filename, member.file_size, None)
            continue
        with archive.open(member) as stream:
            yield _Member(member.orig_filename, member.file_size, stream)


def _damaged(bundle: Path, error: Exception) -> BundleError:
    return BundleError(
        f"{bundle}: is damaged or cut off ({type(error).__name__}: {error}); copy it again, or "
        "make it anew where its results are"
    )

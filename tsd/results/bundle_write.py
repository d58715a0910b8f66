"""Writing a bundle: two passes over the files, so that the manifest comes first and holds."""

import gzip
import hashlib
import io
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from tsd.results.bundle_format import MANIFEST, BundledFile, BundleError, Manifest
from tsd.run_folder import replace_durably

Source = Path | bytes
"""What a file of the bundle is made from: a file, or its content."""

BLOCK = 1 << 20
"""Bytes that are read at a time."""


def describe(path: str, source: Source) -> BundledFile:
    """Describe a file for the manifest.

    Args:
        path: Its path in the bundle.
        source: What it is made from.
    """
    hashed, size = hashlib.sha256(), 0
    with _opened(source) as stream:
        while block := stream.read(BLOCK):
            hashed.update(block)
            size += len(block)
    return BundledFile(path=path, size=size, sha256=hashed.hexdigest())


def write_bundle(out: Path, manifest: Manifest, sources: Mapping[str, Source]) -> None:
    """Write a bundle, whole or not at all.

    Args:
        out: The file to write; its name ends with ``.tar.gz`` or ``.zip``.
        manifest: What is in it.
        sources: What each file of the manifest is made from, by its path in the bundle.

    Raises:
        BundleError: The name has another ending, or a file has changed since it was described.
    """
    write = _writer_for(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with write(partial) as archive:
            content = (manifest.model_dump_json(indent=1) + "\n").encode()
            archive.add(MANIFEST, len(content), io.BytesIO(content))
            for file in manifest.files:
                with _opened(sources[file.path]) as stream:
                    checked = _Checked(stream)
                    try:
                        archive.add(file.path, file.size, checked)
                    except OSError as error:  # tarfile's word for a file that has become shorter
                        if checked.sha256 == file.sha256:
                            raise
                        raise _changed(file.path) from error
                    if checked.sha256 != file.sha256 or stream.read(1):
                        raise _changed(file.path)
        replace_durably(partial, out)
    finally:
        partial.unlink(missing_ok=True)


def require_suffix(out: Path) -> None:
    """Refuse a name that says of no known kind of archive that it is one.

    Raises:
        BundleError: The name ends neither with ``.tar.gz`` nor with ``.zip``.
    """
    _writer_for(out)


class _Archive(Protocol):
    def add(self, path: str, size: int, stream: "BinaryIO | _Checked") -> None: ...


class _Tar:
    def __init__(self, archive: tarfile.TarFile):
        self._archive = archive

    def add(self, path: str, size: int, stream: "BinaryIO | _Checked") -> None:
        member = tarfile.TarInfo(path)
        member.size, member.mode = size, 0o644
        self._archive.addfile(member, stream)


class _Zip:
    def __init__(self, archive: zipfile.ZipFile):
        self._archive = archive

    def add(self, path: str, size: int, stream: "BinaryIO | _Checked") -> None:
        member = zipfile.ZipInfo(path)
        member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
        member.file_size = size
        with self._archive.open(member, "w") as target:
            while block := stream.read(BLOCK):
                target.write(block)


@contextmanager
def _tar(path: Path) -> Iterator[_Archive]:
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", 9, file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        yield _Tar(archive)


@contextmanager
def _zip(path: Path) -> Iterator[_Archive]:
    with zipfile.ZipFile(path, "w", compresslevel=9) as archive:
        yield _Zip(archive)


def _writer_for(out: Path) -> Callable[[Path], AbstractContextManager[_Archive]]:
    for suffix, write in ((".tar.gz", _tar), (".zip", _zip)):
        if out.name.endswith(suffix):
            return write
    raise BundleError(f"{out}: the name of a bundle ends with .tar.gz or .zip")


class _Checked:
    """A stream that sums what is read from it."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self._hashed = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self._hashed.update(block)
        return block

    @property
    def sha256(self) -> str:
        return self._hashed.hexdigest()


def _changed(path: str) -> BundleError:
    return BundleError(
        f"{path} has changed while the bundle was made: wait until nothing runs in its folder, "
        "and make the bundle again"
    )


@contextmanager
def _opened(source: Source) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    with source.open("rb") as file:
        yield file

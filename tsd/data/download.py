"""COCO's archives: each is downloaded, checked and unpacked.

Nothing is done twice. Files that lie unpacked are left alone, a transfer that was cut off goes on
where it ended, and unpacking writes only files that are missing. An archive is deleted once it is
unpacked.

Which archives there are, and what their checksums are, says :mod:`tsd.data.coco_archives`.
"""

import hashlib
import http.client
import os
import shutil
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from tsd.data.coco_archives import Archive
from tsd.data.coco_format import DatasetError, some_of

OFFICIAL = "https://s3.amazonaws.com/images.cocodataset.org"
"""COCO's server. http://images.cocodataset.org is the same, but has no certificate of that name."""

MIRROR_VARIABLE = "TSD_COCO_MIRROR"
"""The environment variable with the base URL of a server to use instead."""

TIMEOUT = 60
"""After so many seconds without a byte a transfer counts as cut off."""

TRIES = 4
"""After so many tries in a row without a byte of progress a transfer is given up."""

PAUSE = 2.0
"""Seconds between the first and the second of these tries. Each later pause is twice as long."""

PERIOD = 20.0
"""Seconds between two lines of progress."""

CHUNK = 1 << 20
"""Number of bytes that are read and written at a time."""

PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 206, 416
"""Codes of HTTP: the answer is the part asked for; the file has no bytes after those at hand."""

Announce = Callable[[str], None]


class DownloadError(DatasetError):
    """Data cannot be fetched or unpacked. The message says why, what is kept and what to do."""


def obtain(archive: Archive, root: Path, server: str, announce: Announce) -> dict[str, object]:
    """Download and unpack an archive as far as its files are not in the data set's folder already.

    Args:
        archive: The archive.
        root: Folder of the data set, or a link to it. The archive is kept in ``archives/`` below
            this folder until it is unpacked.
        server: Base URL of COCO's server, or of a mirror that lays out its files in the same way.
        announce: Takes a line about what is being done, for the person who waits.

    Returns:
        A record of what was done, for JSON.

    Raises:
        DownloadError: The server cannot be reached or has another file, the checksum is wrong, the
            archive is unsafe to unpack, another file has the name of one of its files, or the disk
            is full.
    """
    record: dict[str, object] = {"archive": archive.name, "md5": archive.md5}
    if is_unpacked(archive, root):
        announce(f"{archive.name}: its files are in {root} already")
        return {**record, "server": None}
    kept = root / "archives" / archive.name
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        fetch(archive, kept, server, announce)
        written = unpack(kept, root, announce)
        kept.unlink()
    except OSError as error:
        raise DownloadError(f"{root}: {archive.name} cannot be put there: {error}") from error
    announce(f"{archive.name}: {written} files written to {root}")
    return {**record, "server": _host(server)}


def is_unpacked(archive: Archive, root: Path) -> bool:
    """Tell whether there are as many files as the archive has, without opening them."""
    return all(_count(root / path) >= number for path, number in archive.holds.items())


def _count(path: Path) -> int:
    """Count the files in a folder, less hidden ones. A file counts as one, and nothing as none."""
    if path.is_dir():
        # Unlike Path.iterdir this makes no Path of each of 118,287 names.
        return sum(not name.startswith(".") for name in os.listdir(path))  # noqa: PTH208
    return int(path.is_file())


def fetch(archive: Archive, target: Path, server: str, announce: Announce) -> None:
    """Download what is still missing of an archive, and check the whole.

    Args:
        archive: The archive.
        target: The file to write. It may hold the beginning of the archive. Its folder exists.
        server: Base URL of the server.
        announce: Takes lines of progress.

    Raises:
        DownloadError: The server cannot be reached or has another file, or the checksum is wrong.
            In this last case the target is removed; in all others it is kept for the next call.
    """
    url = f"{server.rstrip('/')}/{archive.address}"
    if urlsplit(url).scheme not in ("http", "https"):
        raise DownloadError(f"{MIRROR_VARIABLE}: {server!r} is not an http or https address")
    failures = 0
    while archive.size is None or _size(target) != archive.size:
        before = _size(target)
        try:
            _transfer(url, target, archive, announce)
            break
        except (OSError, http.client.HTTPException) as error:
            if not _is_of_network(error):
                raise
            if before and getattr(error, "code", None) == RANGE_NOT_SATISFIABLE:
                break  # All of it is here already, or more than that: the checksum will tell.
            failures = 1 if _size(target) > before else failures + 1
            if failures == TRIES or _is_final(error):
                raise DownloadError(_advice(archive, target, server, error)) from error
            announce(f"{archive.name}: {_reason(error)}; trying again")
            time.sleep(PAUSE * 2 ** (failures - 1))
    announce(f"{archive.name}: checking {_gb(_size(target))}")
    found = _md5(target)
    if found != archive.md5:
        target.unlink()
        raise DownloadError(
            f"{archive.name} from {_host(server)} has the MD5 sum {found} instead of "
            f"{archive.md5}: damaged on the way, or another file. It was removed; start again, or "
            f"name another server in {MIRROR_VARIABLE}"
        )


def _transfer(url: str, target: Path, archive: Archive, announce: Announce) -> None:
    """Make one request and append to the target what it brings.

    Raises:
        DownloadError: The server has a file of another size, or there is no space for it.
        OSError: The server cannot be reached, refuses, or the connection ends too early.
    """
    start = _size(target)
    request = urllib.request.Request(url)  # noqa: S310 the caller has checked the scheme
    if start:
        request.add_header("Range", f"bytes={start}-")
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310
        if response.status != PARTIAL_CONTENT:
            start = 0  # The server sends the whole file, even if a part was asked for.
        length = response.headers["Content-Length"]
        total = None if length is None else start + int(length)
        if total is None or archive.size not in (None, total):
            raise DownloadError(
                f"{url}: the server has a file of {total or 'unknown'} bytes there instead of "
                f"{archive.size}: not COCO's {archive.name}"
            )
        _need_space(target.parent, total - start, archive.name)
        progress = _Progress(archive.name, start, total, announce)
        with target.open("ab" if start else "wb") as file:
            while chunk := response.read(CHUNK):
                file.write(chunk)
                progress.add(len(chunk))
    if _size(target) < total:
        raise ConnectionError(f"the connection ended at {_size(target):,} of {total:,} bytes")


class _Progress:
    """Says every ``PERIOD`` seconds how far a transfer has come."""

    def __init__(self, name: str, start: int, total: int, announce: Announce) -> None:
        self.name, self.total, self.announce = name, total, announce
        self.start = self.done = start
        self.began = self.said = time.monotonic()
        announce(f"{name}: {_gb(start)} of {_gb(total)} are here")

    def add(self, size: int) -> None:
        """Note that so many more bytes are here."""
        self.done += size
        now = time.monotonic()
        if now - self.said >= PERIOD:
            self.said = now
            speed = (self.done - self.start) / (now - self.began)
            left = (self.total - self.done) / speed / 60
            self.announce(
                f"{self.name}: {_gb(self.done)} of {_gb(self.total)}, {speed / 1e6:.1f} MB/s, "
                f"{left:.0f} min left"
            )


def _is_of_network(error: BaseException) -> bool:
    network = (urllib.error.URLError, ConnectionError, TimeoutError, http.client.HTTPException)
    return isinstance(error, network)


def _is_final(error: BaseException) -> bool:
    """Tell whether it is in vain to ask again, since the server has understood and refuses."""
    return isinstance(error, urllib.error.HTTPError) and error.code < 500 and error.code != 429


def _advice(archive: Archive, target: Path, server: str, error: BaseException) -> str:
    """Return the message for somebody whose download has failed."""
    return (
        f"{archive.name} cannot be fetched from {_host(server)}: {_reason(error)}. The next start "
        f"goes on from the {_gb(_size(target))} in {target}; an archive that you have can be put "
        f"there. {MIRROR_VARIABLE} names another server. A copy of COCO needs no download: make "
        f"{target.parents[1]} a link to it"
    )


def _reason(error: BaseException) -> str:
    """Return what went wrong, without the words that urllib puts around it."""
    if isinstance(error, urllib.error.URLError) and not isinstance(error, urllib.error.HTTPError):
        return str(error.reason)
    return str(error) or type(error).__name__


def unpack(archive_file: Path, root: Path, announce: Announce) -> int:
    """Write those of an archive's files that a folder does not have yet.

    All entries are looked at before the first is written. A file appears under its name only once
    it is complete and its CRC is right.

    Args:
        archive_file: A zip file.
        root: Folder to unpack to.
        announce: Takes lines of progress.

    Returns:
        The number of files that were written.

    Raises:
        DownloadError: An entry would be written outside of the folder, the folder has another file
            of an entry's name, the zip file is damaged, or the disk is too small.
    """
    try:
        with zipfile.ZipFile(archive_file) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            unsafe = [entry.filename for entry in entries if not _is_below(entry.filename)]
            if unsafe:
                raise DownloadError(
                    f"{archive_file}: refused, its entries point out of the folder: "
                    f"{some_of(unsafe)}; remove it"
                )
            announce(f"{archive_file.name}: unpacking {len(entries)} files")
            missing, others = [], []
            for entry in entries:
                target = root / entry.filename
                if not target.exists():
                    missing.append(entry)
                elif not _is_same(target, entry):
                    others.append(entry.filename)
            if others:
                raise DownloadError(
                    f"{root}: files differ from those of {archive_file.name} and are not "
                    f"overwritten: {some_of(others)}; move them away and start again"
                )
            _need_space(root, sum(entry.file_size for entry in missing), archive_file.name)
            for entry in missing:
                _write(archive, entry, root / entry.filename)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise DownloadError(f"{archive_file}: damaged ({error}); remove it") from error
    return len(missing)


def _is_below(name: str) -> bool:
    """Tell whether an entry of this name stays below the folder that it is unpacked to."""
    path = PurePosixPath(name.replace("\\", "/"))
    return not path.is_absolute() and ".." not in path.parts


def _is_same(file: Path, entry: zipfile.ZipInfo) -> bool:
    """Tell whether a file has the size and the CRC of an entry."""
    if not file.is_file() or file.stat().st_size != entry.file_size:
        return False
    crc = 0
    for chunk in _chunks(file):
        crc = zlib.crc32(chunk, crc)
    return crc == entry.CRC


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    with archive.open(entry) as source, partial.open("wb") as file:
        shutil.copyfileobj(source, file, CHUNK)
    partial.replace(target)


def _need_space(folder: Path, needed: int, name: str) -> None:
    """Raise a :class:`DownloadError` if a folder's disk has less than so many bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DownloadError(f"{folder}: {name} needs {_gb(needed)} more, {_gb(free)} are free")


def _md5(file: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for chunk in _chunks(file):
        digest.update(chunk)
    return digest.hexdigest()


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def _gb(size: int) -> str:
    return f"{size / 1e9:.2f} GB"


def _host(server: str) -> str:
    """Return a server's name, which is what messages show of its address."""
    return urlsplit(server).hostname or server

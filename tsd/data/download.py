"""COCO's archives: fetched with resume, verified, unpacked.

Nothing happens twice: what lies unpacked is left alone, a transfer goes on where it was cut, and
unpacking writes only files that are missing. An archive is deleted once it is unpacked.

COCO publishes no checksums. Those in ``ARCHIVES`` are the MD5 sums that independent projects check
their downloads against, so that a mirror is as good as COCO's own server.
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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from tsd.data.coco_format import DatasetError, near_names, some_of

OFFICIAL = "https://s3.amazonaws.com/images.cocodataset.org"
"""What http://images.cocodataset.org stands for, by a name that its certificate fits."""

MIRROR_VARIABLE = "TSD_COCO_MIRROR"
"""Environment variable with the base URL of a server to use instead."""

TIMEOUT = 60  # seconds without a byte
TRIES = 4  # in a row, each without a byte of progress
PAUSE = 2.0  # seconds after the first of them, doubled after each
PERIOD = 20.0  # seconds between lines of progress
CHUNK = 1 << 20  # bytes

PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 206, 416  # HTTP

Announce = Callable[[str], None]


class DownloadError(DatasetError):
    """Data cannot be fetched or unpacked; the message says why, what is kept and what to do."""


@dataclass(frozen=True)
class Archive:
    """One of COCO's zip files.

    Attributes:
        address: Below the base URL of the server.
        md5: Of the file, in hexadecimal.
        size: Of the file in bytes; None where no source gives it.
        holds: What it unpacks to: path below the data set's root → number of files there.
    """

    address: str
    md5: str
    size: int | None
    holds: Mapping[str, int]

    @property
    def name(self) -> str:
        """File name."""
        return PurePosixPath(self.address).name


def _images(split: str, count: int, size: int, md5: str) -> Archive:
    return Archive(f"zips/{split}.zip", md5, size, {split: count})


def _annotations(name: str, size: int | None, md5: str, *files: str) -> Archive:
    held = {f"annotations/{file}.json": 1 for file in files}
    return Archive(f"annotations/{name}.zip", md5, size, held)


# MD5 of 2017: google-deepmind/dm_nevis, dm_nevis/datasets_storage/handlers/coco.py (all five), and
# PaddlePaddle/PaddleDetection, ppdet/utils/download.py (without test2017). Of 2014: PaddlePaddle's
# COCO download script of 2019 (all three) and, for the images, salesforce/LAVIS,
# lavis/datasets/download_scripts/download_coco.py. Sizes: what COCO's server says, in many logs.
ARCHIVES: dict[str, Archive] = {
    PurePosixPath(archive.address).stem: archive
    for archive in (
        _images("train2017", 118287, 19336861798, "cced6f7f71b7629ddf16f17bbcfab6b2"),
        _images("val2017", 5000, 815585330, "442b8da7639aecaf257c1dceb8ba8c80"),
        _images("test2017", 40670, 6646970404, "77ad2c53ac5d0aea611d422c0938fb35"),
        _images("train2014", 82783, 13510573713, "0da8c0bd3d6becc4dcb32757491aca88"),
        _images("val2014", 40504, 6645013297, "a3d79f5ed8d289b7a7554ce06a5782b3"),
        _annotations(
            "annotations_trainval2017",
            252907541,
            "f4bbac642086de4f52a3fdda2de5fa2c",
            "instances_train2017",
            "instances_val2017",
        ),
        _annotations(
            "image_info_test2017",
            None,
            "85da7065e5e600ebfee8af1edb634eb5",
            "image_info_test2017",
            "image_info_test-dev2017",
        ),
        _annotations(
            "annotations_trainval2014",
            252872794,
            "0a379cfc70b0e71301e0f377548639bd",
            "instances_train2014",
            "instances_val2014",
        ),
    )
}
"""COCO's archives that this project has a use for, by file name without ``.zip``."""


def archive_named(name: str) -> Archive:
    """The archive of that name, or a :class:`DownloadError`."""
    if name not in ARCHIVES:
        raise DownloadError(f"no archive {name!r} is known; {near_names(name, ARCHIVES)}")
    return ARCHIVES[name]


def obtain(archive: Archive, root: Path, server: str, announce: Announce) -> dict[str, object]:
    """Have an archive's files under a data set's root, by as little work as that takes.

    Args:
        archive: What to have.
        root: Folder of the data set, or a link to it. A transfer is kept in ``archives/`` below.
        server: Base URL: COCO's, or a mirror's that lays out its files in the same way.
        announce: Takes a line for people now and then.

    Returns:
        A record of what was done, for JSON.

    Raises:
        DownloadError: The server cannot be reached or has another file, the checksum is wrong, the
            archive is unsafe to unpack, another file is in its way, or the disk is full.
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
    """Tell whether as many files are there as the archive has; they are not opened."""
    return all(_count(root / path) >= number for path, number in archive.holds.items())


def _count(path: Path) -> int:
    if path.is_dir():
        return sum(not name.startswith(".") for name in os.listdir(path))  # noqa: PTH208 118,287
    return int(path.is_file())


def fetch(archive: Archive, target: Path, server: str, announce: Announce) -> None:
    """Download an archive, going on from what the target holds already, and check it.

    Args:
        archive: What to download.
        target: File to write; its folder exists.
        server: Base URL.
        announce: Takes lines of progress.

    Raises:
        DownloadError: See :func:`obtain`. A target whose checksum is wrong is removed; in all other
            cases it is kept for the next call.
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
                break  # all of it is here already, or more: the checksum tells
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
    """Make one request and append what it brings to the target."""
    start = _size(target)
    request = urllib.request.Request(url)  # noqa: S310 the caller has checked the scheme
    if start:
        request.add_header("Range", f"bytes={start}-")
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310
        if response.status != PARTIAL_CONTENT:  # the whole file, though a part was asked for
            start = 0
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
    """Says every ``PERIOD`` seconds how far a transfer is."""

    def __init__(self, name: str, start: int, total: int, announce: Announce) -> None:
        self.name, self.total, self.announce = name, total, announce
        self.start = self.done = start
        self.began = self.said = time.monotonic()
        announce(f"{name}: {_gb(start)} of {_gb(total)} are here")

    def add(self, size: int) -> None:
        """Note that so many bytes have come."""
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
    """Tell whether to ask again is in vain: the server has understood, and refuses."""
    return isinstance(error, urllib.error.HTTPError) and error.code < 500 and error.code != 429


def _advice(archive: Archive, target: Path, server: str, error: BaseException) -> str:
    return (
        f"{archive.name} cannot be fetched from {_host(server)}: {_reason(error)}. The next start "
        f"goes on from the {_gb(_size(target))} in {target}; an archive that you have can be put "
        f"there. {MIRROR_VARIABLE} names another server. A copy of COCO needs no download: make "
        f"{target.parents[1]} a link to it"
    )


def _reason(error: BaseException) -> str:
    """What went wrong, without urllib's wrapping."""
    if isinstance(error, urllib.error.URLError) and not isinstance(error, urllib.error.HTTPError):
        return str(error.reason)
    return str(error) or type(error).__name__


def unpack(archive_file: Path, root: Path, announce: Announce) -> int:
    """Write an archive's files that are missing below a folder.

    Every entry is looked at before the first is written. A file appears under its name only once
    it is complete and its CRC is right.

    Args:
        archive_file: A zip file.
        root: Folder to unpack to.
        announce: Takes lines of progress.

    Returns:
        Number of files written.

    Raises:
        DownloadError: An entry points out of the folder, a file that differs from an entry is in
            its place, the zip file is damaged, or the disk is too small.
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
    path = PurePosixPath(name.replace("\\", "/"))
    return not path.is_absolute() and ".." not in path.parts


def _is_same(file: Path, entry: zipfile.ZipInfo) -> bool:
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
    """Name of a server, for messages."""
    return urlsplit(server).hostname or server

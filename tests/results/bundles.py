"""Bundles made by hand, sound ones and others."""

import hashlib
import io
import json
import tarfile
import zipfile

from tsd.results.bundle_format import BUNDLE_VERSION, MANIFEST

TRAINING = "results/mini/r50/ab12cd34ef/seed0"

FILES = {
    "collected.json": b"{}",
    f"{TRAINING}/metrics.json": b'{"metrics": {"AP": 30.0}}',
    f"{TRAINING}/detections.json": b"[]" * 4000,
}


def manifest(files, **changes):
    """A manifest of some files, as plain data."""
    listed = [
        {"path": path, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for path, content in files.items()
    ]
    return {
        "version": BUNDLE_VERSION,
        "grid": "mini",
        "made": "2026-01-01T12:00:00+00:00",
        "commit": None,
        "dirty": False,
        "machine": "x86_64",
        "has_weights": False,
        "files": listed,
    } | changes


def write_tar(path, members):
    """An archive with some members: a name with its content, or a ready ``TarInfo``."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_zip(path, members):
    """The same as a zip file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def members(files=None, listed=None, **changes):
    """What a bundle of some files is made of; the manifest is that of ``listed``."""
    files = FILES if files is None else files
    content = manifest(files if listed is None else listed, **changes)
    return [(MANIFEST, json.dumps(content).encode()), *files.items()]

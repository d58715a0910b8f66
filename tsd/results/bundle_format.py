"""A bundle: the results of a grid in one archive, and the manifest by which it is trusted.

A bundle is a ``.tar.gz`` or ``.zip`` file with this content::

    manifest.json              what the bundle holds: path, size and SHA-256 of every other file
    ro-crate-metadata.json     the same for machines that read RO-Crate
    collected.json             ``results.json`` as it was when the bundle was made
    results/{grid}/datasets/   what was found when the data sets were checked
    results/{grid}/{run}/{digest}/seed{n}/   the files of a training (:mod:`tsd.run_folder`)

Paths are relative, with ``/`` between their parts. Nothing that a bundle says is ever executed.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

BUNDLE_VERSION: Literal[1] = 1
"""Raised when the layout of a bundle changes in a way that its readers notice."""

MANIFEST = "manifest.json"
COLLECTED = "collected.json"
CRATE = "ro-crate-metadata.json"

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.+-]*"
_TRAINING = re.compile(rf"results/({_NAME})/({_NAME})/([0-9a-f]+)/(seed\d+)/({_NAME}/)*{_NAME}")
_DATA_CHECK = re.compile(rf"results/({_NAME})/datasets/{_NAME}\.json")


class BundleError(ValueError):
    """A bundle cannot be made, read or merged; the message names the file and the reason."""


def is_safe(path: str) -> bool:
    """Tell whether a path may stand in a bundle: relative, plain, and in a place that it knows.

    A path that leads out of the folder that the bundle is unpacked to is none, nor is a hidden
    file, nor one anywhere but in the layout that the module describes.
    """
    known = path in (COLLECTED, CRATE) or _TRAINING.fullmatch(path) or _DATA_CHECK.fullmatch(path)
    return bool(known) and ".." not in path.split("/")


def _safe(path: str) -> str:
    if not is_safe(path):
        raise ValueError(f"{path!r} is no path of a file in a bundle")
    return path


class BundledFile(BaseModel):
    """A file of a bundle: its path, its size in bytes, and the sum of its content."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Annotated[str, AfterValidator(_safe)]
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @property
    def training(self) -> str | None:
        """The folder below ``results`` of the training that it belongs to; None if to none."""
        found = _TRAINING.fullmatch(self.path)
        return "/".join(found.groups()[:4]) if found else None


class Manifest(BaseModel):
    """``manifest.json``.

    ``grid`` is the name of the results' folder, ``made`` the time at which the bundle was made, and
    ``has_weights`` says whether the trained weights are in it. ``commit``, ``dirty`` and
    ``machine`` are those of the project that made the bundle; each training has its own in
    ``train.json``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1]
    grid: str = Field(pattern=rf"^{_NAME}$")
    made: str
    commit: str | None
    dirty: bool
    machine: str
    has_weights: bool
    files: list[BundledFile]

    @model_validator(mode="after")
    def _is_of_one_grid(self) -> "Manifest":
        paths = [file.path for file in self.files]
        twice = [path for path, number in Counter(paths).items() if number > 1]
        if twice:
            raise ValueError(f"{twice[0]} is listed twice")
        foreign = [
            path
            for path in paths
            if path.startswith("results/") and path.split("/")[1] != self.grid
        ]
        if foreign:
            raise ValueError(f"{foreign[0]} is not of the grid {self.grid}")
        if COLLECTED not in paths:
            raise ValueError(f"{COLLECTED} is not listed")
        return self

    @property
    def trainings(self) -> list[str]:
        """The folders below ``results`` of the trainings in the bundle."""
        return list(dict.fromkeys(file.training for file in self.files if file.training))


WEIGHTS = ".pth"
LEFT_OUT = ("work", "logs")
"""Folders of a training that a bundle leaves out: checkpoints, and logs, which no report reads."""


def bundled_paths(folder: Path, with_weights: bool) -> list[Path]:
    """List the files of a training's folder that belong in a bundle, by rule and not by name.

    All do but weights, checkpoints, logs, hidden files (locks, and what is half written) and links.

    Args:
        folder: The folder of the training.
        with_weights: Whether to list weights too.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") for part in parts)
        if hidden or parts[0] in LEFT_OUT or path.is_symlink() or not path.is_file():
            continue
        if path.suffix != WEIGHTS or with_weights:
            found.append(path)
    return found

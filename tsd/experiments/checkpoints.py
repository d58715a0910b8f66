"""Files of weights that runs take in place of a training.

A run whose declaration names a ``checkpoint`` is not trained. Its weights come from a file that the
user gives by the setting ``checkpoint``, and without such a file there is no such run.
"""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tsd.experiments.load import Experiments
from tsd.experiments.reading import DeclarationError, suggest


def given_checkpoints(text: str, experiments: Experiments) -> dict[str, Path]:
    """The files that a user gives, by the names that runs have for them.

    Args:
        text: ``name=file`` for each file, with commas between them, or one file alone, which is
            that of the first run that takes one.
        experiments: All declarations.

    Raises:
        DeclarationError: If no run has such a name for a file, or there is no such file.
    """
    names = [run.checkpoint for run in experiments.runs.values() if run.checkpoint is not None]
    files: dict[str, Path] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, separator, file = part.partition("=")
        if not separator:
            name, file = next(iter(names), ""), part
        if name not in names:
            raise DeclarationError(
                f"setting checkpoint: no run takes weights named {name!r}" + suggest(name, names)
            )
        if name in files:
            raise DeclarationError(f"setting checkpoint: there are two files for {name}")
        if not Path(file).is_file():
            raise DeclarationError(f"setting checkpoint: there is no file {file!r} for {name}")
        files[name] = Path(file)
    return files


def with_checkpoints(experiments: Experiments, files: Mapping[str, Path]) -> Experiments:
    """Leave out the runs whose weights nobody gives, and what is about such runs alone.

    Where some files are given, all tables stay as they are, and the rows of the other files' runs
    stay empty.
    """
    without = {run.id for run in experiments.runs.values() if run.checkpoint is not None}
    if files or not without:
        return experiments
    tables = {
        name: table
        for name, table in experiments.tables.items()
        if not without.issuperset(row.run for row in table.rows)
    }
    runs = {name: run for name, run in experiments.runs.items() if name not in without}
    return replace(experiments, runs=runs, tables=tables)


def content_sum(path: Path) -> str:
    """The SHA-256 sum of a file, which is read once in a process unless it changes."""
    return _content_sum(path, path.stat().st_mtime_ns)


@functools.cache
def _content_sum(path: Path, _modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

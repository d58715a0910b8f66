"""Starts the Python that has imported everything, and writes a `python` that leads to it.

Within a job of SLURM that `python` is the usual one: what a job starts has to be SLURM's to end.
"""

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.projects import WARM_VARIABLE

HERE = Path(__file__).parent

PYTHON = """#!/bin/sh
if [ "$1 $2" = "-m tsd" ] && [ -z "$SLURM_JOB_ID" ]; then
    exec {python} -I -S {client} {socket} "$@"
fi
exec {python} "$@"
"""


@contextmanager
def warm_python(folder: Path) -> Iterator[Path]:
    """The folder of a virtual environment of which there is no more than ``bin/python``.

    Args:
        folder: It is made there.
    """
    place = folder / "socket"
    program = folder / "bin" / "python"
    program.parent.mkdir()
    words = {"python": sys.executable, "client": HERE / "client.py", "socket": place}
    program.write_text(PYTHON.format(**{k: shlex.quote(str(v)) for k, v in words.items()}))
    program.chmod(0o755)
    server = subprocess.Popen(
        [sys.executable, str(HERE / "server.py"), str(place)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for line in server.stdout:
            if line == "ready\n":
                break
        else:
            raise AssertionError("the server has ended before it was ready")
        yield folder
    finally:
        server.kill()
        server.wait()


@contextmanager
def steps_start_at_once() -> Iterator[None]:
    """Have ``tests.projects.programs`` name a `python` that has imported what the steps import."""
    # Not pytest's own folder, as the path of a socket has to be short.
    with tempfile.TemporaryDirectory() as folder, warm_python(Path(folder)) as environment:
        os.environ[WARM_VARIABLE] = str(environment)
        yield
        del os.environ[WARM_VARIABLE]

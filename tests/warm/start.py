"""Starts the Python that has imported everything, and writes a `python` that leads to it."""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent

PYTHON = """#!/bin/sh
if [ "$1 $2" = "-m tsd" ]; then
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

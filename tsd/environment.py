"""What commands make of the environment that they are started in."""

import os
import sys
from io import TextIOWrapper


def settle() -> None:
    """Keep settings that are meant for other programs from ending a command.

    A notebook names a backend of matplotlib's that only the notebook can import, and matplotlib
    refuses to be imported for it; here figures are written to files and never shown. A terminal
    that knows no more than ASCII shows other characters as their numbers.
    """
    os.environ["MPLBACKEND"] = "Agg"
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

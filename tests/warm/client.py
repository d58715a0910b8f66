"""`python`, for tests of the workflow: ``python -m tsd …`` is done by a fork of the server.

Started with ``-m tsd`` by the `python` that ``tests/warm/start.py`` writes:

    python client.py SOCKET -m tsd train …
"""

import contextlib
import json
import os
import signal
import socket
import sys
from pathlib import Path


def main() -> None:
    path, arguments = sys.argv[1], sys.argv[4:]
    request = {
        "arguments": arguments,
        "folder": str(Path.cwd()),
        "environment": dict(os.environ),
        "python": str(Path(path).parent / "bin" / "python"),
    }
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [json.dumps(request).encode()], [0, 1, 2])
        answers = connection.makefile("r")
        pid = int(answers.readline())

        def hand_on(number, frame):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, hand_on)
        status = int(answers.readline())
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


main()

"""A server as ``python -m tsd server`` starts it, what may happen to it, and who writes to it."""

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

USER, PASSWORD = "ann", "correct horse battery"


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Server:
    """A server whose folder outlives it."""

    def __init__(self, folder, database):
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self._command = [
            sys.executable, "-m", "tsd", "server", "--folder", folder, "--database", database,
            "--port", str(self.port), "--workers", "1",
        ]  # fmt: skip
        self._process = None

    def start(self):
        names = {"MLFLOW_TRACKING_USERNAME": USER, "MLFLOW_TRACKING_PASSWORD": PASSWORD}
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "output.log").open("a") as output:
            self._process = subprocess.Popen(
                self._command, env={**os.environ, **names}, stdout=output, stderr=output
            )
        for _ in range(1200):
            assert self._process.poll() is None, (self.folder / "output.log").read_text()
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=5):  # noqa: S310
                    return
            except OSError:
                time.sleep(0.5)
        raise AssertionError("the server does not answer")

    def kill(self):
        """Kill the processes that answer, in the middle of what they do; the command ends too."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        for child in map(int, children.split()):
            if os.getpgid(child) == child:  # MLflow's processes, and not the database's
                os.killpg(child, signal.SIGKILL)
        assert self._process.wait(timeout=120) != 0

    def stop(self):
        """End it as Ctrl-C does."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            assert self._process.wait(timeout=120) == 0


class SlowProxy:
    """Passes on what is sent to a port, each piece later than it came."""

    def __init__(self, port, delay_s):
        self._to, self._delay = port, delay_s
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.pieces = 0
        self.uri = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=[client], daemon=True).start()

    def _pass_on(self, client):
        with client, socket.create_connection(("127.0.0.1", self._to)) as server:
            other = {client: server, server: client}
            while True:
                for side in select.select(list(other), [], [])[0]:
                    piece = side.recv(65536)
                    if not piece:
                        return
                    time.sleep(self._delay)
                    self.pieces += 1
                    other[side].sendall(piece)

    def close(self):
        self._listener.close()


FOLLOWERS = """
import os, sys, time
from pathlib import Path
from tsd.tracking.run_files import TrackingError
from tsd.tracking.store import sync_run

uri, stop, folders = sys.argv[1], Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]]
for folder in folders:
    if os.fork():
        continue
    faults = syncs = 0
    while True:
        last = stop.exists()
        try:
            sync_run(folder, uri)
            syncs += 1
            if last:
                break
        except TrackingError:
            faults += 1
            time.sleep(1)
        time.sleep(0.1)
    (folder / "counts").write_text(f"{syncs} {faults}")
    os._exit(0)
failed = sum(os.wait()[1] != 0 for _ in folders)
sys.exit(failed)
"""


class Followers:
    """A process for each folder, which brings it into a store again and again.

    They share the start of Python, which is what takes time of them.
    """

    def __init__(self, uri, folders, environment=None):
        self._folders = folders
        self._stop = folders[0].parent / "stop"
        self._process = subprocess.Popen(
            [sys.executable, "-c", FOLLOWERS, uri, self._stop, *folders],
            env={**os.environ, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", **(environment or {})},
            start_new_session=True,
        )

    def end(self):
        """Have each bring its folder in once more; how often that went well, and how often not."""
        self._stop.touch()
        try:
            assert self._process.wait(timeout=300) == 0
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._stop.unlink()
        counts = [(folder / "counts").read_text().split() for folder in self._folders]
        return sum(int(syncs) for syncs, _ in counts), sum(int(faults) for _, faults in counts)

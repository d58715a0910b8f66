"""NVIDIA's Multi-Process Service, for as long as programs share a GPU.

Without it the kernels of programs on one GPU take turns, with it they run side by side. It is a
daemon of the user's own, whose files lie in a private folder; no setting of the machine is changed.
A process of this module starts it, watches the program that wants it, and ends it when that program
says so or is gone, even if it was killed.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType

from tsd.cluster.gpu_devices import VISIBLE
from tsd.liveness import is_alive, start_of

CONTROL = "nvidia-cuda-mps-control"
PIPES, LOGS = "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"

DEFAULT_PIPES = Path("/tmp/nvidia-mps")  # noqa: S108 where CUDA looks if the variable is not set
PID_FILE = "nvidia-cuda-mps-control.pid"

SECONDS_TO_ANSWER = 30
LONGEST_FOLDER = 60
"""Letters of a folder's path, since a socket's path in it has room for 107."""

PREFIX = "tsd-mps-"
"""How the folder of a service of ours begins."""

READY = "ready\n"


class Mps:
    """A running service that this process has had started.

    Args:
        guard: The process that ends it.
        variables: What a program needs in its environment to use the service.
    """

    def __init__(self, guard: subprocess.Popen[str], variables: Mapping[str, str]) -> None:
        self._guard = guard
        self.variables = dict(variables)

    @property
    def guard(self) -> dict[str, int | None]:
        """Number and start of the process that ends the service."""
        return {"guard": self._guard.pid, "guard_started": start_of(self._guard.pid)}

    def stop(self, announce: Callable[[str], None] = print) -> None:
        """End the service once the programs that use it have ended; wait for that for a while."""
        self._guard.terminate()
        try:
            self._guard.wait(timeout=SECONDS_TO_ANSWER)
        except subprocess.TimeoutExpired:
            announce(f"NVIDIA's MPS ends when the last program that uses it does ({self.folder})")

    @property
    def folder(self) -> str:
        """The folder of its files."""
        return self.variables[PIPES]


def start_mps(gpus: Sequence[str], announce: Callable[[str], None], owner: int) -> Mps | None:
    """Start the service, if it can be and is not there yet.

    Args:
        gpus: Names of the GPUs that programs share.
        announce: Called with a line if programs share the GPUs without a service of ours.
        owner: Number of the process that wants it. When that is gone, the service ends.

    Returns:
        The service; None if there is none of ours.
    """
    if os.environ.get(PIPES):
        announce(f"trainings use the MPS that runs already ({PIPES}={os.environ[PIPES]})")
        return None
    if _is_running(DEFAULT_PIPES):
        announce(f"trainings use the MPS that runs already ({DEFAULT_PIPES})")
        return None
    if shutil.which(CONTROL) is None:
        announce(f"there is no {CONTROL} here: programs on a GPU take turns, which is slower")
        return None
    place = tempfile.gettempdir()
    # Only its owner can enter what mkdtemp makes.
    folder = tempfile.mkdtemp(
        prefix=PREFIX,
        dir=place if len(place) <= LONGEST_FOLDER else "/tmp",  # noqa: S108
    )
    guard = subprocess.Popen(  # noqa: S603 a list, no shell
        [sys.executable, "-m", "tsd.cluster.mps", folder, str(owner), str(start_of(owner))],
        env={**os.environ, PIPES: folder, LOGS: folder, VISIBLE: ",".join(gpus)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C in the terminal is not for it
    )
    told = ""
    if guard.stdout is not None:
        with guard.stdout:
            told = guard.stdout.readline()
    if told != READY:
        guard.wait()
        announce(f"NVIDIA's MPS does not start, and programs take turns on a GPU: {told.strip()}")
        return None
    return Mps(guard, {PIPES: folder, LOGS: folder})


def leave_own_mps() -> None:
    """Have this process compute beside a service of ours and not through it."""
    if Path(os.environ.get(PIPES, "")).name.startswith(PREFIX):
        del os.environ[PIPES]
        os.environ.pop(LOGS, None)


def _is_running(pipes: Path) -> bool:
    pid = _pid_in(pipes)
    return pid is not None and is_alive(pid, None)


def _pid_in(pipes: Path) -> int | None:
    """Number of the daemon whose files lie in a folder."""
    with contextlib.suppress(OSError, ValueError):
        return int((pipes / PID_FILE).read_text(encoding="ascii"))
    return None


def _guard(folder: Path, owner: int, owner_started: int | None) -> None:
    """Start the service, and end it when it is told to or when its owner is gone."""
    ended = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        try:
            _control("-d")
            _control(told="get_server_list")
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", None) or str(error)
            print(" ".join(said.split()), flush=True)
            return
        print(READY, end="", flush=True)
        while not ended and is_alive(owner, owner_started):
            time.sleep(0.2)
    finally:
        _end_daemon(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _control(
    *options: str, told: str | None = None, timeout: int | None = SECONDS_TO_ANSWER
) -> None:
    """Call the control program; its output goes to files, as a daemon would hold a pipe open."""
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(  # noqa: S603
            [CONTROL, *options],
            input=told and f"{told}\n",
            stdin=None if told else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        output.seek(0)
        if done.returncode:
            raise subprocess.CalledProcessError(
                done.returncode,
                [CONTROL, *options],
                stderr=output.read() or f"status {done.returncode}",
            )


def _end_daemon(folder: Path) -> None:
    """Have the daemon end once no program uses it; it lets those that do finish."""
    pid = _pid_in(folder)
    try:
        _control(told="quit", timeout=SECONDS_TO_ANSWER if pid is None else None)
    except (OSError, subprocess.SubprocessError):
        if pid is not None and is_alive(pid, None):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGTERM)
    while pid is not None and is_alive(pid, None):
        time.sleep(0.1)


if __name__ == "__main__":
    _folder, _owner, _started = sys.argv[1:]
    _guard(Path(_folder), int(_owner), None if _started == "None" else int(_started))

"""Places on GPUs, which programs take by locks of files.

A program that computes on a GPU takes a place on the least loaded one and keeps it for as long as
it lives. The kernel gives a lock back when the program ends, however it ends, so that no place
stays taken after a program that was killed. Programs of other projects of the same user take their
places in the same folder; other users are not known of here.

Files of the folder, each of which is held by a lock and has no other meaning: ``{gpu}.{n}`` is a
place, ``{gpu}.alone`` is the whole GPU, and ``{gpu}.wanted`` keeps a GPU free of newcomers for a
program that waits to have it alone. ``choosing`` lets one program at a time look for a place.
"""

import contextlib
import fcntl
import itertools
import os
import stat
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tsd.experiments.reading import DeclarationError

_SECONDS_BETWEEN = 0.5

_held: dict[Path, int] = {}
"""This process's locked files and their descriptors. A process that it forks, such as a worker that
loads data, closes them, because a lock is given back when its last copy is closed."""


def _close_copies() -> None:
    for descriptor in _held.values():
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_copies)


def slots_folder() -> Path:
    """The folder in which this user's programs take their places on this machine's GPUs.

    Raises:
        DeclarationError: If somebody else could take places there, or delete them.
    """
    folder = Path(tempfile.gettempdir()) / f"tsd-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise DeclarationError(
            f"{folder} is not a folder that only you can write to: remove it, or set TMPDIR"
        )
    return folder


class Slots:
    """Places on GPUs.

    Args:
        folder: Folder of the locks.
        shares: GPU → how many programs may share it. A GPU that one program has is had alone.
    """

    def __init__(self, folder: Path, shares: Mapping[str, int]) -> None:
        self._folder = folder
        self._shares = dict(shares)

    @contextlib.contextmanager
    def take(self, alone: bool, announce: Callable[[str], None]) -> Iterator[str]:
        """Take a place on the least loaded GPU, and wait for one if there is none.

        Args:
            alone: Whether no other program may be on that GPU.
            announce: Called with a line if the program has to wait.

        Yields:
            The GPU.
        """
        gpu = self._try(alone) or self._wait(alone, announce)
        try:
            yield gpu
        finally:
            for path in [path for path in _held if path.name.startswith(f"{_quoted(gpu)}.")]:
                _give_back(path)

    def _wait(self, alone: bool, announce: Callable[[str], None]) -> str:
        """Wait for a place and take it; the GPU."""
        announce("waits for a place on a GPU; other programs of yours have them all")
        wanted: Path | None = None
        try:
            while True:
                if alone and wanted is None:
                    wanted = self._want()
                time.sleep(_SECONDS_BETWEEN)
                if gpu := self._try(alone):
                    return gpu
        finally:
            if wanted is not None:
                _give_back(wanted)

    def _try(self, alone: bool) -> str | None:
        """Take a place if there is one; the GPU, or None."""
        with _locked(self._folder / "choosing"):
            load = {gpu: self._number_of_holders(gpu) for gpu in self._shares}
            for gpu in sorted(self._shares, key=lambda gpu: load[gpu] / self._shares[gpu]):
                wanted = self._of(gpu, "wanted")
                if _is_held(self._of(gpu, "alone")) or (_is_held(wanted) and wanted not in _held):
                    continue
                if alone or self._shares[gpu] == 1:
                    if load[gpu] == 0 and _lock(self._of(gpu, "alone")):
                        return gpu
                elif load[gpu] < self._shares[gpu]:
                    for number in itertools.count():
                        if _lock(self._of(gpu, str(number))):
                            return gpu
        return None

    def _want(self) -> Path | None:
        """Keep newcomers from the least loaded GPU that nobody else waits for; the lock of that."""
        with _locked(self._folder / "choosing"):
            for gpu in sorted(self._shares, key=self._number_of_holders):
                wanted = self._of(gpu, "wanted")
                if _lock(wanted):
                    return wanted
        return None

    def _number_of_holders(self, gpu: str) -> int:
        """How many programs share a GPU now."""
        places = self._folder.glob(f"{_quoted(gpu)}.[0-9]*")
        return sum(_is_held(place) for place in places)

    def _of(self, gpu: str, what: str) -> Path:
        return self._folder / f"{_quoted(gpu)}.{what}"


def _quoted(gpu: str) -> str:
    return urllib.parse.quote(gpu, safe="")


def _lock(path: Path) -> bool:
    """Lock a file for as long as this process lives, unless another has; whether it is locked."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    _held[path] = descriptor
    return True


def _give_back(path: Path) -> None:
    descriptor = _held.pop(path, None)
    if descriptor is not None:
        os.close(descriptor)


def _is_held(path: Path) -> bool:
    """Whether this process or another has a lock; to be asked by the one that is choosing."""
    if path in _held:
        return True
    if not path.exists() or _lock(path):
        _give_back(path)
        return False
    return True


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

"""What has to be known to make a number again: commit, versions, machine."""

import platform
import subprocess
from importlib.metadata import version

_PACKAGES = ("torch", "torchvision", "onedl-mmcv", "onedl-mmdetection", "onedl-mmengine", "numpy")


def commit() -> tuple[str | None, bool]:
    """The checked-out commit, None without git, and whether tracked files differ from it."""
    head = _git("rev-parse", "HEAD")
    return head, bool(head and _git("status", "--porcelain", "--untracked-files=no"))


def versions() -> dict[str, str]:
    """Versions of the packages that compute."""
    return {package: version(package) for package in _PACKAGES}


def machine() -> str:
    """Processor and operating system, in words."""
    return f"{platform.processor() or platform.machine()}, {platform.platform()}"


def _git(*arguments: str) -> str | None:
    try:
        finished = subprocess.run(  # noqa: S603
            ["git", *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return finished.stdout.strip()

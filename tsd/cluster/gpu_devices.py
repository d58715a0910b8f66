"""The GPUs of this machine that may be used, as ``nvidia-smi`` and the user's environment tell."""

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tsd.experiments.reading import DeclarationError

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""By this variable CUDA is told which GPUs a program may use, and a user tells it to us."""

NONE = ("-1", "NoDevFiles", "")
"""An entry of ``CUDA_VISIBLE_DEVICES`` that hides all GPUs which are named after it."""

QUERY = ("index", "uuid", "memory.total", "memory.free", "compute_mode")

SECONDS_TO_ANSWER = 60
"""So long ``nvidia-smi`` may take; without its persistence mode a driver is loaded first."""


@dataclass(frozen=True)
class Device:
    """A GPU.

    Attributes:
        name: The name by which ``CUDA_VISIBLE_DEVICES`` takes it: its UUID where that is known,
            because what an index means depends on ``CUDA_DEVICE_ORDER``.
        index: The number that ``nvidia-smi`` gives it.
        total_mb: Memory in MiB; None where that is not known.
        free_mb: Memory in MiB that nobody uses now; None where that is not known.
        alone: Whether the machine allows one process on it (its compute mode is exclusive).
    """

    name: str
    index: str
    total_mb: int | None = None
    free_mb: int | None = None
    alone: bool = False


def visible_devices(
    announce: Callable[[str], None],
    environment: Mapping[str, str] = os.environ,
    device_files: Path = Path("/dev"),
) -> list[Device]:
    """List the GPUs that programs which are started here may use.

    Args:
        announce: Called with a line if ``nvidia-smi`` cannot be understood, so that no more is
            known of the GPUs than that their device files are there.
        environment: If it has ``CUDA_VISIBLE_DEVICES``, only the GPUs which that names are listed,
            in its order. Their indices are those of ``nvidia-smi``; names are UUIDs, or the
            beginnings of UUIDs.
        device_files: Folder with files ``nvidia0`` and so on.

    Returns:
        The GPUs; empty where there are none.

    Raises:
        DeclarationError: If ``CUDA_VISIBLE_DEVICES`` names a GPU that is not there. CUDA would
            silently go without it, and a training would take the CPU.
    """
    try:
        devices = _listed(environment)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        numbers = [path.name.removeprefix("nvidia") for path in device_files.glob("nvidia[0-9]*")]
        devices = [Device(number, number) for number in sorted(numbers, key=int)]
        if devices:
            announce(
                f"nvidia-smi does not say what the GPUs of this machine are ({error}): trainings "
                "take turns on each of them"
            )
    if VISIBLE not in environment or not devices:
        return devices
    return _chosen(devices, environment[VISIBLE])


def _listed(environment: Mapping[str, str]) -> list[Device]:
    """Ask ``nvidia-smi``.

    Raises:
        ValueError: If its answer has another form than was asked for.
    """
    answer = subprocess.run(  # noqa: S603
        ["nvidia-smi", f"--query-gpu={','.join(QUERY)}", "--format=csv,noheader,nounits"],  # noqa: S607
        env=dict(environment),
        check=True,
        capture_output=True,
        text=True,
        timeout=SECONDS_TO_ANSWER,
    ).stdout
    devices = []
    for line in filter(None, map(str.strip, answer.splitlines())):
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != len(QUERY) or not fields[0].isdigit() or not fields[1]:
            raise ValueError(f"it answers {line!r}")
        index, name, total, free, mode = fields
        if mode != "Prohibited":
            alone = mode.startswith("Exclusive")
            devices.append(Device(name, index, _megabytes(total), _megabytes(free), alone))
    return devices


def _megabytes(field: str) -> int | None:
    """A number of MiB; None for words such as ``[N/A]``, which stand where memory is shared."""
    return int(field) if field.isdigit() else None


def _chosen(devices: list[Device], visible: str) -> list[Device]:
    """The GPUs that a value of ``CUDA_VISIBLE_DEVICES`` names, each once."""
    chosen: dict[str, Device] = {}
    for entry in (part.strip() for part in visible.split(",")):
        if entry in NONE:
            break
        if entry.startswith("MIG-"):
            device = Device(entry, entry)  # a part of a GPU, of which nvidia-smi says no more here
        else:
            fitting = [
                d
                for d in devices
                if (entry == d.index if entry.isdigit() else d.name.startswith(entry))
            ]
            if len(fitting) != 1:
                known = ", ".join(f"{device.index} ({device.name})" for device in devices)
                found = "more than one" if fitting else "none"
                raise DeclarationError(
                    f"{VISIBLE}={visible}: {found} of this machine's GPUs is {entry!r}; they are "
                    f"{known}"
                )
            device = fitting[0]
        chosen[device.name] = device
    return list(chosen.values())

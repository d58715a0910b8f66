"""Executables that stand for NVIDIA's on a machine without a GPU."""

import os
from pathlib import Path

FIRST, SECOND = "GPU-aaaaaaaa-1111", "GPU-bbbbbbbb-2222"

TWO_GPUS = f"0, {FIRST}, 81559, 81000, Default\n1, {SECOND}, 40000, 39000, Default\n"
"""What nvidia-smi answers to the question of tsd.cluster.gpu_devices."""

MPS = r"""#!/bin/bash
# Stands for nvidia-cuda-mps-control: a daemon that sleeps, and a log of what it was told.
pid="$CUDA_MPS_PIPE_DIRECTORY/nvidia-cuda-mps-control.pid"
log="$FAKE_MPS_LOG"
if [ "$1" = -d ]; then
    if [ -n "$FAKE_MPS_FAILS" ]; then echo "An instance is running" >&2; exit 1; fi
    setsid sleep 600 < /dev/null > /dev/null 2>&1 &
    echo $! > "$pid"
    echo "start $CUDA_MPS_PIPE_DIRECTORY $CUDA_MPS_LOG_DIRECTORY $CUDA_VISIBLE_DEVICES" >> "$log"
    exit 0
fi
read -r told
echo "$told" >> "$log"
[ -f "$pid" ] || { echo "Cannot find MPS control daemon process" >&2; exit 1; }
if [ -n "$FAKE_MPS_SILENT" ]; then exit 1; fi
if [ "$told" = quit ]; then kill "$(cat "$pid")"; fi
exit 0
"""


def executable(folder: Path, name: str, text: str) -> None:
    """Write a program."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)


def nvidia_smi(folder: Path, answer: str = TWO_GPUS, status: int = 0) -> dict[str, str]:
    """Write an nvidia-smi that answers so; the variable that has it found first."""
    (folder / "answer").parent.mkdir(exist_ok=True)
    (folder / "answer").write_text(answer)
    executable(folder, "nvidia-smi", f'#!/bin/sh\ncat "{folder}/answer"\nexit {status}\n')
    return {"PATH": f"{folder}:{os.environ['PATH']}"}

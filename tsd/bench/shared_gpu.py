"""Trainings at the scale `mini` side by side on one GPU, behind NVIDIA's MPS.

Each is a process of its own, as in the workflow. It takes its step again and again and says how
often it did so. What a training does besides, such as loading images, is not in it.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping

from tsd.bench.network import METHOD
from tsd.bench.rows import Bench, Measurement, NotMeasuredError, Row
from tsd.bench.small_step import small_step
from tsd.cluster.gpu_devices import visible_devices
from tsd.cluster.mps import start_mps

TRAININGS = 12
WARM_UP = 10
READY = "ready"


def steps_together(
    trainings: int, device: str, seconds: float, variables: Mapping[str, str]
) -> float:
    """Steps that trainings take a second, all of them together.

    Args:
        trainings: How many run side by side.
        device: ``cpu`` or ``cuda``.
        seconds: How long they are watched, once all are warm.
        variables: What they need in their environment besides.

    Raises:
        NotMeasuredError: One of them fails.
    """
    command = [sys.executable, "-m", "tsd.bench.shared_gpu", device, str(seconds)]
    with contextlib.ExitStack() as meanwhile:
        workers = [
            meanwhile.enter_context(
                subprocess.Popen(  # noqa: S603 a list, no shell
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env={**os.environ, **variables},
                )
            )
            for _ in range(trainings)
        ]
        for worker in workers:
            meanwhile.callback(worker.kill)
        for worker in workers:
            if not any(line.strip() == READY for line in _lines(worker)):
                raise NotMeasuredError("a training ended before it was warm")
        for worker in workers:
            if worker.stdin is not None:
                worker.stdin.write("go\n")
                worker.stdin.flush()
        rates = [line.strip() for worker in workers for line in list(_lines(worker))[-1:]]
    if len(rates) < trainings:
        raise NotMeasuredError(f"{trainings - len(rates)} of {trainings} trainings failed")
    return sum(map(float, rates))


def _lines(worker: subprocess.Popen[str]) -> Iterator[str]:
    return iter(worker.stdout or ())


def _behind_mps(bench: Bench) -> Measurement:
    devices = visible_devices(print)
    if not devices:
        raise NotMeasuredError("nvidia-smi names no GPU")
    reasons: list[str] = []
    service = start_mps([devices[0].name], reasons.append, os.getpid())
    if service is None:
        raise NotMeasuredError("; ".join(reasons))
    try:
        return Measurement([steps_together(TRAININGS, "cuda", bench.seconds, service.variables)])
    finally:
        service.stop()


def _work(device: str, seconds: float) -> None:
    """Take steps for a while once told to, and print how many a second."""
    step, _ = small_step(METHOD, device)
    for _ in range(WARM_UP if device == "cuda" else 1):
        step()
    print(READY, flush=True)
    sys.stdin.readline()
    steps, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        step()  # it reads its losses, so that the device has done its work by then
        steps += 1
    print(steps / (time.perf_counter() - started), flush=True)


ROWS = (
    Row(
        "side-by-side",
        f"{TRAININGS} trainings of TSD at mini on one GPU behind MPS, without loading images: "
        "steps together",
        120.0,
        "a second",
        _behind_mps,
        ("cuda",),
        more_is_better=True,
    ),
)

if __name__ == "__main__":
    _work(sys.argv[1], float(sys.argv[2]))

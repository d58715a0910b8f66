"""Time of one image through a trained detector (the runtime column of Table 5).

Protocol: batches of one image, the weights trained, so that NMS has real boxes to suppress; each
image is loaded and resized beforehand, as the paper counts "network forward and post-processing".
After a warm-up the median of many calls is taken, the device being waited for at both ends of each.
"""

import os
import platform
import statistics
import time

import torch
from mmdet.models.detectors import BaseDetector
from mmengine.runner import Runner

from tsd.experiments.job import Job
from tsd.results.records import LatencyRecord
from tsd.training.build import runtime_config, trained_model

WARM_UP, CALLS = 10, 100


def measure_latency(job: Job) -> None:
    """Write ``latency.json``: the median and the tenth and ninetieth percentiles in milliseconds.

    Args:
        job: A trained job. Its val split gives the images, from the first one on and around again.
    """
    config = runtime_config(job)
    config.test_dataloader.batch_size = 1
    model = trained_model(job)
    loader = Runner.build_dataloader(config.test_dataloader)
    batches = [batch for batch, _ in zip(loader, range(CALLS), strict=False)]
    milliseconds = []
    with torch.inference_mode():
        for call in range(WARM_UP + CALLS):
            elapsed = _timed(model, batches[call % len(batches)])
            if call >= WARM_UP:
                milliseconds.append(1e3 * elapsed)
    deciles = statistics.quantiles(milliseconds, n=10)
    LatencyRecord(
        key=job.key,
        median_ms=statistics.median(milliseconds),
        p10_ms=deciles[0],
        p90_ms=deciles[-1],
        calls=CALLS,
        images=len(batches),
        device=_device_name(),
        threads=torch.get_num_threads(),
    ).write(job.folder.latency)


def _timed(model: BaseDetector, batch: dict) -> float:
    """Seconds from the image in memory to boxes after NMS."""
    _wait()
    started = time.perf_counter()
    model.test_step(batch)
    _wait()
    return time.perf_counter() - started


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _device_name() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"

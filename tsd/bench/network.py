"""TSD beside the sibling head: inference, a training step, and what a step asks of a GPU."""

import logging
from collections.abc import Callable
from dataclasses import replace

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from tsd.bench.rows import Bench, Measurement, NotMeasuredError, Row, time_ratio
from tsd.experiments.settings import open_grid
from tsd.training.build import runtime_config

BASELINE, METHOD = "r50", "tsd_pc"
OBJECTS = 5
"""So many objects an image has."""

MOST_ROUNDS_ON_A_CPU = 3
"""A training step takes a CPU a third of a minute, and inference a quarter of that."""


def _model(run: str, device: str) -> BaseDetector:
    """A run's network at the paper's size with random weights."""
    config = runtime_config(open_grid({"scale": "paper"}).jobs_of(run)[0]).model
    config.backbone.init_cfg = None
    config.backbone.norm_cfg.type = "BN"
    torch.manual_seed(0)
    model = MODELS.build(config)
    logging.disable(logging.INFO)  # a line for each weight that is initialised
    try:
        model.init_weights()
    finally:
        logging.disable(logging.NOTSET)
    return model.to(device)


def _samples(batch: int, bench: Bench) -> list[DetDataSample]:
    """Images with objects anywhere."""
    size = (bench.height, bench.width)
    shapes = dict.fromkeys(("img_shape", "ori_shape", "batch_input_shape", "pad_shape"), size)
    samples = []
    for _ in range(batch):
        extent = torch.tensor([bench.width, bench.height])
        corner = torch.rand(OBJECTS, 2) * extent / 2
        boxes = torch.cat([corner, corner + (0.1 + 0.4 * torch.rand(OBJECTS, 2)) * extent], dim=1)
        sample = DetDataSample(metainfo={**shapes, "scale_factor": (1.0, 1.0)})
        sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.arange(OBJECTS))
        sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4))
        samples.append(sample.to(bench.device))
    return samples


def _inference(model: BaseDetector, batch: int, bench: Bench) -> Callable[[], object]:
    images = torch.randn(batch, 3, bench.height, bench.width, device=bench.device)
    samples = _samples(batch, bench)

    @torch.inference_mode()
    def run() -> object:
        model.eval()
        return model(images, [sample.clone() for sample in samples], mode="predict")

    return run


def _training_step(
    model: BaseDetector, batch: int, bench: Bench, dtype: torch.dtype | None = None
) -> Callable[[], object]:
    images = torch.randn(batch, 3, bench.height, bench.width, device=bench.device)
    samples = _samples(batch, bench)

    def run() -> object:
        model.train().zero_grad()
        with torch.autocast(bench.device, dtype, enabled=dtype is not None):
            losses = model(images, [sample.clone() for sample in samples], mode="loss")
        loss, _ = model.parse_losses(losses)
        loss.backward()
        return float(loss.detach())

    return run


def _ratio(
    make: Callable[[BaseDetector, int, Bench], Callable[[], object]], batch: int
) -> Callable[[Bench], Measurement]:
    def measure(bench: Bench) -> Measurement:
        sides = {run: make(_model(run, bench.device), batch, bench) for run in (BASELINE, METHOD)}
        most = MOST_ROUNDS_ON_A_CPU if bench.device == "cpu" else bench.rounds
        few = replace(bench, rounds=min(bench.rounds, most))
        return time_ratio(few, METHOD, BASELINE, sides)

    return measure


def _bfloat16(bench: Bench) -> Measurement:
    """A step in bfloat16 beside one in float32; it has to give a loss that is a number."""
    model = _model(METHOD, bench.device)
    halves = _training_step(model, 2, bench, torch.bfloat16)
    loss = halves()
    if not loss == loss:
        raise NotMeasuredError("the loss in bfloat16 is no number")
    full = _training_step(model, 2, bench)
    return time_ratio(bench, "bfloat16", "float32", {"bfloat16": halves, "float32": full})


def counted_by_cuda(step: Callable[[], object], name: str) -> Measurement:
    """How often a step calls a function of CUDA's, or one whose name begins so.

    Args:
        step: The step, which is run once before.
        name: Of the function. Launches go by several names, ``cudaLaunchKernelExC`` among them.
    """
    from torch.profiler import ProfilerActivity, profile

    step()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        step()
    counts = [event.count for event in profiler.key_averages() if event.key.startswith(name)]
    return Measurement([float(sum(counts))])


def _counted(name: str) -> Callable[[Bench], Measurement]:
    """How often a training step at the paper's size calls a function of CUDA's."""
    return lambda bench: counted_by_cuda(
        _training_step(_model(METHOD, bench.device), 2, bench), name
    )


_SIZE = "R50-FPN, {shape}, random weights"

ROWS = (
    Row(
        "inference-1",
        f"inference, {_SIZE}, one image: TSD / sibling head",
        1.10,
        "×",
        _ratio(_inference, 1),
    ),
    Row(
        "inference-8",
        f"inference, {_SIZE}, eight images: TSD / sibling head",
        1.10,
        "×",
        _ratio(_inference, 8),
        ("cuda",),
    ),
    Row(
        "training-2",
        f"training step, {_SIZE}, two images: TSD / sibling head",
        1.13,
        "×",
        _ratio(_training_step, 2),
    ),
    Row(
        "training-bfloat16",
        f"training step of TSD, {_SIZE}, two images: bfloat16 / float32",
        None,
        "×",
        _bfloat16,
        ("cuda",),
    ),
    Row(
        "launches",
        f"kernels that a training step of TSD launches, {_SIZE}, two images",
        None,
        "launches",
        _counted("cudaLaunchKernel"),
        ("cuda",),
    ),
    Row(
        "synchronisations",
        f"times that a training step of TSD waits for the GPU, {_SIZE}, two images",
        None,
        "waits",
        _counted("cudaStreamSynchronize"),
        ("cuda",),
    ),
)

"""Speed of the method as ratios, each pair measured turn by turn in one process."""

import logging
import statistics
import time
from collections.abc import Callable

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.structures import InstanceData
from torchvision.ops import roi_align

import tsd.models  # noqa: F401 registers the method with mmdet
from tsd.experiments.settings import open_grid
from tsd.models.pooling import deformable_roi_pool

HEIGHT, WIDTH = 800, 1344
"""A COCO image after resizing (Section 3.1) and padding."""

BASELINE, METHOD = "r50", "tsd_pc"


def bench(rounds: int = 7) -> None:
    """Print each measurement as two medians and their ratio.

    Args:
        rounds: Timed calls of each side, after one for warming up.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    name = (
        torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    )
    print(f"on {device} ({name}), torch {torch.__version__}, medians of {rounds}")
    logging.disable(logging.INFO)  # a line for each weight that is initialised
    register_all_modules()
    models = {run: _model(run, device) for run in (BASELINE, METHOD)}
    _print_pair(
        f"inference, R50-FPN, {HEIGHT} × {WIDTH}, batch 1 (paper: × 1.10 on a V100); "
        "with random weights, so that class-wise NMS has nothing to suppress",
        {run: _inference(model, device) for run, model in models.items()},
        rounds,
    )
    _print_pair(
        "training step, the same shape, batch 1, 5 objects",
        {run: _training_step(model, device) for run, model in models.items()},
        max(rounds // 2, 3),
    )
    for backward in (False, True):
        _print_pair(
            "pooling 512 RoIs, 256 channels, 7 × 7, forward" + " and backward" * backward,
            _pooling(device, backward),
            rounds,
        )


def _model(run: str, device: str) -> BaseDetector:
    config = open_grid({"scale": "paper"}).jobs_of(run)[0].config.model
    config.backbone.init_cfg = None
    config.backbone.norm_cfg.type = "BN"
    torch.manual_seed(0)
    model = MODELS.build(config)
    model.init_weights()
    return model.to(device)


def _sample() -> DetDataSample:
    meta = {
        "img_shape": (HEIGHT, WIDTH),
        "ori_shape": (HEIGHT, WIDTH),
        "batch_input_shape": (HEIGHT, WIDTH),
        "pad_shape": (HEIGHT, WIDTH),
        "scale_factor": (1.0, 1.0),
    }
    corner = torch.rand(5, 2) * 400
    boxes = torch.cat([corner, corner + 30 + torch.rand(5, 2) * 300], dim=1)
    sample = DetDataSample(metainfo=meta)
    sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.arange(5))
    sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4))
    return sample


def _inference(model: BaseDetector, device: str) -> Callable[[], object]:
    image = torch.randn(1, 3, HEIGHT, WIDTH, device=device)
    sample = _sample().to(device)

    @torch.inference_mode()
    def run() -> object:
        model.eval()
        return model(image, [sample.clone()], mode="predict")

    return run


def _training_step(model: BaseDetector, device: str) -> Callable[[], object]:
    image = torch.randn(1, 3, HEIGHT, WIDTH, device=device)
    sample = _sample().to(device)

    def run() -> object:
        model.train().zero_grad()
        loss, _ = model.parse_losses(model(image, [sample.clone()], mode="loss"))
        return loss.backward()

    return run


def _pooling(device: str, backward: bool) -> dict[str, Callable[[], object]]:
    strides = (4, 8, 16, 32)
    generator = torch.Generator().manual_seed(0)
    features = [
        torch.randn(1, 256, HEIGHT // s, WIDTH // s, generator=generator).to(device)
        for s in strides
    ]
    corner = torch.rand(512, 2, generator=generator) * torch.tensor([WIDTH, HEIGHT]) * 0.7
    extent = 16 + torch.rand(512, 2, generator=generator) ** 3 * 400
    rois = torch.cat([torch.zeros(512, 1), corner, corner + extent], dim=1).to(device)
    offsets = torch.randn(512, 7, 7, 2, generator=generator).to(device)
    for tensor in (*features, offsets):
        tensor.requires_grad_(backward)

    def ours() -> object:
        pooled = deformable_roi_pool(features, rois, offsets, strides=strides)
        return pooled.sum().backward() if backward else pooled

    def torchvision_per_level() -> object:
        # Every level pools a share of the RoIs; torchvision has no offsets to learn.
        pooled = [
            roi_align(feature, rois[index::4], 7, 1 / stride, 2, aligned=True)
            for index, (feature, stride) in enumerate(zip(features, strides, strict=True))
        ]
        return torch.cat(pooled).sum().backward() if backward else pooled

    return {"torchvision roi_align": torchvision_per_level, "deformable_roi_pool": ours}


def _print_pair(title: str, sides: dict[str, Callable[[], object]], rounds: int) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, run in sides.items():
            elapsed = _timed(run)
            if turn:
                seconds[name].append(elapsed)
    (first, a), (second, b) = ((n, statistics.median(s)) for n, s in seconds.items())
    print(f"{title}\n  {first} {a * 1e3:.1f} ms, {second} {b * 1e3:.1f} ms: × {b / a:.2f}")


def _timed(run: Callable[[], object]) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    started = time.perf_counter()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started

"""A training step at the scale `mini`, whose time is that of starting work, not of doing it."""

from collections.abc import Callable, Mapping

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.optim import build_optim_wrapper
from mmengine.structures import InstanceData
from torch import nn

from tsd.bench.network import BASELINE, METHOD, counted_by_cuda
from tsd.bench.rows import Bench, Measurement, Row, time_ratio
from tsd.bench.step_counts import Counts, count_step
from tsd.experiments.settings import open_grid
from tsd.training.build import runtime_config

IMAGES, SIDE, OBJECTS = 4, 160, 5
"""A batch of `mini`: so many images, of so many pixels along each side, with so many objects."""


Losses = Mapping[str, torch.Tensor]


def small_step(
    run: str, device: str, wrap: Callable[[nn.Module, str], nn.Module] | None = None
) -> tuple[Callable[[], Losses], nn.Module]:
    """A whole training step of a run at `mini`, optimizer included, and its model.

    Args:
        run: Id of the run.
        device: ``cpu`` or ``cuda``.
        wrap: Puts the model into another one, given the device too.
    """
    config = runtime_config(open_grid({"scale": "mini"}).jobs_of(run)[0])
    torch.manual_seed(0)
    model = MODELS.build(config.model).to(device).train()
    if wrap is not None:
        model = wrap(model, device)
    optimizer = build_optim_wrapper(model, config.optim_wrapper)
    batch = made_batch()

    def step() -> Losses:
        inputs = {name: [*values] for name, values in batch.items()}
        inputs["data_samples"] = [sample.clone() for sample in inputs["data_samples"]]
        losses: Losses = model.train_step(inputs, optim_wrapper=optimizer)
        return losses

    return step, model


def made_batch() -> dict[str, list]:
    """Images of noise with objects anywhere, as a loader hands them to a model."""
    random = torch.Generator().manual_seed(0)
    images, samples = [], []
    for _ in range(IMAGES):
        images.append(torch.randint(0, 256, (3, SIDE, SIDE), dtype=torch.uint8, generator=random))
        corner = torch.rand(OBJECTS, 2, generator=random) * SIDE / 2
        size = 16 + torch.rand(OBJECTS, 2, generator=random) * SIDE / 3
        shapes = dict.fromkeys(("img_shape", "ori_shape"), (SIDE, SIDE))
        sample = DetDataSample(metainfo={**shapes, "scale_factor": (1.0, 1.0)})
        sample.gt_instances = InstanceData(
            bboxes=torch.cat([corner, corner + size], dim=1), labels=torch.arange(OBJECTS)
        )
        sample.ignored_instances = InstanceData(
            bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)
        )
        samples.append(sample)
    return {"inputs": images, "data_samples": samples}


def counts_of_step(run: str) -> Counts:
    """What a step of a run at `mini` asks of a GPU, counted on the CPU."""
    step, model = small_step(run, "cpu")
    step()
    return count_step(step, model)


def _launches(_bench: Bench) -> Measurement:
    return Measurement([float(sum(counts_of_step(METHOD).launches.values()))])


def _waits(_bench: Bench) -> Measurement:
    return Measurement([float(sum(counts_of_step(METHOD).waits.values()))])


def _times(bench: Bench) -> Measurement:
    sides = {run: small_step(run, bench.device)[0] for run in (BASELINE, METHOD)}
    return time_ratio(bench, METHOD, BASELINE, sides)


def _called(name: str) -> Callable[[Bench], Measurement]:
    return lambda bench: counted_by_cuda(small_step(METHOD, bench.device)[0], name)


_WHAT = f"a training step of TSD at mini, {IMAGES} images of {SIDE} × {SIDE}"

ROWS = (
    Row(
        "mini-step",
        f"{_WHAT}, optimizer included: TSD / sibling head",
        None,
        "×",
        _times,
    ),
    Row(
        "mini-operations",
        f"operations that {_WHAT} would start on a GPU, counted on the CPU with PyTorch's pooling",
        1700,
        "operations",
        _launches,
        ("cpu",),
    ),
    Row(
        "mini-waits",
        f"times that {_WHAT} would wait for a GPU, counted likewise",
        40,
        "waits",
        _waits,
        ("cpu",),
    ),
    Row(
        "mini-launches",
        f"kernels that {_WHAT} launches; they were 3,600",
        1800,
        "launches",
        _called("cudaLaunchKernel"),
        ("cuda",),
    ),
    Row(
        "mini-synchronisations",
        f"times that {_WHAT} waits for the GPU; they were 263",
        131,
        "waits",
        _called("cudaStreamSynchronize"),
        ("cuda",),
    ),
)

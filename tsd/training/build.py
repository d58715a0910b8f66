"""What a job's compiled config becomes when it is run."""

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from torch import nn

import tsd.models  # noqa: F401 registers the method with mmdet
from tsd.experiments.compile import dictionaries
from tsd.experiments.grid import Job

KEPT_CHECKPOINTS = 2

CHECKPOINTS_A_TRAINING = 10
"""Of a training counted in iterations; one counted in epochs saves after each."""


def runtime_config(job: Job) -> Config:
    """The compiled config with what only its execution needs: seed, folders, checkpoints."""
    register_all_modules()
    config = Config(job.config.to_dict(), format_python_code=False)  # yapf takes seconds
    config.work_dir = str(job.folder.work)
    config.randomness = {"seed": job.seed}
    by_epoch = config.train_cfg.type == "EpochBasedTrainLoop"
    config.log_processor.by_epoch = by_epoch
    config.default_hooks.checkpoint.update(
        by_epoch=by_epoch,
        interval=1 if by_epoch else max(1, config.train_cfg.max_iters // CHECKPOINTS_A_TRAINING),
        max_keep_ckpts=KEPT_CHECKPOINTS,
        save_last=True,
    )
    if not torch.cuda.is_available():
        for part in dictionaries(config.model):
            if part.get("type") == "SyncBN":
                part["type"] = "BN"
    return config


def build_model(job: Job) -> BaseDetector:
    """The job's model, its weights not initialised."""
    return MODELS.build(runtime_config(job).model)


def inference_parameters(model: nn.Module) -> int:
    """Parameters of the network that is evaluated: modules named ``training_only`` are left out."""
    left_out = {
        id(parameter)
        for module in model.modules()
        for name in getattr(module, "training_only", ())
        if getattr(module, name) is not None
        for parameter in getattr(module, name).parameters()
    }
    return sum(p.numel() for p in model.parameters() if id(p) not in left_out)

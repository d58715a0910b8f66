"""Training one job."""

import os
import socket
import time
from collections.abc import Callable
from typing import Any

import torch
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.runner import Runner, find_latest_checkpoint
from torch import nn

import tsd.models  # noqa: F401 registers the method with mmdet
from tsd import provenance
from tsd.experiments.compile import MODEL_VERSION, dictionaries
from tsd.experiments.grid import Job
from tsd.run_folder import read_json, update_status, write_json
from tsd.training import checkpoints  # noqa: F401 reads checkpoints as data from here on
from tsd.training.event_log import EventLogHook

KEPT_CHECKPOINTS = 2
CHECKPOINTS_A_TRAINING = 10
"""Of a training counted in iterations; one counted in epochs saves after each."""


def train(job: Job, tables: list[str], announce: Callable[[str], None]) -> None:
    """Train a job, from its last checkpoint where it was interrupted; write ``train.json``.

    Args:
        job: What to train.
        tables: Ids of the tables it feeds, for its tags.
        announce: Takes a line for the person who waits.
    """
    folder = job.folder
    started = time.time()
    earlier_attempts = (read_json(folder.status) or {}).get("attempts", 0)
    write_json(folder.config, job.config.to_dict())
    write_json(folder.card, _card(job, tables))
    update_status(
        folder,
        state="running",
        error=None,
        attempts=earlier_attempts + 1,
        pid=os.getpid(),
        host=socket.gethostname(),
    )

    runner = Runner.from_cfg(runtime_config(job))
    runner.register_hook(EventLogHook(folder, announce))
    latest = find_latest_checkpoint(str(folder.work))
    if latest is not None:
        runner.resume(latest)
        runner._resume = False  # already done, in order to say what is resumed
    model = runner.train()

    torch.save({"state_dict": model.state_dict()}, folder.weights)
    head, dirty = provenance.commit()
    write_json(
        folder.train,
        {
            "key": job.key,
            "run": job.run.id,
            "digest": job.digest,
            "seed": job.seed,
            "iterations": runner.iter,
            "attempts": earlier_attempts + 1,
            "seconds_last_attempt": round(time.time() - started, 1),
            "parameters": inference_parameters(model),
            "model_version": MODEL_VERSION,
            "commit": head,
            "dirty": dirty,
            "versions": provenance.versions(),
            "machine": provenance.machine(),
            "device": str(next(model.parameters()).device),
            "threads": torch.get_num_threads(),
        },
    )
    update_status(folder, state="done", seconds_left=0)


def runtime_config(job: Job) -> Config:
    """The compiled config with what only the execution needs: seed, folders, imports, log."""
    register_all_modules()
    config = Config(job.config.to_dict(), format_python_code=False)
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
    config.default_hooks.logger.update(interval=50)
    if not torch.cuda.is_available():
        for part in dictionaries(config.model):
            if part.get("type") == "SyncBN":
                part["type"] = "BN"
    return config


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


def _card(job: Job, tables: list[str]) -> dict[str, Any]:
    head, dirty = provenance.commit()
    return {
        "key": job.key,
        "name": f"{job.run.id} · seed {job.seed}",
        "experiment": f"tsd-{job.key.split('/')[0]}",
        "params": {"base": job.run.base, **job.run.set},
        "tags": {
            "run": job.run.id,
            "why": job.run.why,
            "scale": job.scale.id,
            "dataset": job.dataset.id,
            "seed": str(job.seed),
            "digest": job.digest,
            "tables": " ".join(tables),
            "git_commit": head or "unknown",
            "git_dirty": str(dirty).lower(),
            "model_version": str(MODEL_VERSION),
        },
    }

"""Training one job."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.runner import Runner, find_latest_checkpoint

from tsd import provenance
from tsd.experiments.compile import MODEL_VERSION
from tsd.experiments.grid import Job
from tsd.run_folder import read_json, update_status, write_json
from tsd.training import checkpoints  # noqa: F401 reads checkpoints as data from here on
from tsd.training.build import inference_parameters, runtime_config
from tsd.training.event_log import EventLogHook


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
    for outcome in (folder.train, folder.detect, folder.metrics, folder.tracking):
        outcome.unlink(missing_ok=True)
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

    config = runtime_config(job)
    config.test_dataloader = None  # mmengine wants a test loop with it; inference is another step
    latest = find_latest_checkpoint(str(folder.work))
    if latest is not None:
        # By name: mmengine notes an absolute path, which is wrong once the folder has moved.
        config.load_from, config.resume = str(folder.work / Path(latest).name), True
    runner = Runner.from_cfg(config)
    runner.register_hook(EventLogHook(folder, announce))
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

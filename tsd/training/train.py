"""Training one job."""

import contextlib
import getpass
import os
import resource
import shlex
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmdet.models.detectors import BaseDetector
from mmengine.dist import broadcast_object_list, is_distributed, is_main_process
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from tsd import provenance
from tsd.event_file import check_order, read_steps
from tsd.experiments.card import Place, card_of
from tsd.experiments.compile import MODEL_VERSION
from tsd.experiments.job import Job
from tsd.experiments.schedule import check_schedule
from tsd.liveness import named_workflow, this_process
from tsd.results.records import TrainRecord
from tsd.results.status import read_status
from tsd.run_folder import update_status, write_json
from tsd.training.build import inference_parameters, runtime_config
from tsd.training.checkpoint_hook import CheckpointHook, checkpoints, newest_sound_checkpoint
from tsd.training.computation import prepare_for_computation, require_possible
from tsd.training.data_order import make_resumable
from tsd.training.event_log import EventLogHook
from tsd.training.finished import finished_training, keep_record, recorded_training, sha256
from tsd.training.folder_lock import alone_in
from tsd.training.interruption import Interruption
from tsd.training.label_order_hook import LabelOrderHook
from tsd.training.milestone_hook import MilestoneHook, write_weights


def train(
    job: Job,
    places: Sequence[Place],
    announce: Callable[[str], None],
    interruption: Interruption | None = None,
) -> None:
    """Train a job and write its weights, ``trained.json`` and ``train.json``.

    If the job was interrupted before, its training goes on from its last checkpoint. If it has
    ended and its weights are sound, nothing is trained and nothing that was measured is touched. If
    several processes train the job together, each of them calls this, and the first one writes the
    files.

    Args:
        job: The job to train.
        places: Rows of tables and series of figures that show the job's run, for its card.
        announce: Called with lines that tell a waiting person how far it is.
        interruption: Asked whether to end early. By default the training never does.

    Raises:
        LabelOrderError: If the last checkpoint has its labels in another order than the declared
            classes, since an earlier version of this project wrote it.
        InterruptedTrainingError: If the training had to end early. The next call continues it.
        NonFiniteLossError: If a loss became infinite or NaN.
        DeclarationError: If the schedule does not fit a training on this many images.
        FolderInUseError: If another process trains in the job's folder, which is left as it is.
        DisorderedEventsError: If two trainings wrote to the folder, so that it is not known what
            its checkpoints are.
    """
    with contextlib.ExitStack() as meanwhile:
        if is_main_process():
            meanwhile.enter_context(alone_in(job.folder, announce))
        _train(job, places, announce, interruption or Interruption())


def _train(
    job: Job,
    places: Sequence[Place],
    announce: Callable[[str], None],
    interruption: Interruption,
) -> None:
    folder = job.folder
    started = time.time()
    attempts = read_status(folder).get("attempts", 0) + 1
    earlier: TrainRecord | None = None
    choice: list[Any] = [False, None]
    if is_main_process():
        choice[0] = finished_training(job, announce) is not None
        if choice[0]:
            _confirm(job, announce)
        else:
            if checkpoints(folder.work):
                check_order(folder.events, read_steps(folder.events))
            earlier = recorded_training(job)
            begin(job, places, attempts)
            choice[1] = newest_sound_checkpoint(folder.work, announce)
    broadcast_object_list(choice)
    has_ended, latest = choice
    if has_ended:
        return

    config = runtime_config(job)
    require_possible(config, job.scale.origin)
    make_resumable(config.train_cfg, config.train_dataloader, job.seed)
    config.test_dataloader = None  # mmengine would require a test loop; inference is another step
    if latest is not None:
        config.load_from, config.resume = str(latest), True
    config.launcher = "pytorch" if is_distributed() else "none"
    runner = Runner.from_cfg(config)
    prepare_for_computation(
        runner.model.module if is_model_wrapper(runner.model) else runner.model, config
    )
    _check_schedule(job, len(runner.train_loop.dataloader), announce)
    event_log = EventLogHook(folder, announce)
    runner.register_hook(event_log)
    runner.register_hook(CheckpointHook(folder.work, event_log, interruption, announce))
    runner.register_hook(MilestoneHook(folder, job.scale.milestones, announce))
    runner.register_hook(LabelOrderHook(job.dataset, folder.path))
    model = runner.train()
    if not is_main_process():
        return

    model = model.module if is_model_wrapper(model) else model
    write_weights(model, folder.weights)
    record = _record(job, runner, model, attempts, started, event_log.images_per_second(runner))
    made_none = record.throughput is None
    if earlier is not None and made_none and earlier.weights_sha256 == record.weights_sha256:
        record = earlier  # the last checkpoint gave back weights that were damaged or deleted
    record.write(folder.trained)
    keep_record(job)
    update_status(folder, state="done", seconds_left=0)
    for spent in checkpoints(folder.work)[:-1]:
        spent.unlink()


def _confirm(job: Job, announce: Callable[[str], None]) -> None:
    """Say that a training has ended, and complete what a process that was killed did not write."""
    keep_record(job)
    if read_status(job.folder).get("state") in ("running", "interrupted"):
        update_status(job.folder, state="done", seconds_left=0)
    announce(f"was trained before, as {job.folder.train} says: there is nothing to train")


def _check_schedule(job: Job, epoch_length: int, announce: Callable[[str], None]) -> None:
    """Check what of the schedule depends on the data, which the check before did without."""
    known = check_schedule(job.config, job.run.origin)
    for remark in check_schedule(job.config, job.run.origin, epoch_length):
        if is_main_process() and remark not in known:
            announce(remark)


def begin(job: Job, places: Sequence[Place], attempts: int) -> None:
    """Write down in a job's folder what it is and that it runs; nothing older stays there.

    Args:
        job: The job.
        places: Those that show its run.
        attempts: How often it has been tried, this time included.
    """
    folder = job.folder
    for outcome in (
        folder.trained,
        folder.train,
        folder.detect,
        folder.metrics,
        folder.per_class,
        folder.milestones,
        folder.resamples,
        folder.tracking,
    ):
        outcome.unlink(missing_ok=True)
    write_json(folder.config, job.config.to_dict())
    _write_card(job, places)
    update_status(
        folder,
        state="running",
        error=None,
        permanent=None,
        attempts=attempts,
        **this_process(),
        since=time.time(),
        workflow=named_workflow(),
        scheduler_job=os.environ.get("SLURM_JOB_ID"),
    )


def _record(
    job: Job,
    runner: Runner,
    model: BaseDetector,
    attempts: int,
    started: float,
    images_per_second: float | None,
) -> TrainRecord:
    """What is to be known of a training that has just ended."""
    folder = job.folder
    head, dirty = provenance.commit()
    status = read_status(folder)
    return TrainRecord(
        key=job.key,
        run=job.run.id,
        digest=job.digest,
        seed=job.seed,
        iterations=runner.iter,
        attempts=attempts,
        seconds_last_attempt=round(time.time() - started, 1),
        seconds=status.get("seconds"),
        throughput=images_per_second,
        peak_memory_mib=_peak_memory_mib(),
        parameters=inference_parameters(model),
        model_version=MODEL_VERSION,
        commit=head,
        dirty=dirty,
        versions=provenance.versions(),
        machine=provenance.machine(),
        device=str(next(model.parameters()).device),
        threads=torch.get_num_threads(),
        processes=runner.world_size,
        batch=runner.world_size * runner.cfg.train_dataloader.batch_size,
        weights_sha256=sha256(folder.weights),
        classes=job.dataset.classes,
    )


def _peak_memory_mib() -> float:
    """The most memory that this process has held: of the GPU where it has one, else its own."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10  # KiB on Linux


def _write_card(job: Job, places: Sequence[Place]) -> None:
    """Write what the training says of itself, and what only its own process knows."""
    head, dirty = provenance.commit()
    card = card_of(job, places)
    card["tags"] |= {
        "git_commit": head or "unknown",
        "git_dirty": str(dirty).lower(),
        "model_version": str(MODEL_VERSION),
        "mlflow.source.name": f"python -m tsd train {shlex.join(job.command_line_options)}",
        "mlflow.source.type": "JOB" if os.environ.get("SLURM_JOB_ID") else "LOCAL",
        "mlflow.source.git.commit": head or "unknown",
        "mlflow.user": getpass.getuser(),
    }
    write_json(job.folder.card, card)

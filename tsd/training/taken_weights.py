"""Weights from a file in place of a training: those of the authors' release."""

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from tsd import provenance
from tsd.experiments.card import Place
from tsd.experiments.compile import MODEL_VERSION
from tsd.experiments.job import Job
from tsd.results.records import TakenWeights, TrainRecord
from tsd.run_folder import replace_durably, update_status
from tsd.training.build import build_model, inference_parameters
from tsd.training.checkpoints import WeightsError
from tsd.training.finished import finished_training, keep_record, sha256
from tsd.training.folder_lock import alone_in
from tsd.training.released_checkpoint import converted
from tsd.training.train import begin

SAYS = ("epoch", "iter", "mmdet_version")
"""What of a file's own description goes into the record of a run."""

SHOWN = 3
"""Tensors that an error names."""


def take_weights(job: Job, places: Sequence[Place], announce: Callable[[str], None]) -> None:
    """Write the weights, ``trained.json`` and ``train.json`` of a job that is not trained.

    If they are there already, nothing is done.

    Args:
        job: A job with a checkpoint.
        places: Rows of tables and series of figures that show the job's run, for its card.
        announce: Called with a line that tells a waiting person what is done.

    Raises:
        WeightsError: If the file is none of the authors' release, or holds another kind of detector
            than the run is, or classes that are not those of the data set.
        FolderInUseError: If another process writes to the job's folder.
    """
    if job.checkpoint is None:
        raise ValueError(f"run {job.run.id} is trained")
    folder = job.folder
    with alone_in(folder, announce):
        if finished_training(job, announce) is not None:
            keep_record(job)
            announce(f"has its weights from {job.checkpoint.name} already")
            return
        started = time.time()
        begin(job, places, attempts=1)
        content = converted(job.checkpoint)
        meta = content["meta"]
        _check_classes(job, meta["classes"])
        model = build_model(job)
        _check_fit(job, model, content["state_dict"], meta["detector"])
        partial = folder.weights.with_name(f".{folder.weights.name}")
        torch.save({"state_dict": content["state_dict"]}, partial)
        replace_durably(partial, folder.weights)
        head, dirty = provenance.commit()
        record = TrainRecord(
            key=job.key,
            run=job.run.id,
            digest=job.digest,
            seed=job.seed,
            iterations=0,
            attempts=1,
            seconds_last_attempt=round(time.time() - started, 1),
            throughput=None,
            parameters=inference_parameters(model),
            model_version=MODEL_VERSION,
            commit=head,
            dirty=dirty,
            versions=provenance.versions(),
            machine=provenance.machine(),
            device="cpu",
            threads=torch.get_num_threads(),
            weights_sha256=sha256(folder.weights),
            classes=job.dataset.classes,
            taken_from=TakenWeights(
                file=job.checkpoint.name,
                sha256=meta["source_sha256"],
                detector=meta["detector"],
                says={
                    name: str(meta["released"][name]) for name in SAYS if name in meta["released"]
                },
            ),
        )
        record.write(folder.trained)
        keep_record(job)
        update_status(folder, state="done", seconds_left=0)
    announce(f"is not trained: its weights are those of {record.taken_from}")


def _check_classes(job: Job, names: list[str] | None) -> None:
    """See that the labels of the file are numbered as those of the data set."""
    if names is not None and names != job.dataset.classes:
        raise WeightsError(
            f"{job.checkpoint} has other classes than the data set {job.dataset.id}, or in another "
            f"order: it begins with {', '.join(names[:SHOWN])}, and the data set with "
            f"{', '.join(job.dataset.classes[:SHOWN])}"
        )


def _check_fit(job: Job, model: nn.Module, state: dict[str, Tensor], detector: str) -> None:
    """See that the file holds the detector that the run is."""
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    differing = [name for name in {**wanted, **found} if wanted.get(name) != found.get(name)]
    if differing:
        raise WeightsError(
            f"{job.checkpoint} holds a {detector}, and the run {job.run.id} is another detector "
            f"({job.run.base}): {len(differing)} tensors differ, such as "
            f"{', '.join(differing[:SHOWN])}. Give each file to the run that it is for, as in "
            "checkpoint=released_mask_r50=mask.pth"
        )

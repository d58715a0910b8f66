"""What the logs of SLURM jobs tell of a training that has written nothing itself yet."""

from pathlib import Path

from tsd.experiments.job import Job

FOLDER = "slurm-logs"
"""The folder below the results in which ``profiles/slurm`` has SLURM write its jobs' logs."""


def log_folder(job: Job) -> Path:
    """The folder of the logs of a training's SLURM jobs, as Snakemake's executor names it.

    Args:
        job: The training; it is compiled.
    """
    return job.results / FOLDER / "rule_train" / job.key.replace("/", "_")


def is_queued(job: Job) -> bool:
    """Whether a training was submitted to SLURM and none of its SLURM jobs has started yet.

    The executor makes the folder of the logs when it submits a job, SLURM writes the log when it
    starts the job, and Snakemake removes empty folders when it ends. A Snakemake that was killed
    leaves them, so that this says what was submitted, and not what is in the queue at present.
    Trainings that share a SLURM job have no folder of their own and are not told.

    Args:
        job: The training; it is compiled.
    """
    folder = log_folder(job)
    return folder.is_dir() and not any(folder.glob("*.log"))

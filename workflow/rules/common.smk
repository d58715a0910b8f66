# What the rules share: the grid that the settings name, and functions of wildcards.

import shlex

from snakemake.exceptions import WorkflowError

from tsd.experiments.grid import open_grid
from tsd.experiments.load import DeclarationError
from tsd.data.version import GENERATOR_VERSION
from tsd.tracking.uri import redact, tracking_uri

try:
    GRID = open_grid(config)
except DeclarationError as error:
    raise WorkflowError(str(error)) from error

JOBS = {job.key: job for job in GRID.jobs}
GRID_OPTIONS = shlex.join(GRID.command_line_options)
DATA_FILES = GRID.dataset_files()
LOGS = f"results/{GRID.name}/logs"
REPORT = str(GRID.report_folder)


def job_options(wildcards):
    """Options of `python -m tsd` that name one job, quoted for the shell."""
    if wildcards.key not in JOBS:
        raise WorkflowError(
            f"no declared run has the results folder results/{wildcards.key}"
        )
    return shlex.join(JOBS[wildcards.key].command_line_options)


def finished(jobs):
    """The files that say that jobs are trained, evaluated and tracked."""
    return [
        f"results/{job.key}/{name}"
        for job in jobs
        for name in ("metrics.json", "tracking.json")
    ]

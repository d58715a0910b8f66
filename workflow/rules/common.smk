# What the rules share: the grid that the settings name, and functions of wildcards.

import shlex

from snakemake.exceptions import WorkflowError

from tsd.experiments.grid import dataset_files, open_grid
from tsd.experiments.load import DeclarationError
from tsd.data.version import GENERATOR_VERSION
from tsd.tracking.uri import redact, tracking_uri

try:
    GRID = open_grid(config)
except DeclarationError as error:
    raise WorkflowError(str(error)) from error

JOBS = {job.key: job for job in GRID.jobs}
GRID_OPTIONS = shlex.join(GRID.command_line_options)
DATASETS = GRID.datasets
LOGS = f"results/{GRID.name}/logs"
REPORT = str(GRID.report_folder)


def job_options(wildcards):
    """Options of `python -m tsd` that name one job, quoted for the shell."""
    if wildcards.key not in JOBS:
        raise WorkflowError(
            f"no declared run has the results folder results/{wildcards.key}"
        )
    return shlex.join(JOBS[wildcards.key].command_line_options)


def checked_data(wildcards):
    """The file that says that a job's data set is sound."""
    return f"results/{GRID.name}/datasets/{JOBS[wildcards.key].dataset.id}.json"

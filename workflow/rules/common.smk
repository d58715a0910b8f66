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

GRID_OPTIONS = shlex.join(GRID.command_line_options)
DATASETS = GRID.datasets
COCO = "data/coco"
LOGS = f"results/{GRID.name}/logs"
REPORT = str(GRID.report_folder)


def unpacked(*names):
    """The records which say that archives of COCO's are unpacked."""
    return [f"{COCO}/archives/{name}.json" for name in names]


def job_at(wildcards):
    """The job whose results folder a rule writes to."""
    try:
        return GRID.job_at(wildcards.key)
    except DeclarationError as error:
        raise WorkflowError(str(error)) from error


def job_options(wildcards):
    """Options of `python -m tsd` that name one job, quoted for the shell."""
    return shlex.join(job_at(wildcards).command_line_options)


def checked_data(wildcards):
    """The file that says that a job's data set is sound."""
    return f"results/{GRID.name}/datasets/{job_at(wildcards).dataset.id}.json"

"""Data that several tests share, the order of the files, and signals as a terminal has them."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tests.warm.start import steps_start_at_once
from tsd.data.embedded import EmbeddedSpec, make_embedded
from tsd.experiments.grid import Grid
from tsd.experiments.settings import open_grid

# What cuBLAS needs to be deterministic, which PyTorch reads once in a process. Without a GPU it is
# of no meaning.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

LONGEST = (
    "slurm/test_faults.py",
    "training/test_every_run.py",
    "slurm/test_workflow_on_slurm.py",
    "workflow/test_workflow.py",
    "training/test_resume.py",
    "workflow/test_own_data.py",
    "slurm/test_several_processes.py",
    "slurm/test_interrupted_on_slurm.py",
    "cli/test_environment.py",
    "training/test_paper_scale.py",
    "training/test_folder_lock.py",
    "workflow/test_killed_snakemake.py",
    "workflow/test_finished_training.py",
    "workflow/test_impossible_run.py",
    "workflow/test_released.py",
    "workflow/test_gpus.py",
    "workflow/test_milestones.py",
    "workflow/test_looks.py",
    "tracking/test_faults.py",
    "models/test_pooling_kernels.py",
    "bench/test_bench.py",
)
"""Files that take minutes. They come first, so that at the end no process has one to do alone."""


def pytest_collection_modifyitems(items):
    """Put the longest files first; the tests of a file stay together, in their order."""
    here = Path(__file__).parent
    place = {here / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(LONGEST)))


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_works():
    """Let Ctrl-C reach the tests and what they start, whatever the suite was started by.

    A shell has what it runs in the background ignore it, and so would all processes below.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def warm():
    """Have the commands of a project find a `python` that has imported what the steps import."""
    with steps_start_at_once():
        yield


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory) -> Path:
    """The root of a tiny embedded data set."""
    root = tmp_path_factory.mktemp("data") / "embedded-tiny"
    make_embedded(root, EmbeddedSpec(train_images=8, val_images=4))
    return root


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory) -> Path:
    """An MLflow database with nothing in it, to be copied: to create one takes seconds."""
    from tsd.tracking.store import prepare_store

    path = tmp_path_factory.mktemp("empty-store") / "mlflow.db"
    prepare_store(f"sqlite:///{path}", [])
    return path


@pytest.fixture
def smoke_grid(tiny_data, tmp_path) -> Grid:
    """The smoke scale on the tiny data set, with results of its own."""
    return _smoke_grid(tiny_data, tmp_path / "results")


@pytest.fixture(scope="module")
def smoke_grid_for_module(tiny_data, tmp_path_factory) -> Grid:
    """The same, its results shared by the tests of a module."""
    return _smoke_grid(tiny_data, tmp_path_factory.mktemp("results"))


def _smoke_grid(data: Path, results: Path) -> Grid:
    grid = open_grid({"scale": "smoke"}, results)
    dataset = grid.dataset.model_copy(update={"root": str(data)})
    return replace(grid, dataset=dataset)

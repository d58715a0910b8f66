"""Data that several tests share."""

from dataclasses import replace
from pathlib import Path

import pytest

from tsd.data.embedded import EmbeddedSpec, make_embedded
from tsd.experiments.grid import Grid
from tsd.experiments.settings import open_grid


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory) -> Path:
    """The root of a tiny embedded data set."""
    root = tmp_path_factory.mktemp("data") / "embedded-tiny"
    make_embedded(root, EmbeddedSpec(train_images=8, val_images=4))
    return root


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

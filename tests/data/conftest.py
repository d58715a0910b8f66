"""Open Images' data that several tests share."""

import os
from pathlib import Path

import pytest

from tests.data.openimages_example import write_raw
from tsd.data.openimages_prepare import prepare, read_classes


@pytest.fixture
def raw(tmp_path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    return write_raw(folder)


@pytest.fixture
def prepared(raw, tmp_path) -> Path:
    prepare(raw, tmp_path / "annotations")
    return tmp_path / "annotations"


@pytest.fixture(scope="module")
def published() -> Path:
    folder = os.environ.get("TSD_TEST_DATA")
    if folder is None:
        pytest.skip("TSD_TEST_DATA is not set: no class files of the challenge")
    return Path(folder) / "openimages"


@pytest.fixture(scope="module")
def classes(published) -> dict[str, str]:
    return read_classes(published / "oid-challenge-2019-classes-description-500.csv")

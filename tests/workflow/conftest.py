"""Steps of the workflow that start at once, for tests that start dozens of them."""

import os
import tempfile
from pathlib import Path

import pytest

from tests.projects import WARM_VARIABLE
from tests.warm.start import warm_python


@pytest.fixture(scope="session", autouse=True)
def steps_start_at_once():
    """Have ``tests.projects.run`` find a `python` that has imported what the steps import."""
    # Not pytest's own folder, as the path of a socket has to be short.
    with tempfile.TemporaryDirectory() as folder, warm_python(Path(folder)) as environment:
        os.environ[WARM_VARIABLE] = str(environment)
        yield
        del os.environ[WARM_VARIABLE]

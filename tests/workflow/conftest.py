"""Steps of the workflow start at once, for tests that start dozens of them."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def steps_start_at_once(warm):
    """Have ``tests.projects.run`` find a `python` that has imported what the steps import."""

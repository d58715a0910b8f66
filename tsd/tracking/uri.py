"""Tracking URIs: which are taken, where artifacts go, what may be shown of one."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url


def tracking_uri() -> str:
    """MLflow's store: ``MLFLOW_TRACKING_URI``, or a SQLite file where the workflow runs."""
    return os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"


def is_folder(uri: str) -> bool:
    """Whether a URI names a folder of files, a kind of store that MLflow has given up."""
    return urlsplit(uri).scheme in ("", "file")


SERVED = "mlflow-artifacts"
"""Scheme of artifacts that a server hands out; where they lie, it alone knows."""


def artifact_location(uri: str) -> str | None:
    """Where a new experiment has its artifacts; None leaves the place to the store.

    Beside an SQLite file they are in the folder ``mlartifacts``. The store is given no path of it,
    which would no longer be right when the project is moved, but a name that the server of
    ``python -m tsd ui`` looks up there.
    """
    return f"{SERVED}:/" if uri.startswith("sqlite") else None


def local_artifacts(uri: str) -> Path | None:
    """The folder of all artifacts beside an SQLite file; None with another store."""
    if not uri.startswith("sqlite"):
        return None
    return Path(make_url(uri).database or "").absolute().parent / "mlartifacts"


def artifact_folder(uri: str, artifacts: str) -> Path | None:
    """The folder of a run's artifacts where this process can write there itself.

    Args:
        uri: The store.
        artifacts: What the store says of where the run's artifacts are.

    Returns:
        None where MLflow has to be asked to store them.
    """
    root = local_artifacts(uri)
    place = urlsplit(artifacts)
    if root is None or place.scheme != SERVED:
        return None
    return root / place.path.lstrip("/")


def redact(uri: str) -> str:
    """A URI without user, password and query, each of which may hold a secret."""
    return "".join(_divide(uri)[::2])


def scrub(text: str, uri: str) -> str:
    """A text without what ``redact`` leaves out of a URI, nor the password alone."""
    _, user, _, query = _divide(uri)
    for secret in (user.rstrip("@"), user.rstrip("@").partition(":")[2], query.lstrip("?")):
        if secret:
            text = text.replace(secret, "***")
    return text


def _divide(uri: str) -> tuple[str, str, str, str]:
    """Scheme with ``://``, user and password with ``@``, host and path, query with ``?``."""
    scheme, slashes, rest = uri.partition("://")
    if scheme.startswith("sqlite"):
        return scheme + slashes, "", rest, ""
    user, at, place = rest.rpartition("@")
    place, mark, query = place.partition("?")
    return scheme + slashes, user + at, place, mark + query

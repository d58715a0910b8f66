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


def artifact_location(uri: str) -> str | None:
    """URI of ``mlartifacts`` beside an SQLite file; None leaves the place to the store."""
    if not uri.startswith("sqlite"):
        return None
    database = Path(make_url(uri).database or "")
    return (database.absolute().parent / "mlartifacts").as_uri()


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

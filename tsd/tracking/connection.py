"""One way to MLflow's store: its errors, and what is tried again because others were in the way."""

import os
import shlex
import time
from collections.abc import Callable
from typing import TypeVar

# mlflow reads them: jobs run on nodes without a way out, and a server that is away or does not
# answer is tried again by the next sync rather than for minutes by this one.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

from mlflow import MlflowClient
from mlflow.entities import LifecycleStage
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from tsd.tracking.run_files import TrackingError
from tsd.tracking.uri import artifact_location, is_folder, redact, scrub

RETRY_DELAYS_S = (0.2, 0.4, 0.8, 1.6, 3.2)

STORE_ERRORS = (MlflowException, SQLAlchemyError, OSError, ImportError)

T = TypeVar("T")


def use_store(uri: str, action: Callable[[MlflowClient], T]) -> T:
    """The outcome of an idempotent action, begun again when other processes are in its way."""
    if is_folder(uri):
        raise TrackingError(f"{uri!r}: give a database or a server, as in sqlite:///mlflow.db")
    delays = iter(RETRY_DELAYS_S)
    while True:
        try:
            return action(MlflowClient(tracking_uri=uri, registry_uri=uri))
        except STORE_ERRORS as error:
            if not may_pass(error) or (delay := next(delays, None)) is None:
                # Not chained: the cause may hold the credentials.
                raise TrackingError(f"{redact(uri)}: {scrub(str(error), uri)}") from None
            time.sleep(delay)


def may_pass(error: Exception) -> bool:
    """Whether another process was in the way."""
    lost_race = getattr(error, "error_code", None) == "RESOURCE_ALREADY_EXISTS"
    return lost_race or "database is locked" in str(error)


def open_experiment(client: MlflowClient, name: str) -> str:
    """The id of an experiment, which is created if it does not exist.

    Raises:
        TrackingError: It was deleted. MLflow keeps its name taken and takes nothing for it.
    """
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        return client.create_experiment(name, artifact_location(client.tracking_uri))
    if experiment.lifecycle_stage != LifecycleStage.ACTIVE:
        raise TrackingError(_deleted(name, experiment.experiment_id, client.tracking_uri))
    return experiment.experiment_id


def _deleted(name: str, experiment_id: str, uri: str) -> str:
    """What to do about an experiment that was deleted; the deletion may have been meant."""
    shown = redact(uri)
    # Who gave a URI with credentials has it in the environment, where mlflow finds it too.
    store = f"MLFLOW_TRACKING_URI={shlex.quote(shown)} " if shown == uri else ""
    restore = f"{store}mlflow experiments restore --experiment-id {experiment_id}"
    purge = f"mlflow gc --backend-store-uri {shlex.quote(shown)} --experiment-ids {experiment_id}"
    return (
        f"{shown}: the experiment {name!r} was deleted in MLflow, which keeps it and its name "
        f"until it is purged. Bring it back with `{restore}`, or remove it for good with "
        f"`{store}{purge}`"
    )

"""MLflow's server with users, a database and artifacts of its own, in one folder.

The server listens on loopback, asks for a name and a password, keeps runs in PostgreSQL or in an
SQLite file, and takes and hands out artifacts itself, so that clients need nothing but its address.
Name and password of its administrator come from the environment and are written to no file; the
database keeps a hash of the password.
"""

import configparser
import contextlib
import importlib.util
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout

from tsd.tracking.postgres import Postgres, PostgresError

NAME_VARIABLE, PASSWORD_VARIABLE = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
"""Where clients of MLflow, the workflow among them, have their name and password from."""

SHORTEST_PASSWORD = 12
"""Characters that MLflow demands."""

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Jobs are about language models; their runner is eight processes more.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}
"""What an MLflow server reads that is to do no more than keep and show runs."""

SECONDS_TO_END = 20


class ServerError(RuntimeError):
    """The server cannot be started; the message says what to do."""


@dataclass(frozen=True)
class ServerSettings:
    """How a server is started.

    Args:
        folder: Everything that it keeps lies here.
        host: It listens on this address.
        port: And on this port.
        database: ``postgresql`` or ``sqlite``.
        workers: Processes that answer; each takes half a GB.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = 5000
    database: str = "postgresql"
    workers: int = 2

    @property
    def address(self) -> str:
        """What ``MLFLOW_TRACKING_URI`` is set to."""
        return f"http://{self.host}:{self.port}"


def serve(settings: ServerSettings) -> int:
    """Run a server until it ends or this process is told to end; its database ends with it.

    Args:
        settings: How.

    Returns:
        Exit status; 0 where this process was told to end.

    Raises:
        ServerError: The server cannot be started; says what to do.
    """
    name, password = _credentials(os.environ)
    _require_packages(settings.database)
    folder = settings.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder), _database(settings.database, folder) as (runs, users):
        artifacts = folder / "artifacts"
        artifacts.mkdir(mode=0o700, exist_ok=True)
        command = [
            "mlflow",
            "server",
            "--app-name=basic-auth",
            f"--host={settings.host}",
            f"--port={settings.port}",
            f"--workers={settings.workers}",
            f"--artifacts-destination={artifacts}",
        ]
        environment = {
            **os.environ,
            "MLFLOW_BACKEND_STORE_URI": runs,
            "MLFLOW_AUTH_CONFIG_PATH": str(_write_config(folder, users)),
            "MLFLOW_AUTH_ADMIN_USERNAME": name,
            "MLFLOW_AUTH_ADMIN_PASSWORD": password,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(),
            **QUIET,
        }
        environment.pop("MLFLOW_TRACKING_URI", None)  # the server itself is no client
        return _run_until_told(command, environment, folder)


def _credentials(environment: Mapping[str, str]) -> tuple[str, str]:
    """Name and password of the administrator.

    Raises:
        ServerError: They are not set, or MLflow would refuse them.
    """
    name = environment.get(NAME_VARIABLE, "")
    password = environment.get(PASSWORD_VARIABLE, "")
    if not name or not password:
        raise ServerError(
            f"the server asks for a name and a password: set {NAME_VARIABLE} and "
            f"{PASSWORD_VARIABLE} in the environment, for the server and for those who use it"
        )
    if len(password) < SHORTEST_PASSWORD:
        raise ServerError(
            f"the password in {PASSWORD_VARIABLE} has fewer than {SHORTEST_PASSWORD} characters"
        )
    return name, password


def _require_packages(database: str) -> None:
    """See that what MLflow itself does not bring is installed.

    Raises:
        ServerError: It is not.
    """
    wanted = ["flask_wtf", *(["psycopg2"] if database == "postgresql" else [])]
    missing = [name for name in wanted if importlib.util.find_spec(name) is None]
    if missing:
        raise ServerError(
            f"the server needs {' and '.join(missing)}: `make server` installs what it needs, as "
            "does `pip install --require-hashes --no-deps -r requirements/server.txt`"
        )


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep a second server out of a folder, which would end the first one's database.

    Raises:
        ServerError: Another server is there.
    """
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ServerError(f"{folder}: another server runs in this folder") from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _database(kind: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Have a database at hand; yields the addresses of the runs' and of the users'.

    Raises:
        ServerError: PostgreSQL cannot be used.
    """
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'mlflow.db'}", f"sqlite:///{folder / 'users.db'}"
        return
    try:
        postgres = Postgres(folder / "postgres")
        postgres.start()
        postgres.create_databases("mlflow", "users")
    except PostgresError as error:
        raise ServerError(str(error)) from error
    try:
        yield postgres.uri("mlflow"), postgres.uri("users")
    finally:
        postgres.stop()


def _write_config(folder: Path, users: str) -> Path:
    """Write what MLflow reads of its users; there is no secret in it."""
    config = configparser.ConfigParser()
    config["mlflow"] = {
        "database_uri": users.replace("%", "%%"),
        "default_permission": "READ",
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
        # A password is hashed once a minute and not with each of the many small requests.
        "auth_cache_ttl_seconds": "60",
    }
    path = folder / "basic_auth.ini"
    with path.open("w", encoding="utf-8") as file:
        config.write(file)
    return path


def _run_until_told(command: list[str], environment: Mapping[str, str], folder: Path) -> int:
    """Run a program; SIGTERM and SIGINT end it and all that it has started."""
    told = False
    process: subprocess.Popen[bytes] | None = None

    def end(_number: int, _frame: FrameType | None) -> None:
        nonlocal told
        told = True
        if process is not None:
            _signal_group(process.pid, signal.SIGTERM)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        # In a group of its own: what it starts is ended with it, and Ctrl-C reaches it once.
        process = subprocess.Popen(  # noqa: S603
            command, env=dict(environment), cwd=folder, start_new_session=True
        )
        status = _status_of(process, lambda: told)
        return 0 if told else status
    finally:
        if process is not None:
            _signal_group(process.pid, signal.SIGKILL)
        for number, handler in before.items():
            signal.signal(number, handler)


def _status_of(process: subprocess.Popen[bytes], is_told: Callable[[], bool]) -> int:
    """Wait for a process, which is ended where we are told to end and killed if it does not."""
    told_at = None
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=1)
        if is_told() and told_at is None:
            told_at = time.monotonic()
            _signal_group(process.pid, signal.SIGTERM)
        if told_at is not None and time.monotonic() - told_at > SECONDS_TO_END:
            _signal_group(process.pid, signal.SIGKILL)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)

"""A PostgreSQL of the project's own: a folder with its data, reached through a socket in it.

It listens on no network. Its socket lies in the folder of its data, which nobody but its owner can
enter, so that it needs no password, and none is written anywhere.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

USER = "tsd"
"""Who owns the databases; known to PostgreSQL alone."""

SYSTEM_USER = "postgres"
"""As whom PostgreSQL runs where the caller is root, as which it refuses to."""

PACKAGED = "/usr/lib/postgresql"
"""Where Debian's packages have a folder for each version, which is not on the path."""

SOCKET_LENGTH = 90
"""Characters that the path of a socket may have before its name, with some to spare of 107."""


class PostgresError(RuntimeError):
    """PostgreSQL cannot be used; the message says what to do."""


def find_programs() -> Path | None:
    """The folder of PostgreSQL's programs, the newest version's; None where it is not installed."""
    versions = sorted(
        Path(PACKAGED).glob("*/bin/initdb"), key=lambda path: _version(path.parents[1])
    )
    if versions:
        return versions[-1].parent
    found = shutil.which("initdb")
    return None if found is None else Path(found).resolve().parent


class Postgres:
    """A PostgreSQL whose data lie in a folder, which is made on the first start.

    Args:
        data: The folder.

    Raises:
        PostgresError: PostgreSQL is not installed, or cannot run from this folder.
    """

    def __init__(self, data: Path) -> None:
        self._data = data.absolute()
        programs = find_programs()
        if programs is None:
            raise PostgresError(
                "PostgreSQL is not installed: `apt-get install postgresql` brings it, and "
                "`--database sqlite` does without"
            )
        self._programs = programs
        if len(str(self._data)) > SOCKET_LENGTH:
            raise PostgresError(
                f"{self._data}: this path is too long for a socket in it; name a folder with at "
                f"most {SOCKET_LENGTH} characters with --folder"
            )

    def uri(self, database: str) -> str:
        """The address of a database, as SQLAlchemy has it; it holds no secret."""
        return f"postgresql://{USER}@/{database}?host={quote(str(self._data), safe='/')}"

    def start(self) -> None:
        """Start it unless it runs, and make its data first where there are none.

        Raises:
            PostgresError: It does not start.
        """
        self._make_folder()
        if not (self._data / "PG_VERSION").exists():
            self._make_data()
        if self._run("pg_ctl", "status", check=False) != 0:
            self._run("pg_ctl", "start", "--wait", f"--log={self._data / 'server.log'}")

    def stop(self) -> None:
        """Stop it; clients that are still there are cut off, and what was committed stays."""
        self._run("pg_ctl", "stop", "--wait", "--mode=fast", check=False)

    def create_databases(self, *names: str) -> None:
        """Create the databases of these names that do not exist."""
        command: list[str | Path] = [
            self._programs / "psql",
            "-Atqc",
            "SELECT datname FROM pg_database",
            "postgres",
        ]
        listed = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, check=True, **self._as_owner()
        )
        for name in set(names) - set(listed.stdout.split()):
            self._run("createdb", name)

    def _make_folder(self) -> None:
        """Make the folder of the data, which is its owner's alone."""
        self._data.mkdir(parents=True, exist_ok=True)
        owner = self._owner()
        if owner is not None:
            os.chown(self._data, owner.pw_uid, owner.pw_gid)
            if self._run_as_owner(["test", "-w", self._data]) != 0:
                raise PostgresError(
                    f"{self._data}: the user {SYSTEM_USER}, as whom PostgreSQL runs for root, "
                    "cannot enter this folder; name one with --folder that everybody may pass"
                )
        self._data.chmod(0o700)

    def _make_data(self) -> None:
        self._run(
            "initdb",
            f"--username={USER}",
            "--auth-local=trust",
            "--auth-host=reject",
            "--encoding=UTF8",
            "--no-locale",
        )
        settings = "listen_addresses = ''\nunix_socket_directories = '.'\nmax_connections = 200\n"
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(settings)

    def _owner(self) -> pwd.struct_passwd | None:
        """As whom it runs, where that is not the caller."""
        if os.geteuid() != 0:
            return None
        try:
            return pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            raise PostgresError(
                f"PostgreSQL does not run as root, and there is no user {SYSTEM_USER}: install "
                "Debian's package postgresql, or start the server as another user"
            ) from None

    def _as_owner(self) -> dict[str, Any]:
        """How a program is started so that it may use the folder."""
        owner = self._owner()
        places = {"PGDATA": str(self._data), "PGHOST": str(self._data), "PGUSER": USER}
        as_whom = {} if owner is None else {"user": owner.pw_uid, "group": owner.pw_gid}
        return {"env": {**os.environ, **places}, "cwd": "/", **as_whom}

    def _run_as_owner(self, command: list[Any]) -> int:
        return subprocess.run(command, check=False, **self._as_owner()).returncode  # noqa: S603

    def _run(self, program: str, *options: str, check: bool = True) -> int:
        """Run one of PostgreSQL's programs, and return its exit status.

        What it says goes through a file, since the server that it leaves behind would keep a pipe
        open.

        Raises:
            PostgresError: It failed, and it was to succeed.
        """
        with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
            done = subprocess.run(  # noqa: S603
                [self._programs / program, *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
                **self._as_owner(),
            )
            output.seek(0)
            said = output.read().strip()
        if check and done.returncode != 0:
            raise PostgresError(f"{program} in {self._data}: {said}")
        return done.returncode


def _version(folder: Path) -> tuple[int, ...]:
    """The version that a folder is named after; folders that are named otherwise come first."""
    parts = folder.name.split(".")
    return tuple(map(int, parts)) if all(map(str.isdecimal, parts)) else ()

"""The command that runs MLflow's server for several people and machines."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from tsd.cli.tracking_views import HOST, PORT
from tsd.tracking.server import ServerError, ServerSettings, serve


def add_options(parser: ArgumentParser) -> None:
    """Add what the command is told."""
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("server"),
        help="Database, artifacts and settings lie in this folder.",
    )
    parser.add_argument(
        "--host",
        default=HOST,
        help="It listens on this address, which is loopback unless it is named.",
    )
    parser.add_argument("--port", type=int, default=PORT, help="It listens on this port.")
    parser.add_argument(
        "--database",
        choices=("postgresql", "sqlite"),
        default="postgresql",
        help="Runs are kept in this kind of database.",
    )
    parser.add_argument(
        "--workers", type=int, default=2, help="So many processes answer; each takes half a GB."
    )


def server(options: Namespace) -> None:
    """Run the server until it is told to end."""
    settings = ServerSettings(
        options.folder, options.host, options.port, options.database, options.workers
    )
    print(f"MLflow's server, for whoever sets MLFLOW_TRACKING_URI={settings.address}", flush=True)
    try:
        sys.exit(serve(settings))
    except ServerError as error:
        sys.exit(f"tsd: {error}")

"""Which views of MLflow's page a grid has, and the command that opens them."""

import os
import sys
from argparse import Namespace
from dataclasses import replace
from urllib.parse import urlsplit

from tsd.cli.job_step import grid_of
from tsd.experiments.baselines import baselines_of
from tsd.experiments.grid import Grid
from tsd.experiments.metrics import MAIN, METRICS, Step
from tsd.experiments.schema import Table
from tsd.tracking.server import QUIET
from tsd.tracking.uri import local_artifacts, redact, tracking_uri
from tsd.tracking.views import View, address, tags_of

MARGINS = {"margins": ("m_c", "m_r")}
"""Kind of figure → the parameters over which it draws."""

OF_SEEDS = "_seeds"
"""What the key of a view ends in that shows runs over all of their seeds."""

HOST, PORT = "127.0.0.1", 5000


def views_of(grid: Grid) -> list[View]:
    """List the views of all runs, and of each table and figure that shows metrics.

    Each is there for single trainings and, if it is no figure, for the runs over all of their
    seeds.
    """
    measured = [MAIN, *(name for name in ("AP50", "AP75") if name != MAIN)]
    views = [
        View("all", "All trainings", measured),
        View(
            f"all{OF_SEEDS}",
            "All runs over their seeds",
            measured,
            True,
            of_seeds=True,
            gains=[""],
        ),
    ]
    for table in grid.experiments.tables.values():
        metrics = [name for name in table.metrics if METRICS[name].step is not Step.SUBMIT]
        metrics.sort(key=lambda name: name != MAIN)  # the runs are ordered by the first
        one = View(
            table.id,
            table.title,
            metrics or measured,
            paper=table.paper,
            target=table.id,
        )
        over_seeds = replace(
            one,
            key=f"{table.id}{OF_SEEDS}",
            title=f"{table.title}, over all seeds",
            of_seeds=True,
            gains=_gains(table, grid),
        )
        views += [one, over_seeds]
    for figure in grid.experiments.figures.values():
        views.append(
            View(
                figure.id,
                figure.title,
                figure.metrics,
                target=figure.id,
                over=MARGINS.get(figure.kind, ()),
            )
        )
    return views


def _gains(table: Table, grid: Grid) -> list[str]:
    """What the gains of a table are over: named where the usual baseline is not the table's."""
    tables = grid.experiments.tables.values()
    rows = [row for row in table.rows if row.run is not None and row.baseline is not None]
    usual = all(next(iter(baselines_of(str(row.run), tables))) == row.baseline for row in rows)
    if usual:
        return [""] if rows else []
    return list(dict.fromkeys(f"_over_{row.baseline}" for row in rows))


def experiment_tags(grid: Grid) -> dict[str, str]:
    """What the experiment of a grid says of itself, and its views."""
    about = (
        f"Scale `{grid.scale.id}` ({grid.scale.title}), data set `{grid.dataset.id}` "
        f"({grid.dataset.title}). {grid.scale.note.strip()}\n\n"
        "Each run is one training of a declared model (tag `kind` is `training`), or what all of "
        "its trainings say together (`summary`). Views show the runs of one table or figure: "
        "`python -m tsd ui` lists their addresses. "
        f"Report: `{grid.report_folder}/index.html`."
    )
    return {
        "mlflow.note.content": about,
        "mlflow.experimentKind": "custom_model_development",
        **tags_of(views_of(grid)),
    }


def ui(options: Namespace) -> None:
    """Serve MLflow's pages of the local store on loopback, and say where they open."""
    from tsd.tracking.store import experiment_number

    grid, uri = grid_of(options), tracking_uri()
    is_server = urlsplit(uri).scheme in ("http", "https")
    server = redact(uri) if is_server else f"http://{HOST}:{options.port}"
    number = experiment_number(uri, grid.experiment)
    if number is None:
        print(f"nothing of the grid {grid.name} is in MLflow yet: {server}")
    else:
        print(f"All runs of the grid {grid.name}:\n  {address(server, number)}")
        print("Its tables and figures:")
        for view in views_of(grid)[1:]:
            print(f"  {address(server, number, view.key)}")
    sys.stdout.flush()
    if is_server:
        return
    # One worker: a person compares runs here, and each more takes half a GB.
    command = ["mlflow", "server", "--host", HOST, "--port", str(options.port), "--workers", "1"]
    artifacts = local_artifacts(uri)
    if artifacts is not None:
        command += ["--artifacts-destination", str(artifacts)]
    # In the environment, and not as an option that every user of the machine could read.
    environment = {**os.environ, **QUIET, "MLFLOW_BACKEND_STORE_URI": uri}
    os.execvpe(command[0], command, environment)  # noqa: S606

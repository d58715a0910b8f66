"""Which views of MLflow's page a grid has, and the command that opens them."""

import os
import sys
from argparse import Namespace
from urllib.parse import urlsplit

from tsd.cli.job_step import grid_of
from tsd.experiments.grid import Grid
from tsd.experiments.metrics import MAIN, METRICS, Step
from tsd.tracking.uri import local_artifacts, redact, tracking_uri
from tsd.tracking.views import View, address, tags_of

MARGINS = {"margins": ("m_c", "m_r")}
"""Kind of figure → the parameters over which it draws."""

HOST, PORT = "127.0.0.1", 5000


def views_of(grid: Grid) -> list[View]:
    """List a view for all runs, and one for each table and figure that shows metrics."""
    measured = [MAIN, *(name for name in ("AP50", "AP75") if name != MAIN)]
    views = [View("all", "All runs", measured)]
    for table in grid.experiments.tables.values():
        metrics = [name for name in table.metrics if METRICS[name].step is not Step.SUBMIT]
        metrics.sort(key=lambda name: name != MAIN)  # the runs are ordered by the first
        views.append(
            View(
                table.id,
                table.title,
                metrics or measured,
                paper=table.paper,
                target=table.id,
            )
        )
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


def experiment_tags(grid: Grid) -> dict[str, str]:
    """What the experiment of a grid says of itself, and its views."""
    about = (
        f"Scale `{grid.scale.id}` ({grid.scale.title}), data set `{grid.dataset.id}` "
        f"({grid.dataset.title}). {grid.scale.note.strip()}\n\n"
        "Each run is one training of a declared model. Views show the runs of one table or figure: "
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
    environment = {**os.environ, "MLFLOW_BACKEND_STORE_URI": uri}
    os.execvpe(command[0], command, environment)  # noqa: S606

"""Steps of the workflow. Heavy imports wait for the step that needs them."""

import contextlib
import os
import subprocess
import sys
import traceback
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from tsd.experiments.grid import SETTINGS, Grid, Job, open_grid
from tsd.experiments.load import DeclarationError
from tsd.run_folder import update_status, write_json


def grid_of(options: Namespace) -> Grid:
    """The grid that the options name."""
    settings = {name: getattr(options, name) for name in SETTINGS}
    return open_grid(settings, options.results)


def _job(options: Namespace) -> Job:
    job = grid_of(options).job(options.run, options.seed)
    if options.digest and options.digest != job.digest:
        raise DeclarationError(
            f"run {job.run.id} was planned as {options.digest}, but compiles to {job.digest} now: "
            "its declaration was edited in between; start the workflow again"
        )
    return job


def make_data(options: Namespace) -> None:
    """Make the embedded data set."""
    from tsd.data.embedded import EmbeddedSpec, make_embedded

    dataset = grid_of(options).dataset
    if dataset.embedded is None:
        raise DeclarationError(f"data set {dataset.id}: is not embedded, there is nothing to make")
    make_embedded(Path(dataset.root), EmbeddedSpec(**dataset.embedded.model_dump()))


def check_data(options: Namespace) -> None:
    """Check both splits; say how large they are."""
    from tsd.data.coco_check import check_split

    dataset = grid_of(options).dataset
    reports = {}
    for name, split in (("train", dataset.train), ("val", dataset.val)):
        root = Path(dataset.root)
        found = check_split(root / split.annotations, root / split.images, dataset.classes)
        reports[name] = asdict(found)
        print(f"data set {dataset.id}, {name}: {found.images} images, {found.annotations} objects")
        if found.zero_area:
            print(
                f"  {found.zero_area} boxes without area: training leaves them out, "
                "COCO's evaluation counts each as an object that is missed"
            )
    write_json(options.out, {"dataset": dataset.model_dump(), **reports})


def open_tracking(options: Namespace) -> None:
    """Create MLflow's store and experiment once, before jobs run side by side."""
    from tsd.tracking.store import prepare_store

    prepare_store(tracking_uri(), [f"tsd-{grid_of(options).name}"])


def tracking_uri() -> str:
    """MLflow's store: ``MLFLOW_TRACKING_URI``, or a SQLite file where the workflow runs."""
    return os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"


def train(options: Namespace) -> None:
    """Train one job, while another process keeps MLflow up to date."""
    job = _job(options)
    with _logged(options.log, job) as announce:
        from tsd.training.train import train as train_job

        announce("starts")
        command = [sys.executable, "-m", "tsd", "follow", f"--pid={os.getpid()}"]
        follower = subprocess.Popen([*command, *job.command_line_options])  # noqa: S603
        train_job(job, grid_of(options).experiments.tables_of(job.run.id), announce)
        # One process a run: the step that tracks the finished job must not meet the follower.
        # A failed job has no such step; its follower sees the failure and ends by itself.
        follower.terminate()
        follower.wait()


def follow(options: Namespace) -> None:
    """Bring a job's files into MLflow for as long as it trains."""
    from tsd.tracking.store import follow_run

    follow_run(_job(options).folder.path, tracking_uri(), options.pid)


def detect(options: Namespace) -> None:
    """Dump the detections of a trained job."""
    job = _job(options)
    with _logged(options.log, job) as announce:
        from tsd.training.detect import detect as detect_job

        detect_job(job, announce)


def evaluate(options: Namespace) -> None:
    """Write the metrics of dumped detections."""
    job = _job(options)
    with _logged(options.log, job):
        from tsd.evaluation.coco import evaluate_detections

        annotations = Path(job.dataset.root) / job.dataset.val.annotations
        result = evaluate_detections(annotations, job.folder.detections)
        write_json(job.folder.metrics, {"key": job.key, **result})


def track(options: Namespace) -> None:
    """Bring a finished job into MLflow. Without its store the workflow goes on."""
    job = _job(options)
    with _logged(options.log, job) as announce:
        from tsd.tracking.store import TrackingError, sync_run

        try:
            where = sync_run(job.folder.path, tracking_uri())
        except TrackingError as error:
            announce(f"is not in MLflow: {error}")
            where = {"error": str(error)}
        write_json(job.folder.tracking, where)


def collect(options: Namespace) -> None:
    """Gather the results of all runs, or of a table's."""
    from tsd.reporting.collect import collect as collect_results

    grid = grid_of(options)
    jobs = grid.jobs_for_table(options.table) if options.table else grid.jobs
    write_json(options.out, collect_results(grid, jobs))


def table(options: Namespace) -> None:
    """Write a table beside the file it is made from."""
    from tsd.reporting.tables import write_table

    write_table(options.collected, options.table, options.collected.parent)


def figure(options: Namespace) -> None:
    """Draw a figure."""
    from tsd.reporting import figures

    grid = grid_of(options)
    if options.figure == "samples":
        root, split = Path(grid.dataset.root), grid.dataset.val
        figures.draw_samples(root / split.annotations, root / split.images, options.out)
    else:
        figures.draw_gains(options.out.parents[1] / "results.json", options.out)


def page(options: Namespace) -> None:
    """Write the report's pages beside the collected results."""
    from tsd.reporting.page import write_pages

    write_pages(options.collected)


def report(options: Namespace) -> None:
    """Collect what there is and write the whole report: after a failure, or in between."""
    from tsd.reporting.collect import collect as collect_results
    from tsd.reporting.page import write_report

    grid = grid_of(options)
    collected = grid.report_folder / "results.json"
    write_json(collected, collect_results(grid, grid.jobs))
    print(f"report: {write_report(collected)}")


@contextlib.contextmanager
def _logged(log: Path | None, job: Job) -> Iterator[Callable[[str], None]]:
    """Send all output to a log but for what is announced; note a failure in the run's status.

    Yields:
        A function that writes a line, marked with the run, to the terminal.
    """
    terminal = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(target, stream.fileno())

    def announce(line: str) -> None:
        print(f"[{job.run.id} · seed {job.seed}] {line}", file=terminal)

    try:
        yield announce
    except Exception as error:
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}"
        update_status(job.folder, state="failed", error=reason)
        announce(f"failed: {reason}" + (f" (log: {log})" if log else ""))
        sys.exit(1)

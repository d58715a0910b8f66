"""Steps of the workflow. Heavy imports wait for the step that needs them."""

import contextlib
import os
import shutil
import subprocess
import sys
import traceback
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from tsd.experiments.grid import SETTINGS, Grid, Job, open_grid
from tsd.experiments.load import DeclarationError
from tsd.run_folder import read_json, update_status, write_json
from tsd.tracking.uri import tracking_uri


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
    reports, orders = {}, {}
    for name, split in (("train", dataset.train), ("val", dataset.val)):
        root = Path(dataset.root)
        found = check_split(root / split.annotations, root / split.images, dataset.classes)
        reports[name] = asdict(found)
        orders[name] = list(found.per_class)
        print(f"data set {dataset.id}, {name}: {found.images} images, {found.annotations} objects")
        if found.zero_area:
            print(
                f"  {found.zero_area} boxes without area: training leaves them out, "
                "COCO's evaluation counts each as an object that is missed"
            )
    if orders["train"] != orders["val"]:
        raise DeclarationError(
            f"{dataset.origin}: {dataset.train.annotations} and {dataset.val.annotations} list the "
            f"classes in different orders: {orders['train']} and {orders['val']}"
        )
    write_json(options.out, {"dataset": dataset.model_dump(), **reports})


def check_run(options: Namespace) -> None:
    """Build a job's model and count its parameters, so that a setting which cannot be is found."""
    job = _job(options)
    with _logged(options.log, job):
        from tsd.training.build import build_model, inference_parameters

        write_json(job.folder.model, {"parameters": inference_parameters(build_model(job))})


def open_tracking(options: Namespace) -> None:
    """Create MLflow's store and experiment once, before jobs run side by side."""
    from tsd.tracking.store import TrackingError, prepare_store

    try:
        prepare_store(tracking_uri(), [f"tsd-{grid_of(options).name}"])
    except TrackingError as error:
        print(f"MLflow cannot be used, and the workflow goes on without: {error}")


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
        update_status(job.folder, state="done", error=None)


def evaluate(options: Namespace) -> None:
    """Write the metrics of dumped detections."""
    job = _job(options)
    with _logged(options.log, job):
        from tsd.evaluation.coco import evaluate_detections

        annotations = Path(job.dataset.root) / job.dataset.val.annotations
        result = evaluate_detections(annotations, job.folder.detections, job.dataset.classes)
        write_json(job.folder.metrics, {"key": job.key, **result})
        update_status(job.folder, state="done", error=None)


def track(options: Namespace) -> None:
    """Bring a finished job into MLflow."""
    job = _job(options)
    with _logged(options.log, job) as announce:
        write_json(job.folder.tracking, _into_mlflow(job, announce))


def track_missing(options: Namespace) -> None:
    """Bring finished jobs into MLflow that could not be brought before, its store being away."""
    for job in grid_of(options).jobs:
        if "error" in (read_json(job.folder.tracking) or {}):
            write_json(job.folder.tracking, _into_mlflow(job, print))


def _into_mlflow(job: Job, announce: Callable[[str], None]) -> dict[str, str]:
    """Where the job is in MLflow, or the error: without its store the workflow goes on."""
    from tsd.tracking.store import sync_run

    try:
        return sync_run(job.folder.path, tracking_uri())
    except Exception as error:
        announce(f"{job.key} is not in MLflow: {error}")
        return {"error": f"{type(error).__name__}: {error}"}


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
    """Write the report's pages beside the collected results, in place of an unfinished report."""
    from tsd.reporting.page import write_pages

    write_pages(options.collected)
    shutil.rmtree(grid_of(options).unfinished_report_folder, ignore_errors=True)


def report(options: Namespace) -> None:
    """Collect what there is and write the whole report: after a failure, or in between."""
    from tsd.reporting.collect import collect as collect_results
    from tsd.reporting.page import write_report

    grid = grid_of(options)
    collected = grid.unfinished_report_folder / "results.json"
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
        _send_output_to(log)

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


def _send_output_to(log: Path) -> None:
    """Append everything printed from here on to a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(target, stream.fileno())

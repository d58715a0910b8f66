"""Steps of the workflow. Heavy imports wait for the step that needs them."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import traceback
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsd.experiments.grid import SETTINGS, Grid, Job, open_grid
from tsd.experiments.load import DeclarationError, suggest
from tsd.experiments.schema import Dataset, OpenImages
from tsd.run_folder import read_json, update_status, write_json
from tsd.tracking.uri import tracking_uri

if TYPE_CHECKING:
    from tsd.training.interruption import Interruption

FOLLOWER_SECONDS = 30
"""For MLflow to take the last of a training."""

TO_BE_CONTINUED = 75
"""Exit status of a training that saved its state and ended early: EX_TEMPFAIL of sysexits.h."""


def grid_of(options: Namespace) -> Grid:
    """The grid that the options name."""
    settings = {name: getattr(options, name) for name in SETTINGS if name in options}
    return open_grid(settings, options.results)


def _job(options: Namespace) -> Job:
    return _planned(grid_of(options), options)


def _planned(grid: Grid, options: Namespace) -> Job:
    """The job that the options name, if it still is what the workflow planned."""
    job = grid.job(options.run, options.seed)
    if options.digest and options.digest != job.digest:
        raise DeclarationError(
            f"run {job.run.id} was planned as {options.digest}, but compiles to {job.digest} now: "
            "its declaration was edited in between; start the workflow again"
        )
    return job


def _dataset(options: Namespace) -> Dataset:
    """The data set of the grid that the options name."""
    datasets = grid_of(options).datasets
    if options.data not in datasets:
        raise DeclarationError(
            f"no run of the grid uses a data set {options.data!r}" + suggest(options.data, datasets)
        )
    return datasets[options.data]


def make_data(options: Namespace) -> None:
    """Make the embedded data set."""
    from tsd.data.embedded import EmbeddedSpec, make_embedded
    from tsd.experiments.schema import Embedded

    content = Embedded.model_validate_json(options.content)
    make_embedded(options.root, EmbeddedSpec(**content.model_dump()))


def download(options: Namespace) -> None:
    """Have one of COCO's archives unpacked."""
    from tsd.data.download import MIRROR_VARIABLE, OFFICIAL, archive_named, obtain

    archive = archive_named(options.archive)
    server = os.environ.get(MIRROR_VARIABLE) or OFFICIAL
    write_json(options.out, obtain(archive, options.root, server, partial(print, flush=True)))


def divide_coco2014(options: Namespace) -> None:
    """Divide COCO 2014 as the paper does."""
    from tsd.data.minival import divide

    annotations = options.root / "annotations"
    minival = options.minival or annotations / "instances_val2017.json"
    found = divide(annotations, minival)
    print(f"trainval35k: {found.train_images} images, {found.train_annotations} annotations")
    print(f"minival: {found.minival_images} images, {found.minival_annotations} annotations")
    print(f"annotations that {minival} has otherwise: {found.differing}")
    write_json(options.out, asdict(found))


def check_data(options: Namespace) -> None:
    """Check both splits; say how large they are."""
    from tsd.data import coco_check, openimages

    dataset = _dataset(options)
    reports, orders = {}, {}
    for name, split in (("train", dataset.train), ("val", dataset.val)):
        root = Path(dataset.root)
        files = (root / split.annotations, root / split.images)
        if dataset.openimages is not None:
            labels = root / dataset.openimages.labels
            found: Any = openimages.check_split(*files, dataset.classes, labels)
        else:
            found = coco_check.check_split(*files, dataset.classes)
        reports[name] = asdict(found)
        orders[name] = list(found.per_class)
        print(f"data set {dataset.id}, {name}: {found.images} images, {found.annotations} objects")
        if found.zero_area:
            print(
                f"  {found.zero_area} boxes without area: training leaves them out, "
                "evaluation counts each as an object that is missed"
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
        from tsd.training.checkpoints import check_pretrained

        model = build_model(job)
        check_pretrained(model)
        write_json(job.folder.model, {"parameters": inference_parameters(model)})


def open_tracking(options: Namespace) -> None:
    """Create MLflow's store and experiment once, before jobs run side by side."""
    from tsd.tracking.store import TrackingError, prepare_store

    try:
        prepare_store(tracking_uri(), [f"tsd-{grid_of(options).name}"])
    except TrackingError as error:
        print(f"MLflow cannot be used, and the workflow goes on without: {error}")


def train(options: Namespace) -> None:
    """Train one job; or be one of the processes that do, where several were started."""
    grid = grid_of(options)
    job = _planned(grid, options)
    earlier = read_json(job.folder.status) or {}
    if options.attempt > 1 and earlier.get("state") == "failed" and earlier.get("permanent"):
        sys.exit(f"{job.key}: not tried again, it would fail again: {earlier['error']}")
    from mmengine.dist import barrier, is_main_process
    from torch import distributed

    from tsd.training.processes import join

    several = join()
    if is_main_process() and options.log is not None:
        _begin_log(options.log)
    barrier()
    try:
        _train(grid, job, options)
    except SystemExit as end:
        if several:
            if end.code == TO_BE_CONTINUED:
                # All have agreed to it, and the first still tells MLflow.
                distributed.barrier()
            # Not the usual way out, which waits for processes that may wait for this one.
            sys.stderr.flush()
            os._exit(int(end.code or 0))
        raise
    if several:
        distributed.destroy_process_group()


def _begin_log(log: Path) -> None:
    """Give this attempt a log of its own, to which the declared one leads.

    Snakemake removes the declared one before each attempt.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    number = 1 + len(list(log.parent.glob(f"{log.stem}.*.log")))
    attempt = log.with_name(f"{log.stem}.{number}.log")
    attempt.touch()
    log.unlink(missing_ok=True)
    log.symlink_to(attempt.name)


def _train(grid: Grid, job: Job, options: Namespace) -> None:
    """Train, while another process keeps MLflow up to date."""
    with contextlib.ExitStack() as afterwards, _logged(options.log, job) as announce:
        from mmengine.dist import is_main_process

        from tsd.training.interruption import Interruption
        from tsd.training.train import train as train_job

        with Interruption(options.minutes or None) as interruption:
            if is_main_process():
                afterwards.callback(_wait_for_scheduler, job, interruption)
                announce("starts")
                command = [sys.executable, "-m", "tsd", "follow", f"--pid={os.getpid()}"]
                follower = subprocess.Popen([*command, *job.command_line_options])  # noqa: S603
                afterwards.callback(_dismiss, follower)
            train_job(job, grid.experiments.tables_of(job.run.id), announce, interruption)


def _wait_for_scheduler(job: Job, interruption: "Interruption") -> None:
    if interruption.by_scheduler and read_json(job.folder.status)["state"] == "interrupted":
        interruption.wait_to_be_ended()


def _dismiss(follower: subprocess.Popen) -> None:
    """Have the outcome brought into MLflow, but do not wait for ever for a store that is away.

    One process a run: the step that tracks the finished job must not meet the follower.
    """
    follower.terminate()
    try:
        follower.wait(timeout=FOLLOWER_SECONDS)
    except subprocess.TimeoutExpired:
        follower.kill()
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


def extract(options: Namespace) -> None:
    """Write what a kind of figure shows of a trained job."""
    from tsd.evaluation.proposals import extract_proposals
    from tsd.evaluation.sensitivity import extract_sensitivity

    job = _job(options)
    extractions = {"sensitivity": extract_sensitivity, "proposals": extract_proposals}
    extractions[options.kind](job, job.folder.extracted(options.kind))


def submit(options: Namespace) -> None:
    """Pack a trained job's detections for the server that keeps the test set's annotations."""
    from tsd.evaluation.submission import submit as submit_job

    submit_job(_job(options), options.out, partial(print, flush=True))


def latency(options: Namespace) -> None:
    """Measure a trained job's time for an image."""
    job = _job(options)
    with _logged(options.log, job):
        from tsd.evaluation.latency import measure_latency

        measure_latency(job)


def evaluate(options: Namespace) -> None:
    """Write the metrics of dumped detections."""
    job = _job(options)
    with _logged(options.log, job):
        files = job.dataset.openimages
        result = _measure_coco(job) if files is None else _measure_openimages(job, files)
        write_json(job.folder.metrics, {"key": job.key, **result})
        update_status(job.folder, state="done", error=None)


def _measure_coco(job: Job) -> dict[str, Any]:
    from tsd.evaluation.coco import evaluate_detections, evaluate_masks

    annotations = Path(job.dataset.root) / job.dataset.val.annotations
    detections = read_json(job.folder.detections)
    result = evaluate_detections(annotations, detections, job.dataset.classes)
    if "mask_head" in job.config.model.get("roi_head", {}):
        result["metrics"] |= evaluate_masks(annotations, detections, job.dataset.classes)
    return result


def _measure_openimages(job: Job, files: OpenImages) -> dict[str, Any]:
    from tsd.evaluation.openimages import evaluate_detections, open_split

    root = Path(job.dataset.root)
    names = (job.dataset.val.annotations, files.labels, files.hierarchy, files.verified)
    split = open_split(*(root / name for name in names))
    return evaluate_detections(split, job.folder.detections)


def prepare_openimages(options: Namespace) -> None:
    """Write what training and evaluation on Open Images read, from what the challenge publishes."""
    from tsd.data.openimages import prepare

    prepare(options.raw, options.prepared)


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
    """Gather the results of all runs, or of those behind a table or a figure."""
    from tsd.reporting.collect import collect as collect_results

    grid = grid_of(options)
    jobs = grid.jobs_for(options.target) if options.target else grid.jobs
    write_json(options.out, collect_results(grid, jobs))


def table(options: Namespace) -> None:
    """Write a table in all its formats into a folder."""
    from tsd.reporting.tables import write_table

    write_table(options.collected, options.table, options.out)


def figure(options: Namespace) -> None:
    """Draw a figure."""
    from tsd.reporting import figures

    if options.figure == "samples":
        dataset = grid_of(options).dataset
        root, split = Path(dataset.root), dataset.val
        figures.draw_samples(root / split.annotations, root / split.images, options.out)
    elif options.figure == "gains":
        figures.draw_gains(options.collected, options.out)
    else:
        figures.draw_declared(options.collected, options.figure, options.out)


def page(options: Namespace) -> None:
    """Write the report's pages beside the collected results, in place of an unfinished report.

    Tables and figures that are not ready, since nobody asked for them, are written with what there
    is of them.
    """
    from tsd.reporting.page import write_pages, write_parts

    write_parts(options.collected, leave_out=options.ready.split(","))
    write_pages(options.collected)
    shutil.rmtree(grid_of(options).unfinished_report_folder, ignore_errors=True)


def report(options: Namespace) -> None:
    """Collect what there is and write the whole report: after a failure, or in between."""
    from tsd.reporting.collect import collect as collect_results
    from tsd.reporting.page import write_pages, write_parts

    grid = grid_of(options)
    collected = grid.unfinished_report_folder / "results.json"
    write_json(collected, collect_results(grid, grid.jobs))
    write_parts(collected)
    print(f"report: {write_pages(collected)}")


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
        print(_attempt_heading())

    def announce(line: str) -> None:
        print(f"[{job.run.id} · seed {job.seed}] {line}", file=terminal)

    try:
        yield announce
    except Exception as error:
        traceback.print_exc()
        sys.exit(_note_failure(job, error, log, announce))


def _attempt_heading() -> str:
    """The line between the attempts in a log: when, where, and which of the scheduler's jobs."""
    heading = f"== {time.strftime('%Y-%m-%d %H:%M:%S')}, {socket.gethostname()}"
    if "SLURM_JOB_ID" in os.environ:
        heading += f", SLURM job {os.environ['SLURM_JOB_ID']}"
    return heading


def _note_failure(
    job: Job, error: Exception, log: Path | None, announce: Callable[[str], None]
) -> int:
    """Write down why a job ended, and whether another attempt may help; the exit status."""
    from mmengine.dist import get_dist_info

    from tsd.training.failures import may_pass
    from tsd.training.interruption import InterruptedTrainingError

    rank, processes = get_dist_info()
    if isinstance(error, InterruptedTrainingError):
        if rank == 0:
            update_status(job.folder, state="interrupted", error=str(error))
            announce(f"interrupted: {error}")
        return TO_BE_CONTINUED
    reason = f"{type(error).__name__}: {error}"
    if rank > 0:
        reason = f"process {rank}: {reason}"
    announce(f"failed: {reason}" + (f" (log: {log})" if log else ""))
    # What the other processes meet when the first to fail has gone is no reason of its own.
    if processes == 1 or (read_json(job.folder.status) or {}).get("state") != "failed":
        update_status(job.folder, state="failed", error=reason, permanent=not may_pass(error))
    return 1

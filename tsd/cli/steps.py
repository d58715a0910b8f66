"""Steps of the workflow but for training. Heavy imports wait for the step that needs them."""

import contextlib
import os
import shlex
import shutil
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from pkgutil import resolve_name

from filelock import FileLock

from tsd.cli.bundle_steps import report_of_bundles
from tsd.cli.job_step import grid_of, job_of, logged, planned_job
from tsd.cli.mask_check import check_masks
from tsd.cli.summary_step import bring_in, summaries_record
from tsd.cli.tracking_views import experiment_tags
from tsd.cli.untracked import summaries_are_untracked, untracked
from tsd.data.coco_format import counted
from tsd.experiments.card import card_of, places_of
from tsd.experiments.data_formats import format_of
from tsd.experiments.figure_kinds import extractions
from tsd.experiments.grid import Grid
from tsd.experiments.job import Job
from tsd.results.own_records import read_own_records, require_own
from tsd.results.records import CardRecord, EvaluationRecord, TrackingRecord
from tsd.run_folder import update_status, write_json, write_text
from tsd.tracking.uri import tracking_uri

SECONDS_IN_TURN = 60
"""So long a step waits until another one has brought the same training into MLflow."""


def make_data(options: Namespace) -> None:
    """Make the embedded data set."""
    from tsd.data.embedded import EmbeddedSpec, make_embedded
    from tsd.experiments.dataset_schema import Embedded

    content = Embedded.model_validate_json(options.content)
    make_embedded(options.root, EmbeddedSpec(**content.model_dump()))


def download(options: Namespace) -> None:
    """Have one of COCO's archives unpacked."""
    from tsd.data.coco_archives import archive_named
    from tsd.data.download import MIRROR_VARIABLE, OFFICIAL, obtain

    archive = archive_named(options.archive)
    server = os.environ.get(MIRROR_VARIABLE) or OFFICIAL
    write_json(options.out, obtain(archive, options.root, server, partial(print, flush=True)))


def divide_coco2014(options: Namespace) -> None:
    """Divide COCO 2014 as the paper does."""
    from tsd.data.minival import divide

    annotations = options.root / "annotations"
    minival = options.minival or annotations / "instances_val2017.json"
    found = divide(annotations, minival)
    for name, images, annotations in (
        ("trainval35k", found.train_images, found.train_annotations),
        ("minival", found.minival_images, found.minival_annotations),
    ):
        held = counted(images, "image", "images"), counted(annotations, "annotation", "annotations")
        print(f"{name}: {', '.join(held)}")
    print(f"annotations that {minival} has otherwise: {found.differing}")
    write_json(options.out, asdict(found))


def check_data(options: Namespace) -> None:
    """Check both splits of a data set."""
    from tsd.cli.data_check_step import check_data as check

    check(options)


def check_run(options: Namespace) -> None:
    """Build what a job trains, so that a setting which cannot be is found before it does.

    A run with masks also needs data with masks.
    """
    job = job_of(options)
    with logged(options.log, job) as announce:
        check_masks(job, announce)
        from tsd.training.check import check_job

        write_json(job.folder.model, {"parameters": check_job(job, announce)})


def convert_checkpoint(options: Namespace) -> None:
    """Convert a checkpoint of the authors' released code."""
    from tsd.training.checkpoints import WeightsError
    from tsd.training.released_checkpoint import convert_checkpoint as convert

    try:
        print(convert(options.released, options.ours))
    except WeightsError as error:
        sys.exit(f"tsd: {error}")


def open_tracking(options: Namespace) -> None:
    """Create MLflow's store and experiment once, before jobs run side by side, and try them."""
    from tsd.tracking.store import describe_experiment, prepare_store

    grid = grid_of(options)
    try:
        prepare_store(tracking_uri(), [grid.experiment])
        describe_experiment(tracking_uri(), grid.experiment, experiment_tags(grid))
    except Exception as error:
        print(
            f"MLflow cannot be used, and the workflow goes on without it: {error}. Once that is "
            "mended, this brings in what is missing: python -m tsd track-missing "
            f"{shlex.join(grid.target_options)}"
        )


def detect(options: Namespace) -> None:
    """Dump the detections of a trained job."""
    job = job_of(options)
    with logged(options.log, job) as announce:
        from tsd.training.detect import detect as detect_job

        detect_job(job, announce)
        update_status(job.folder, state="done", error=None)


def extract(options: Namespace) -> None:
    """Write what a kind of figure shows of a trained job."""
    job = job_of(options)
    extract_kind: Callable[[Job, Path], None] = resolve_name(extractions()[options.kind])
    extract_kind(job, job.folder.extracted(options.kind))


def submit(options: Namespace) -> None:
    """Pack a trained job's detections for the server that keeps the test set's annotations."""
    from tsd.evaluation.submission import submit as submit_job

    submit_job(job_of(options), options.out, partial(print, flush=True))


def latency(options: Namespace) -> None:
    """Measure a trained job's time for an image."""
    job = job_of(options)
    with logged(options.log, job):
        from tsd.evaluation.latency import measure_latency

        measure_latency(job)


def evaluate(options: Namespace) -> None:
    """Write the metrics of dumped detections."""
    job = job_of(options)
    with logged(options.log, job):
        measure = resolve_name(format_of(job.dataset).measure)
        evaluation: EvaluationRecord = measure(job)
        write_text(job.folder.per_class, evaluation.per_class_csv())
        evaluation.write(job.folder.metrics)
        update_status(job.folder, state="done", error=None)


def milestones(options: Namespace) -> None:
    """Write what the weights are worth that a job's training has kept on its way."""
    job = job_of(options)
    with logged(options.log, job) as announce:
        from tsd.evaluation.milestones import measure_milestones

        measure_milestones(job, announce).write(job.folder.milestones)


def prepare_openimages(options: Namespace) -> None:
    """Write what training and evaluation on Open Images read, from what the challenge publishes."""
    from tsd.data.openimages_prepare import prepare

    prepare(options.raw, options.prepared)


def track(options: Namespace) -> None:
    """Bring a finished job into MLflow."""
    grid = grid_of(options)
    job = planned_job(grid, options)
    with logged(options.log, job) as announce:
        _renew_card(grid, job)
        _into_mlflow(job, announce).write(options.out)


def track_missing(options: Namespace) -> None:
    """Bring jobs into MLflow that could not be brought before, its store being away.

    Of jobs without results, those that failed or were interrupted are told to MLflow as such. They
    get no record, which is for the workflow to write once there are results. The runs over their
    seeds are brought in too if they could not be.
    """
    from tsd.tracking.store import prepare_store

    grid = grid_of(options)
    waiting, summaries = list(untracked(grid)), summaries_are_untracked(grid)
    if not waiting and not summaries:
        return
    try:  # once, since each of many trainings would wait for a store that is silent
        prepare_store(tracking_uri(), [grid.experiment])
    except Exception as error:
        print(f"MLflow cannot be used, and nothing is brought in: {error}")
        return
    for job, refused in waiting:
        record = _into_mlflow(job, print)
        for place in refused:
            record.write(place)
    if summaries:
        collected = grid.report_folder / "results.json"
        bring_in(grid, collected, print).write(summaries_record(grid))


def _renew_card(grid: Grid, job: Job) -> None:
    """Have a training say of itself what is declared now; what its own process knew stays."""
    earlier = CardRecord.read(job.folder.card)
    card = card_of(job, places_of(job.run.id, grid.experiments))
    tags = {} if earlier is None else earlier.tags
    write_json(job.folder.card, {**card, "tags": {**tags, **card["tags"]}})


def _into_mlflow(job: Job, announce: Callable[[str], None]) -> TrackingRecord:
    """Where the job is in MLflow, or the error: without its store the workflow goes on."""
    from tsd.tracking.store import sync_run

    try:
        _require_own_files(job)
        with _in_turn(job):
            return TrackingRecord(**sync_run(job.folder.path, tracking_uri()))
    except Exception as error:
        announce(f"{job.key} is not in MLflow: {error}")
        return TrackingRecord(error=f"{type(error).__name__}: {error}")


def _require_own_files(job: Job) -> None:
    """Refuse to tell MLflow of a folder that was copied from another training."""
    read_own_records(job.folder)
    card = CardRecord.read(job.folder.card)
    if card is not None:
        require_own(job.folder.card, card.key)


@contextlib.contextmanager
def _in_turn(job: Job) -> Iterator[None]:
    """Let one process at a time bring a job into MLflow; several steps do, and may run at once.

    Where the file system has no locks, or another process is stuck, it goes on without: the worst
    is a value that is stored twice.
    """
    lock = FileLock(job.folder.path / ".tracking.lock", fallback_to_soft=False)
    with contextlib.suppress(OSError, NotImplementedError):
        lock.acquire(timeout=SECONDS_IN_TURN)
    try:
        yield
    finally:
        lock.release()


def collect(options: Namespace) -> None:
    """Gather the results of all runs, or of those behind a table or a figure."""
    from tsd.reporting.collect import collect as collect_results
    from tsd.reporting.collect import collect_all

    grid = grid_of(options)
    if options.target:
        collect_results(grid, grid.jobs_for(options.target)).write(options.out)
    else:
        collect_all(grid).write(options.out)


def table(options: Namespace) -> None:
    """Write a table in all its formats into a folder."""
    from tsd.reporting.tables import write_table

    write_table(options.collected, options.table, options.out)


def figure(options: Namespace) -> None:
    """Draw a figure: a declared one, or one of the two that every report has."""
    from tsd.reporting.declared_figure import draw_declared
    from tsd.reporting.gains_figure import draw_gains
    from tsd.reporting.sample_sheet import draw_samples

    if options.figure == "samples":
        dataset = grid_of(options).dataset
        root, split = Path(dataset.root), dataset.val
        draw_samples(root / split.annotations, root / split.images, options.out)
    elif options.figure == "gains":
        draw_gains(options.collected, options.out)
    else:
        draw_declared(options.collected, options.figure, options.out)


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
    """Collect what there is and write the whole report: after a failure, or in between.

    Where bundles are named, the report is of what they hold.
    """
    if options.bundles:
        report_of_bundles(options)
        return
    from tsd.reporting.collect import collect_all
    from tsd.reporting.page import write_pages, write_parts

    grid = grid_of(options)
    collected = grid.unfinished_report_folder / "results.json"
    collect_all(grid).write(collected)
    write_parts(collected)
    print(f"report: {write_pages(collected)}")

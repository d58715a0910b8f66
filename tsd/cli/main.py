"""Commands of ``python -m tsd``: each is a step of the workflow, or a question about it."""

import argparse
import os
import sys
from pathlib import Path

from tsd.cli import questions, steps, training_step
from tsd.cli.declarations import declarations
from tsd.data.coco_format import DatasetError
from tsd.experiments.figure_kinds import extractions
from tsd.experiments.load import DeclarationError
from tsd.results.collected import ResultsError
from tsd.results.records import RecordError


def main(arguments: list[str] | None = None) -> None:
    """Run a command; a mistake of the user's ends with a message in place of a traceback."""
    options = _parser().parse_args(arguments)
    if getattr(options, "threads", None):
        # Read by OpenMP when torch is imported, which the command does later.
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
    try:
        options.command(options)
    except (DeclarationError, DatasetError, RecordError, ResultsError) as error:
        sys.exit(f"tsd: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tsd", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    grid = argparse.ArgumentParser(add_help=False)
    grid.add_argument("--experiments", default="experiments", help="folder of declarations")
    grid.add_argument("--results", type=Path, default=Path("results"), help="folder of results")
    grid.add_argument("--scale", default="mini", help="id or YAML file")
    grid.add_argument("--dataset", help="id or YAML file; the scale's own by default")
    seeds = argparse.ArgumentParser(add_help=False, parents=[grid])
    seeds.add_argument("--seeds", help="how many of each run; the scale's own by default")
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", required=True, help="which of the grid's data sets")
    out = argparse.ArgumentParser(add_help=False)
    out.add_argument("--out", type=Path, required=True, help="file to write")
    job = argparse.ArgumentParser(add_help=False, parents=[grid])
    job.add_argument("--run", required=True)
    job.add_argument("--seed", type=int, required=True)
    job.add_argument("--digest", help="refuse if the declaration compiles to another")
    job.add_argument("--threads", type=int)
    job.add_argument("--log", type=Path, help="file that takes all output but the progress")
    collected = argparse.ArgumentParser(add_help=False)
    collected.add_argument("--collected", type=Path, required=True, help="what `collect` wrote")

    for name, command, parents, help_text in (
        ("check-data", steps.check_data, [grid, data, out], "check a data set before training"),
        ("check-run", steps.check_run, [job], "build a job's model before it trains"),
        ("open-tracking", steps.open_tracking, [grid], "prepare MLflow's store"),
        ("detect", steps.detect, [job], "dump the detections of a trained job"),
        ("submit", steps.submit, [job, out], "pack detections on the test set for its server"),
        ("latency", steps.latency, [job], "time of an image through a trained job's network"),
        ("evaluate", steps.evaluate, [job], "metrics from dumped detections"),
        ("track", steps.track, [job, out], "bring a job's files into MLflow"),
        ("track-missing", steps.track_missing, [seeds], "bring into MLflow what is not there yet"),
        ("report", steps.report, [seeds], "collect what there is and write the whole report"),
        ("status", questions.status, [seeds], "the grid: evaluated, running, failed, pending"),
        ("headline", questions.headline, [seeds], "the report's tables as text"),
        ("cost", questions.cost, [seeds], "GPU hours of the grid, by table"),
        ("declarations", declarations, [], "write the documentation of the YAML files"),
        ("bench", questions.bench, [], "speed and memory of the method, as ratios"),
    ):
        commands.add_parser(name, parents=parents, help=help_text).set_defaults(command=command)

    collect = commands.add_parser("collect", parents=[seeds, out], help="gather all results")
    collect.add_argument("--target", help="only the runs behind this table or figure")
    collect.set_defaults(command=steps.collect)
    page = commands.add_parser("page", parents=[grid, collected], help="write the report's pages")
    page.add_argument("--ready", default="", help="tables and figures that are written already")
    page.set_defaults(command=steps.page)
    table = commands.add_parser("table", parents=[collected, out], help="write one table")
    table.add_argument("table")
    table.set_defaults(command=steps.table)
    figure = commands.add_parser("figure", parents=[grid, out], help="draw one figure")
    figure.add_argument("figure", help="samples, gains, or the id of a declared one")
    figure.add_argument("--collected", type=Path, help="what `collect` wrote; not for samples")
    figure.set_defaults(command=steps.figure)
    extract = commands.add_parser("extract", parents=[job], help="what a figure shows of a job")
    extract.add_argument("kind", choices=list(extractions()))
    extract.set_defaults(command=steps.extract)
    train = commands.add_parser("train", parents=[job], help="train one job")
    train.add_argument("--minutes", type=float, default=0, help="end before these; 0: no limit")
    train.add_argument("--attempt", type=int, default=1, help="above 1: not if it cannot help")
    train.set_defaults(command=training_step.train)
    follow = commands.add_parser("follow", parents=[job], help="track a job while it trains")
    follow.add_argument("--pid", type=int, required=True, help="process that trains")
    follow.set_defaults(command=training_step.follow)
    made = commands.add_parser("make-data", help="make the embedded data set")
    made.add_argument("--root", type=Path, required=True, help="folder to make it in")
    made.add_argument("--content", required=True, help="its parameters as JSON")
    made.set_defaults(command=steps.make_data)
    openimages = commands.add_parser(
        "prepare-openimages", help="write what is read of Open Images from what is published"
    )
    openimages.add_argument("raw", type=Path, help="folder of the published files and images")
    openimages.add_argument("prepared", type=Path, help="folder to write to")
    openimages.set_defaults(command=steps.prepare_openimages)
    download = commands.add_parser("download", parents=[out], help="fetch one of COCO's archives")
    download.add_argument("archive", help="file name without .zip")
    download.set_defaults(command=steps.download)
    divide = commands.add_parser("divide-coco2014", parents=[out], help="the paper's division")
    divide.add_argument("--minival", type=Path, help="annotations of minival's images; 2017's val")
    divide.set_defaults(command=steps.divide_coco2014)
    for parser_of_coco in (download, divide):
        parser_of_coco.add_argument(
            "--root", type=Path, default=Path("data/coco"), help="COCO's folder"
        )
    return parser

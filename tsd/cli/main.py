"""Commands of ``python -m tsd``: each is a step of the workflow, or a question about it."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tsd import environment
from tsd.cli import (
    bundle_steps,
    diff,
    pack_step,
    plan,
    publishing_steps,
    questions,
    server_step,
    steps,
    summary_step,
    tracking_views,
    training_step,
)
from tsd.cli.declarations import declarations
from tsd.cli.gpu_place import Share, on_gpu
from tsd.cli.verdict_simulation import simulate_verdicts
from tsd.data.coco_format import DatasetError
from tsd.experiments.figure_kinds import extractions
from tsd.experiments.reading import DeclarationError
from tsd.experiments.settings import MOST_SEEDS
from tsd.results.bundle_format import BundleError
from tsd.results.collected import ResultsError
from tsd.results.publishing_error import PublishingError
from tsd.results.records import RecordError

MISTAKES = (
    BundleError,
    DatasetError,
    DeclarationError,
    PublishingError,
    RecordError,
    ResultsError,
)
"""What a person has to mend; the message says where and how."""

Parsers = Sequence[argparse.ArgumentParser]


def main(arguments: list[str] | None = None) -> None:
    """Run a command; a mistake of the user's ends with a message in place of a traceback."""
    environment.settle()
    options = _parser().parse_args(arguments)
    if getattr(options, "threads", None):
        # Read by OpenMP when torch is imported, which the command does later.
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
    try:
        with on_gpu(options.gpu):
            options.command(options)
    except MISTAKES as error:
        sys.exit(f"tsd: {error}")


SHARES_A_GPU = ("train", "detect", "extract", "submit")
"""Commands that compute on a GPU beside others."""

HAS_A_GPU_ALONE = ("latency",)
"""Commands that measure, for which reason nothing else may be on their GPU."""

DESCRIPTION = """\
Commands of this project: those that answer questions come first, then the steps of the workflow,
which Snakemake calls.

A run is a declared model. A training is a run with one of its seeds. The grid is all trainings of
a scale on a data set. A training is trained when it has ended, and evaluated when its detections
on the validation set are measured too.
"""


def _positive(text: str) -> int:
    """A whole number above zero."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"not a whole number above 0: {text!r}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tsd",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    grid = argparse.ArgumentParser(add_help=False)
    grid.add_argument(
        "--experiments", default="experiments", help="The declarations are in this folder."
    )
    grid.add_argument(
        "--results", type=Path, default=Path("results"), help="The results are in this folder."
    )
    grid.add_argument("--scale", default="mini", help="This is the scale, an id or a YAML file.")
    grid.add_argument(
        "--dataset",
        help="This is the data set, an id or a YAML file; without it, it is the scale's own.",
    )
    grid.add_argument(
        "--protocol",
        help="This is the protocol, an id or a YAML file; without it, it is the scale's own.",
    )
    grid.add_argument(
        "--checkpoint",
        help="Runs that are not trained take their weights from these files: NAME=FILE,…",
    )
    seeds = argparse.ArgumentParser(add_help=False, parents=[grid])
    seeds.add_argument(
        "--seeds",
        help=f"Each run has so many seeds, {MOST_SEEDS} at most, or with auto as many as the "
        "claims need; without it, it has those of the scale.",
    )
    wanted = argparse.ArgumentParser(add_help=False, parents=[seeds])
    wanted.add_argument(
        "--only",
        help="These tables, figures, claims and runs are wanted, with commas between them, or all; "
        "without it, they are those of the scale.",
    )
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", required=True, help="This one of the grid's data sets is meant.")
    out = argparse.ArgumentParser(add_help=False)
    out.add_argument("--out", type=Path, required=True, help="This file is written.")
    job = argparse.ArgumentParser(add_help=False, parents=[grid])
    job.add_argument("--run", required=True, help="A training of the run with this id is meant.")
    job.add_argument("--seed", type=int, required=True, help="Its seed is this number.")
    job.add_argument(
        "--digest", help="The command is refused if the run compiles to another digest."
    )
    job.add_argument("--threads", type=int, help="It may use so many threads.")
    job.add_argument("--log", type=Path, help="All output but the progress goes to this file.")
    collected = argparse.ArgumentParser(add_help=False)
    collected.add_argument(
        "--collected", type=Path, required=True, help="The command `collect` wrote this file."
    )

    def add(
        name: str, command: Callable[[argparse.Namespace], None], parents: Parsers, text: str
    ) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(
            name, parents=list(parents), help=text, description=text
        )
        gpu = Share.ALONE if name in HAS_A_GPU_ALONE else Share.NONE
        added.set_defaults(command=command, gpu=Share.SHARED if name in SHARES_A_GPU else gpu)
        return added

    for name, command, parents, text in (
        ("cost", questions.cost, [wanted], "Say how many GPU hours the grid takes, by table."),
        ("declarations", declarations, [], "Write the documentation of the YAML files anew."),
        (
            "track-missing",
            steps.track_missing,
            [wanted],
            "Bring those trainings into MLflow that could not be brought before.",
        ),
        (
            "check-data",
            steps.check_data,
            [grid, data, out],
            "Check a data set before anything trains on it.",
        ),
        (
            "check-run",
            steps.check_run,
            [job],
            "Build the model of a training, to find before it trains what cannot be.",
        ),
        ("open-tracking", steps.open_tracking, [grid], "Prepare the store of MLflow."),
        (
            "detect",
            steps.detect,
            [job],
            "Write down what a trained model detects in the validation set.",
        ),
        (
            "evaluate",
            steps.evaluate,
            [job],
            "Compute the metrics of the detections that were written down.",
        ),
        (
            "milestones",
            steps.milestones,
            [job],
            "Measure the weights that a training has kept on its way.",
        ),
        (
            "latency",
            steps.latency,
            [job],
            "Measure how long an image takes through a trained model.",
        ),
        (
            "submit",
            steps.submit,
            [job, out],
            "Pack what a trained model detects in the test set for its server.",
        ),
        ("track", steps.track, [job, out], "Bring the files of a training into MLflow."),
    ):
        add(name, command, parents, text)

    text = "Serve MLflow's pages on loopback, and print the addresses of the grid's views."
    ui = add("ui", tracking_views.ui, [grid], text)
    ui.add_argument("--port", type=int, default=tracking_views.PORT, help="They are served here.")
    text = "Say how far each training is that is asked for."
    state = add("status", questions.status, [wanted], text)
    state.add_argument(
        "--watch",
        action="store_true",
        help="A terminal shows it until all are evaluated, or until Ctrl-C.",
    )
    text = "Run MLflow's server with users, PostgreSQL and artifacts of its own."
    server_step.add_options(add("server", server_step.server, [], text))
    text = "Say what it costs to train what is asked for, before anything starts."
    asked = add("plan", plan.plan, [wanted], text)
    asked.add_argument(
        "targets", nargs="*", help="These tables, figures, claims and runs are meant, as by --only."
    )
    text = "Print the tables of a report as text."
    add("headline", questions.headline, [wanted], text).add_argument(
        "--since",
        type=int,
        help="Print them only if they are not older than this, which `date +%%s` has printed.",
    )

    text = "Say how two runs differ, in their compiled configs and in their results."
    differing = add("diff", diff.diff, [seeds], text)
    for name, which in (("first", "one"), ("second", "other")):
        differing.add_argument(
            name,
            metavar="RUN",
            help=f"This is the {which} run, with all seeds that were trained, or those that "
            "--seeds says; RUN:SEED means one of its trainings.",
        )
    text = "Judge the claims, and choose whose runs get more seeds (with --seeds auto)."
    look = add("look", plan.look, [wanted, out], text)
    look.add_argument("--number", type=int, required=True, help="This is the number of the look.")
    text = "Collect what there is, or what bundles hold, and write the whole report."
    report = add("report", steps.report, [wanted], text)
    report.add_argument(
        "--from",
        type=Path,
        nargs="+",
        dest="bundles",
        metavar="BUNDLE",
        help="The report is of these bundles, whose results go into the folder of results.",
    )
    bundle = add("bundle", bundle_steps.bundle, [wanted, out], "Put the results into one archive.")
    bundle.add_argument("--weights", action="store_true", help="The trained weights go in too.")
    text = "Bring the results of bundles into the folder of results."
    unbundle = add("unbundle", bundle_steps.unbundle, [], text)
    unbundle.add_argument("bundles", type=Path, nargs="+", metavar="BUNDLE", help="These are read.")
    unbundle.add_argument(
        "--results", type=Path, default=Path("results"), help="The results go into this folder."
    )
    text = "Write down what the runs of a grid are expected to measure, from what they measured."
    golden = add("golden", publishing_steps.golden, [], text)
    golden.add_argument(
        "--from",
        type=Path,
        required=True,
        dest="report",
        metavar="REPORT",
        help="This is the folder of a report, or the file results.json in it.",
    )
    golden.add_argument(
        "--experiments",
        type=Path,
        default=Path("experiments"),
        help="The file is written to the folder golden in this one.",
    )
    text = "Keep a report in the repository, and write its headline into the README."
    publish = add("publish", publishing_steps.publish, [], text)
    publish.add_argument(
        "--from",
        type=Path,
        required=True,
        dest="report",
        metavar="REPORT",
        help="This is the folder of a report, or the file results.json in it.",
    )
    publish.add_argument("--to", type=Path, required=True, help="This folder is written.")
    publish.add_argument(
        "--readme",
        type=Path,
        default=Path("README.md"),
        help="The headline goes between its marks in this document.",
    )
    bench = add("bench", questions.bench, [], "Measure speed and memory, as ratios.")
    bench.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="It runs there.")
    bench.add_argument(
        "--rounds",
        type=_positive,
        default=7,
        help="Each side is timed so often, but what takes a CPU long at most three times.",
    )
    bench.add_argument("--rows", help="These rows are measured, with commas between their names.")
    bench.add_argument("--out", type=Path, help="What is measured goes to this JSON file too.")

    text = "Simulate how often verdicts err and are reached, and write it into docs/verdicts.md."
    simulation = add("simulate-verdicts", simulate_verdicts, [], text)
    simulation.add_argument(
        "--experiments", default="experiments", help="The declarations are in this folder."
    )
    simulation.add_argument(
        "--out", type=Path, default=Path("docs"), help="The page is in this folder."
    )
    simulation.add_argument(
        "--replications", type=int, help="Everything is trained anew so often; 2000 by default."
    )

    text = "Gather the results of all trainings into one file."
    collect = add("collect", steps.collect, [wanted, out], text)
    collect.add_argument("--target", help="Only the runs behind this table or figure are gathered.")
    text = "Bring each run over its seeds into MLflow."
    add("track-summaries", summary_step.track_summaries, [wanted, collected, out], text)
    page = add("page", steps.page, [grid, collected], "Write the pages of the report.")
    page.add_argument("--ready", default="", help="These tables and figures are written already.")
    table = add("table", steps.table, [collected, out], "Write one table.")
    table.add_argument("table", help="The table has this id.")
    figure = add("figure", steps.figure, [grid, out], "Draw one figure.")
    figure.add_argument("figure", help="This is its id, or one of the words samples and gains.")
    figure.add_argument(
        "--collected",
        type=Path,
        help="The command `collect` wrote this file; samples do not need it.",
    )
    text = "Write down what a kind of figure shows of a trained model."
    extract = add("extract", steps.extract, [job], text)
    extract.add_argument(
        "kind", choices=list(extractions()), help="The figure is one of this kind."
    )
    train = add("train", training_step.train, [job], "Train a model.")
    train.add_argument(
        "--minutes",
        type=float,
        default=0,
        help="It ends before so many minutes, to go on later; 0 means that there is no limit.",
    )
    train.add_argument(
        "--attempt",
        type=int,
        default=1,
        help="This is the number of the attempt; a later one is not made where it cannot help.",
    )
    text = "Train a model in a job that several trainings share, and write down how that ended."
    attempt = add("attempt", pack_step.attempt, [job, out], text)
    attempt.add_argument(
        "--minutes", type=float, required=True, help="The job takes at most so many minutes."
    )
    attempt.add_argument(
        "--attempt", type=int, required=True, help="This is the number of the attempt."
    )
    attempt.add_argument(
        "--attempts", type=int, required=True, help="It is tried at most so many times."
    )
    text = "Take over a training that ended in a job which it shared with others."
    take_over = add("take-over", pack_step.take_over, [job], text)
    take_over.add_argument(
        "--outcome", type=Path, required=True, help="The command `attempt` wrote this file."
    )
    text = "Bring the files of a training into MLflow while it trains."
    follow = add("follow", training_step.follow, [job], text)
    follow.add_argument("--pid", type=int, required=True, help="This is the process that trains.")
    made = add("make-data", steps.make_data, [], "Make the embedded data set.")
    made.add_argument("--root", type=Path, required=True, help="It is made in this folder.")
    made.add_argument("--content", required=True, help="These are its parameters, as JSON.")
    text = "Write what training and evaluation on Open Images read, from what is published."
    openimages = add("prepare-openimages", steps.prepare_openimages, [], text)
    openimages.add_argument(
        "raw", type=Path, help="The published files and images are in this folder."
    )
    openimages.add_argument("prepared", type=Path, help="The files are written to this folder.")
    text = "Convert a checkpoint of the authors' released code to one that loads here."
    convert = add("convert-checkpoint", steps.convert_checkpoint, [], text)
    convert.add_argument("released", type=Path, help="This is the authors' file.")
    convert.add_argument("ours", type=Path, help="This file is written; it must not exist.")
    download = add("download", steps.download, [out], "Fetch one of the archives of COCO.")
    download.add_argument("archive", help="This is the name of its file, without .zip.")
    text = "Divide COCO 2014 into the splits of the paper."
    divide = add("divide-coco2014", steps.divide_coco2014, [out], text)
    divide.add_argument(
        "--minival",
        type=Path,
        help="The images of minival are those of this annotation file; without it, those of the "
        "val split of 2017.",
    )
    for parser_of_coco in (download, divide):
        parser_of_coco.add_argument(
            "--root", type=Path, default=Path("data/coco"), help="COCO is in this folder."
        )
    return parser

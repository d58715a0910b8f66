"""Collected results made by hand, from which the tests of reporting start."""

import itertools

import pytest

from tsd.data.split_report import Fate, Purpose, SplitReport
from tsd.experiments.dataset_schema import Dataset, Split
from tsd.experiments.metrics import METRICS
from tsd.experiments.schema import Figure, Row, Series, Table
from tsd.reporting.declared_figure import draw_declared
from tsd.results.collected import (
    RESULTS_VERSION,
    CollectedData,
    CollectedRun,
    CollectedScale,
    Results,
    State,
    Training,
)
from tsd.results.data_check import DataCheck
from tsd.results.records import TrackingRecord, TrainRecord

NASTY = "A|B & c_d <script>alert(1)</script> 100% ΔC P̂_c"
REASON = "RuntimeError: loss <b>became</b> nan"


def training(state="evaluated", error=None, per_class=None, **metrics):
    """One seed of a run, as it is collected."""
    evaluated = state == "evaluated"
    return Training(
        state=State(state),
        error=error,
        iteration=None if state == "not run" else 412,
        max_iterations=None if state == "not run" else 900,
        folder="results/mini/some/ab12cd34ef/seed0",
        tracking=TrackingRecord(experiment_id="1", run_id="f00d") if evaluated else None,
        train=train_record() if evaluated else None,
        metrics=metrics if evaluated else {},
        per_class=per_class or {},
    )


def train_record(key="mini/some/ab12cd34ef/seed0", **changes):
    """The summary of the finished training with a key."""
    _, run, digest, seed = key.split("/")
    return TrainRecord(
        **{
            "key": key,
            "run": run,
            "digest": digest,
            "seed": int(seed.removeprefix("seed")),
            "parameters": 3_000_000,
            "commit": "0123456789abcdef",
            "dirty": True,
            "iterations": 900,
            "attempts": 2,
            "seconds_last_attempt": 3725.0,
            "model_version": 1,
            "versions": {"torch": "2.1.0"},
            "machine": "x86_64",
            "device": "cpu",
            "threads": 1,
            **changes,
        }
    )


DIGESTS = (f"{number:010x}" for number in itertools.count(0xAB12CD34EF))


def run(*trainings, tables=("options",), differences=None):
    """A run with its trainings, the first with seed 0, and a digest that no other run has."""
    return CollectedRun(
        protocol=None,
        why="To be measured.",
        base="faster-rcnn_r50_fpn",
        base_file="tsd/configs/faster-rcnn_r50_fpn.py",
        backbone=None,
        network="ResNet-18, FPN-48, 160 px",
        dataset="embedded",
        papers_data="COCO 2017",
        is_about_these_data=True,
        is_on_papers_data=True,
        is_comparable=False,
        set=differences or {},
        digest=next(DIGESTS),
        at_scale=True,
        tables=list(tables),
        seeds=dict(enumerate(trainings)),
    )


def row(label, run=None, baseline=None, note=None, attributes=None, **published):
    return Row(
        label=label,
        run=run,
        baseline=baseline,
        attributes=attributes or {},
        published=published,
        note=note,
    )


def table(name, *rows, metrics=("params", "AP", "APl"), attributes=(), paper=True):
    return Table(
        id=name,
        title=f"The {name}",
        source="Table 1, Section 3.2",
        paper=paper,
        attributes=list(attributes),
        metrics=list(metrics),
        rows=list(rows),
    )


def figure(name, kind, *series, metrics=("AP",)):
    return Figure(
        id=name,
        title=f"The {name}",
        source="Figure 1, Section 1",
        kind=kind,
        metrics=list(metrics),
        series=[Series(**one) for one in series],
    )


def counted(dataset, per_class, train_per_class=None, notes=(), **fates):
    """What the check of a data set found: objects of the validation set by class.

    There are twice as many in the training set, unless they are given. A third of the validation
    set's objects is large, the others are small.
    """
    train_per_class = train_per_class or {name: 2 * n for name, n in per_class.items()}
    val, train = sum(per_class.values()), sum(train_per_class.values())
    return DataCheck(
        dataset=dataset,
        train=SplitReport(
            annotation_file="train.json",
            purpose=Purpose.TRAINING,
            images=40,
            images_without_objects=1,
            annotations=train + sum(fates.values()),
            fates={Fate.TRAINED: train, Fate.CROWD: 0, **{Fate(f): n for f, n in fates.items()}},
            per_class=train_per_class,
            sizes={"small": train, "medium": 0, "large": 0},
        ),
        val=SplitReport(
            annotation_file="val.json",
            purpose=Purpose.EVALUATION,
            images=1234,
            images_without_objects=0,
            annotations=val,
            fates={Fate.EVALUATED: val, Fate.CROWD: 0},
            per_class=per_class,
            sizes={"small": val - val // 3, "medium": 0, "large": val // 3},
        ),
        pixels={},
        ceiling=None,
        classes_without_training_objects=[],
        images_in_both=0,
        notes=list(notes),
    )


def make_results(tables, runs, is_paper=False):
    """Collected results, which may be compared with the paper's at its scale."""
    for one in runs.values():
        one.is_comparable = is_paper
    dataset = Dataset(
        id="embedded",
        title="Digits, made by hand",
        licence="CC BY 4.0",
        root="data/absent",
        train=Split(annotations="annotations/train.json", images="train/"),
        val=Split(annotations="annotations/val.json", images="val/"),
        classes=["one"],
    )
    return Results(
        version=RESULTS_VERSION,
        name="mini",
        generated="2026-01-01T12:00:00+00:00",
        commit="fedcba9876543210",
        dirty=False,
        scale=CollectedScale(
            id="mini", title="minutes", note="A note.", comparable=is_paper, is_paper=is_paper
        ),
        protocol=None,
        protocols={},
        decisions={},
        sources={},
        dataset=dataset,
        data={"embedded": CollectedData(dataset=dataset, check=None)},
        metrics=dict(METRICS),
        tables=tables,
        figures=[],
        claims=[],
        inconsistencies=[],
        runs=runs,
    )


@pytest.fixture
def results():
    """Every state a cell can have, and a baseline that only another table publishes."""
    options = table(
        "options",
        row("Baseline", "base", params=41.8, AP=36.0, APl=46.0, attributes={"M_cls": "✓"}),
        row(NASTY, "better", "base", AP=38.5, note="Read <i>this</i>."),
        row("One seed", "single", "base", AP=37.0),
        row("Fails", "failing", "base", AP=37.5),
        row("Half fails", "half", "base", AP=37.5),
        row("Waits", "waiting", "base", AP=37.6),
        row("Stopped", "stopped", "base", AP=37.6),
        row("Runs", "going", "base", AP=37.6),
        row("Only published", None, "base", AP=30.0),
        row("Left out", "absent", "base", AP=30.0),
        attributes=["M_cls"],
    )
    others = table("others", row("Elsewhere", "better", "single", AP=39.0), metrics=["AP"])
    runs = {
        "base": run(
            training(params=3.0, AP=30.0, APl=None), training(params=3.0, AP=31.0, APl=None)
        ),
        "better": run(
            training(params=3.2, AP=32.0, APl=40.0),
            training(params=3.2, AP=34.0, APl=42.0),
            differences={"model.a": {"type": "<B>"}},
            tables=("options", "others"),
        ),
        "single": run(training(params=3.1, AP=29.0, APl=float("nan"))),
        "failing": run(training("failed", REASON + "\n  File x")),
        "half": run(training("failed", REASON), training(params=3.0, AP=33.0, APl=1.0)),
        "waiting": run(training("not run")),
        "stopped": run(training("interrupted")),
        "going": run(training("running")),
    }
    return make_results([options, others], runs)


def draw_figure(results, declared, folder):
    """Draw a figure from results into a folder, and return its caption."""
    results.figures = [declared]
    results.write(folder / "results.json")
    draw_declared(folder / "results.json", declared.id, folder / declared.id)
    return (folder / f"{declared.id}.txt").read_text(encoding="utf-8")


@pytest.fixture
def collected(results, tmp_path):
    path = tmp_path / "report" / "results.json"
    results.write(path)
    return path

"""A grid with results made by hand, to be bundled: nothing is trained for it."""

import json
import os
import shutil
import time
from pathlib import Path

from tests.projects import copy_project
from tests.reporting.conftest import train_record
from tsd.experiments.metrics import EVALUATION_VERSION
from tsd.experiments.settings import open_grid
from tsd.results.records import DetectRecord, EvaluationRecord, LatencyRecord, TrackingRecord
from tsd.run_folder import RunFolder, write_json


def project(folder: Path) -> Path:
    """A project with Table 2 alone, which has two runs, tsd_joint and tsd_wo_pc."""
    folder.mkdir()
    return copy_project(folder, ["table2"])


def grid(seeds=1):
    """The grid of the project in the current folder."""
    return open_grid({"scale": "smoke", "seeds": seeds})


def measure(job, ap, **changes):
    """Leave the files of an evaluated training, as the steps do; the folder."""
    folder = start(job, state="done")
    record = train_record(
        key=job.key,
        run=job.run.id,
        digest=job.digest,
        seed=job.seed,
        seconds=60.0,
        weights_sha256=f"{job.seed:064x}",
        **changes,
    )
    record.write(folder.trained)
    record.write(folder.train)
    folder.events.write_text('{"step": 1, "metrics": {"loss": 2.0}}\n')
    folder.detections.write_text(json.dumps([{"image_id": 1, "score": ap}]))
    DetectRecord(key=job.key, images=12, detections=1, seconds_per_image=0.1, device="cpu").write(
        folder.detect
    )
    evaluation = EvaluationRecord(
        key=job.key,
        version=EVALUATION_VERSION,
        metrics={"AP": ap, "AP50": ap + 10},
        per_class={"one": ap, "two": None},
    )
    evaluation.write(folder.metrics)
    folder.per_class.write_text(evaluation.per_class_csv())
    LatencyRecord(
        key=job.key, median_ms=5, p10_ms=4, p90_ms=6, calls=9, images=3, device="cpu", threads=1
    ).write(folder.latency)
    TrackingRecord(uri="sqlite:///mlflow.db", run_id="f00d").write(folder.tracking)
    write_json(folder.extracted("sensitivity"), {"key": job.key, "margin": 1, "instances": []})
    (folder.work / "iter_4.pth").write_bytes(b"state")
    return folder


def start(job, **status) -> RunFolder:
    """Leave what a training leaves at its start, with a status."""
    folder = job.folder
    folder.work.mkdir(parents=True)
    write_json(folder.card, {"key": job.key})
    write_json(folder.config, {"model": {}})
    told = {"host": os.uname().nodename, "pid": 0, "pid_started": 0, "updated": time.time()}
    write_json(folder.status, {**told, "iteration": 4, "max_iterations": 4, **status})
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def forget(folder: Path) -> None:
    """Remove results, as a machine does that is given back."""
    shutil.rmtree(folder)

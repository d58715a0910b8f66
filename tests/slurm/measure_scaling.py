"""How the workflow, SLURM, the tracking store and the disk behave at many times the grid.

No test: it takes up to an hour and prints Markdown rows for docs/scaling.md. From the project's
root, with Debian's slurm-wlm and munge for the part `slurm`:

    PYTHONPATH=. python tests/slurm/measure_scaling.py dag --seeds 1 10 100
    PYTHONPATH=. python tests/slurm/measure_scaling.py slurm --count 2000 --sample 40
    PYTHONPATH=. python tests/slurm/measure_scaling.py mlflow --count 2000 --processes 4
    PYTHONPATH=. python tests/slurm/measure_scaling.py files results/smoke
"""

import argparse
import json
import multiprocessing
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import yaml
from conftest import Cluster, start

ROOT = Path.cwd()
NO_OPS = """
rule all:
    default_target: True
    input: expand("done/{i}", i=range(int(config["count"])))
    localrule: True
rule no_op:
    output: "done/{i}"
    shell: "touch {output}"
"""


class Ended(NamedTuple):
    """A process that has ended; memory is of the largest among it and its children."""

    status: int
    seconds: float
    cpu_seconds: float
    memory_mb: float


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(required=True)
    part = parts.add_parser("dag")
    part.add_argument("--scale", default="paper")
    part.add_argument("--seeds", type=int, nargs="+", default=[1, 10, 100])
    part.set_defaults(measure=lambda o: [measure_dag(o.scale, count) for count in o.seeds])
    part = parts.add_parser("slurm")
    part.add_argument("--count", type=int, default=2000)
    part.add_argument("--sample", type=int, default=40)
    part.set_defaults(measure=lambda o: measure_slurm(o.count, o.sample))
    part = parts.add_parser("mlflow")
    part.add_argument("--count", type=int, default=2000)
    part.add_argument("--processes", type=int, default=4)
    part.set_defaults(measure=lambda o: measure_mlflow(o.count, o.processes))
    part = parts.add_parser("files")
    part.add_argument("folder", type=Path)
    part.set_defaults(measure=lambda o: measure_files(o.folder))
    options = parser.parse_args()
    # A shell's background ignores it, and what is started from there would too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    options.measure(options)


def row(*cells):
    """Print a row of a Markdown table."""
    print("| " + " | ".join(f"{c:,.2f}" if isinstance(c, float) else str(c) for c in cells) + " |")
    sys.stdout.flush()


@contextmanager
def temporary_folder():
    folder = Path(tempfile.mkdtemp(prefix="scaling"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wait(process, started):
    """Wait for a process, and what it has used."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Ended(
        process.returncode,
        time.monotonic() - started,
        used.ru_utime + used.ru_stime,
        used.ru_maxrss / 1024,
    )


# ------------------------------------------------------------------------------------------- DAG


def measure_dag(scale, seeds):
    """Dry runs of the whole grid, and of one small target: what each job of SLURM's pays first."""
    settings = (f"scale={scale}", f"seeds={seeds}")
    with temporary_folder() as folder:
        whole, text = dry_run(settings, folder)
        part, _ = dry_run(settings, folder, f"results/{scale}/tracking-store")
    counts = {name: int(number) for name, number in re.findall(r"^(\w+) +(\d+)$", text, re.M)}
    row(seeds, counts["train"], counts["total"], *whole[1:], *part[1:])


def dry_run(settings, folder, *targets):
    log = folder / "log"
    command = ["snakemake", "-n", "--quiet", "rules", "--config", *settings, "--", *targets]
    started = time.monotonic()
    with log.open("w") as file:
        ended = wait(subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT), started)
    assert ended.status == 0, log.read_text()[-2000:]
    return ended, log.read_text()


# ----------------------------------------------------------------------------------------- SLURM


def measure_slurm(count, sample):
    """No-op jobs with the settings of profiles/slurm, on a cluster of this machine's own."""
    with start() as cluster, temporary_folder() as folder:
        (folder / "Snakefile").write_text(NO_OPS)
        shutil.copytree(ROOT / "profiles", folder / "profiles")
        (folder / "slurm").symlink_to("profiles/slurm")
        allowed = yaml.safe_load((folder / "slurm/config.yaml").read_text())["jobs"]
        cluster.run("scontrol", "update", "partitionname=gpu", "state=down")
        for jobs in (allowed, count):
            measure_queue(cluster, folder, count, jobs)
        cluster.run("scontrol", "update", "partitionname=gpu", "state=up")
        process, started = snakemake(cluster, folder, sample, allowed)
        ended = wait(process, started)
        row(f"{sample} run to their end, exit status {ended.status}", ended.seconds)


def snakemake(cluster, folder, count, jobs):
    command = ["snakemake", "--profile", "slurm", "--jobs", str(jobs)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--config", f"count={count}"],
            cwd=folder,
            env=cluster.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return process, time.monotonic()


def measure_queue(cluster: Cluster, folder, count, jobs):
    """Submit until as many as allowed are pending, ask for them, and press Ctrl-C."""
    process, started = snakemake(cluster, folder, count, jobs)
    first = wait_for_queue(cluster, process, lambda queued: queued > 0)
    full = wait_for_queue(cluster, process, lambda queued: queued >= min(count, jobs))
    time.sleep(15)
    queued = cluster.queue()
    answer = statistics.median(ask_like_the_plugin(cluster, queued[0].name) for _ in range(5))
    interrupted = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    empty = wait_for_queue(cluster, process, lambda queued: queued == 0)
    ended = wait(process, started)
    row(f"--jobs {jobs}: in the queue, of {count}", len(queued))
    row("seconds until the first is there", first - started)
    row("seconds from there until all are", full - first)
    row("submitted a second", (len(queued) - 1) / (full - first))
    row("milliseconds of squeue as the plugin asks", 1000 * answer)
    row("Snakemake's memory, MB", ended.memory_mb)
    row("Snakemake's CPU seconds", ended.cpu_seconds)
    row("seconds from Ctrl-C until the queue is empty", empty - interrupted)
    row("seconds from Ctrl-C until Snakemake has ended", started + ended.seconds - interrupted)
    left = [p.name for p in (folder / ".snakemake").glob("*") if any(p.glob("*"))]
    row("left: jobs, folders in .snakemake", f"{len(cluster.queue())}, {' '.join(sorted(left))}")


def wait_for_queue(cluster, process, condition):
    """When a condition of the number of jobs in the queue comes true, within ten minutes."""
    end = time.monotonic() + 600
    while not condition(len(cluster.queue())):
        assert time.monotonic() < end, cluster.run("squeue").stdout[-2000:]
        time.sleep(0.5)
    return time.monotonic()


def ask_like_the_plugin(cluster, name):
    started = time.monotonic()
    asked = ["squeue", "--format=%i|%T", "--states=all", "--noheader", "--name", name]
    cluster.run(*asked)
    return time.monotonic() - started


# ---------------------------------------------------------------------------------------- MLflow


def measure_mlflow(count, processes):
    """Runs synced into SQLite one after the other, then by several processes at a time."""
    from mlflow import MlflowClient

    from tsd.tracking.store import prepare_store

    with temporary_folder() as folder:
        database = folder / "mlflow.db"
        uri = f"sqlite:///{database}"
        prepare_store(uri, ["tsd-scaling"])
        runs = [make_run(folder / "runs" / str(i), i) for i in range(count)]
        seconds = [sync(run, uri)[0] for run in runs]
        tenth = max(count // 20, 1)
        row(f"seconds a run, the first {tenth}", statistics.mean(seconds[:tenth]))
        row(f"seconds a run, the last {tenth}", statistics.mean(seconds[-tenth:]))
        row("the slowest", max(seconds))
        row("MB of the database", database.stat().st_size / 1e6)
        artifacts = [p for p in (folder / "mlartifacts").rglob("*") if p.is_file()]
        row("files in mlartifacts", len(artifacts))
        again = [sync(run, uri)[0] for run in runs[:tenth]]
        row("seconds of a sync without news", statistics.mean(again))
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        for most in (100, 1000):
            row(f"seconds of a search, max_results={most}", search(client, most))
        measure_processes(folder, uri, count, tenth, processes)


def make_run(folder, number, events=20, metrics=8):
    """A finished training's folder."""
    folder.mkdir(parents=True)
    names = [f"metric_{i}" for i in range(metrics)]
    card = {
        "key": f"scaling/run{number % 66}/0123456789/seed{number // 66}-{number}",
        "name": f"run{number % 66} · seed {number // 66}",
        "experiment": "tsd-scaling",
        "tags": {f"tsd.tag{i}": f"value {i}" for i in range(8)},
        "params": {f"param_{i}": number + i for i in range(20)},
    }
    final = dict.fromkeys(("AP", "AP50", "AP75", "APs", "APm", "APl"), 40 + number / 1000)
    evaluation = {"key": card["key"], "version": 1, "metrics": final, "per_class": {}}
    lines = [
        {"step": 50 * i, "time": 1.7e9 + number + i, "metrics": dict.fromkeys(names, 1 / (i + 1))}
        for i in range(events)
    ]
    (folder / "card.json").write_text(json.dumps(card))
    (folder / "config.json").write_text(json.dumps({"model": names * 100}))
    (folder / "metrics.json").write_text(json.dumps(evaluation))
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "status.json").write_text(json.dumps({"state": "done", "updated": 1.7e9 + number}))
    return folder


def sync(run, uri):
    """Seconds of a sync, and its error."""
    from tsd.tracking.run_files import TrackingError
    from tsd.tracking.store import sync_run

    started = time.monotonic()
    try:
        sync_run(run, uri)
    except TrackingError as error:
        return time.monotonic() - started, str(error)
    return time.monotonic() - started, None


def search(client, most):
    experiment = client.get_experiment_by_name("tsd-scaling").experiment_id
    started = time.monotonic()
    client.search_runs([experiment], order_by=["attributes.start_time DESC"], max_results=most)
    return time.monotonic() - started


def measure_processes(folder, uri, count, each, processes):
    numbers = range(count, count + each * processes)
    runs = [make_run(folder / "runs" / str(i), i) for i in numbers]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        # Importing MLflow takes seconds: not part of it.
        pool.starmap(sync, [(runs[0], uri)] * processes, chunksize=1)
        started = time.monotonic()
        outcomes = pool.starmap(sync, [(run, uri) for run in runs[1:]], chunksize=1)
        total = time.monotonic() - started
    seconds = [time_taken for time_taken, _ in outcomes]
    errors = [error for _, error in outcomes if error]
    row(f"{processes} processes: runs a second", len(outcomes) / total)
    row("seconds a run, median", statistics.median(seconds))
    row("the slowest", max(seconds))
    row("errors", f"{len(errors)} {errors[:1]}")


# ----------------------------------------------------------------------------------------- files


def measure_files(folder):
    """Files and MB of the finished trainings below a folder of results, by what they are for."""
    files, sizes, trainings = Counter(), Counter(), 0
    for done in folder.glob("*/*/seed*/tracking.json"):
        trainings += 1
        for path in done.parent.rglob("*"):
            if path.is_file():
                purpose = purpose_of(path.relative_to(done.parent))
                files[purpose] += 1
                sizes[purpose] += path.stat().st_size
    assert trainings, f"no finished training below {folder}"
    for purpose in [*sorted(files), None]:
        number = (files[purpose] if purpose else files.total()) / trainings
        size = (sizes[purpose] if purpose else sizes.total()) / trainings / 1e6
        print_scaled = [f"{number * n:,.0f}, {size * n / 1000:,.1f} GB" for n in (66, 660, 6600)]
        row(purpose or f"all, mean of {trainings}", number, size, *print_scaled)

    for rule, seconds in cpu_seconds_of_rules(folder).items():
        row(f"CPU seconds of {rule}, mean of {len(seconds)}", statistics.mean(seconds))


def cpu_seconds_of_rules(folder):
    """As Snakemake's benchmark files have them; those without a measurement left out."""
    seconds = {}
    for path in sorted(folder.glob("*/*/seed*/logs/*.tsv")):
        header, values = (line.split("\t") for line in path.read_text().splitlines()[:2])
        measured = dict(zip(header, values, strict=True))["cpu_time"]
        if measured not in ("NA", "-"):
            seconds.setdefault(path.stem, []).append(float(measured))
    return seconds


def purpose_of(path):
    if path.suffix == ".pth" and path.parts[0] == "work":
        return "work/*.pth"
    if path.parts[0] in ("work", "logs"):
        return f"{path.parts[0]}/"
    return path.name if path.name in ("weights.pth", "detections.json") else "others"


if __name__ == "__main__":
    main()

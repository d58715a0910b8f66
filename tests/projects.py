"""Copies of the project with part of its grid."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

ROOT = Path.cwd()

WARM_VARIABLE = "TSD_TEST_WARM"
"""Names the folder of a virtual environment whose `python` starts at once (``tests/warm``)."""


def copy_workflow(folder: Path) -> Path:
    """Copy what the workflow needs, with all that is declared."""
    for name in ("Snakefile", "environment.yml"):
        shutil.copy(ROOT / name, folder)
    for name in ("workflow", "profiles", "experiments"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "slurm").symlink_to("profiles/slurm")
    return folder


def copy_project(folder: Path, tables: Sequence[str]) -> Path:
    """Copy what the workflow needs, with some tables, their runs, no figures and no claims."""
    copy_workflow(folder)
    declared = folder / "experiments"
    for kind in ("tables", "figures"):
        for path in (declared / kind).glob("*.yaml"):
            if path.stem not in tables:
                path.unlink()
    for name in ("claims.yaml", "inconsistencies.yaml"):
        (declared / name).unlink()
    for path in (declared / "scales").glob("*.yaml"):
        change_yaml(path, lambda scale: scale.pop("only", None))
    rows = [
        row
        for table in tables
        for row in yaml.safe_load((declared / "tables" / f"{table}.yaml").read_text())["rows"]
    ]
    keep = {row.get("run") for row in rows} | {row.get("baseline") for row in rows}
    for path in (declared / "runs").glob("*.yaml"):
        runs = [run for run in yaml.safe_load(path.read_text()) if run["id"] in keep]
        path.write_text(yaml.safe_dump(runs))
    return folder


def blocks(document: Path, language: str, heading: str) -> list[str]:
    """The code blocks of a language below a heading of a document, up to the next heading."""
    text = document.read_text(encoding="utf-8")
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", text, re.M | re.S)
    assert section, f"{document} has no heading {heading!r}"
    return re.findall(rf"```{language}\n(.*?)```", section[1], re.S)


def change_yaml(path: Path, change) -> None:
    """Read a YAML file, change its content in place, write it."""
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))


def programs() -> list[str]:
    """Folders for PATH: the tests' own Python, and before it the one that starts at once."""
    warm = [f"{os.environ[WARM_VARIABLE]}/bin"] if WARM_VARIABLE in os.environ else []
    return [*warm, str(Path(sys.executable).parent)]


def environment_of(project: Path) -> dict[str, str]:
    """This process's environment, for a command in a project."""
    environment = {**os.environ}
    path = programs()
    if (project / "tsd").exists():
        environment["PYTHONPATH"] = str(project)
        path = path[-1:]
    environment["PATH"] = ":".join([*path, os.environ["PATH"]])
    environment.pop("MLFLOW_TRACKING_URI", None)
    return environment


def run(project, *command, fails=False):
    """Run a command in a project; its output."""
    done = subprocess.run(
        command,
        cwd=project,
        env=environment_of(project),
        capture_output=True,
        text=True,
        timeout=900,
    )
    output = done.stdout + done.stderr
    assert (done.returncode != 0) == fails, output
    return output


@contextlib.contextmanager
def ended_with_its_group(process):
    """Kill a process that leads a group, and all of the group, whatever becomes of the test."""
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def started(project, *command, log, environment=None):
    """Have a program run beside a test; whatever becomes of the test, nothing of it stays behind.

    Args:
        project: It runs in this folder.
        command: The program with its arguments.
        log: Its output goes to this file.
        environment: Its environment; by default this process's.

    Yields:
        The process, which leads a group of its own.
    """
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=project,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    with ended_with_its_group(process):
        yield process


def snakemake(project, *targets, settings=(), fails=False):
    """Make targets at the scale smoke; the output."""
    config = ("--config", "scale=smoke", *settings)
    return run(project, "snakemake", "--cores", "2", *config, "--", *targets, fails=fails)


def dry_run(project, *settings, scale="smoke"):
    """Rule → number of jobs that would run."""
    config = ("--config", f"scale={scale}", *settings)
    output = run(project, "snakemake", "-n", "--cores", "2", *config, "--quiet", "rules")
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", output, re.M)}

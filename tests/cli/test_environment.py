"""Commands, and Snakemake, in environments that are meant for other programs or lack something."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.projects import copy_project

RUN = "r50"

HOSTILE = {
    "HOME": "/dev/null/x",  # no folder can be made there, not even by root
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYTHONIOENCODING": "ascii",
    "LC_ALL": "C",
    "LANG": "C",
}
NO_UTF_8 = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""Without these Python takes UTF-8 where the locale is C."""

LEFT_OUT = ("XDG_", "TORCH_HOME", "MPLCONFIGDIR", "MLFLOW_TRACKING", "SLURM_", "LC_", "PYTHONUTF8")


def call(command, project, **changes):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(LEFT_OUT)}
    environment |= {"PYTHONPATH": str(Path.cwd()), **changes}
    environment = {name: value for name, value in environment.items() if value is not None}
    return subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, timeout=600
    )


def tsd(project, *words, environment=HOSTILE):
    done = call([sys.executable, "-m", "tsd", *words], project, **environment)
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture(scope="module")
def project(tmp_path_factory, tiny_data):
    """A project with one run, at the smoke scale, on a data set that is there."""
    folder = copy_project(tmp_path_factory.mktemp("project"), ["table1"])
    path = folder / "experiments/datasets/embedded-tiny.yaml"
    declared = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**declared, "root": str(tiny_data), "embedded": None}))
    return folder


def test_every_step_of_a_run_and_every_question_is_answered(project):
    grid = ("--scale=smoke",)
    job = (*grid, f"--run={RUN}", "--seed=0")
    collected = "reports/smoke/results.json"
    for words in (
        ("check-data", *grid, "--data=embedded-tiny", "--out=data.json"),
        ("open-tracking", *grid),
        ("check-run", *job, "--log=check.log"),
        ("train", *job, "--log=train.log"),
        ("detect", *job),
        ("latency", *job),
        ("evaluate", *job),
        ("extract", "sensitivity", *job),
        ("extract", "proposals", *job),
        ("track", *job, "--out=tracking.json"),
        ("track-missing", *grid),
        ("collect", *grid, f"--out={collected}"),
        ("track-summaries", *grid, f"--collected={collected}", "--out=summaries.json"),
        ("table", "table1", f"--collected={collected}", "--out=tables"),
        ("figure", "samples", *grid, "--out=samples.png"),
        ("figure", "gains", *grid, f"--collected={collected}", "--out=gains.png"),
        ("page", *grid, f"--collected={collected}"),
        ("report", *grid),
        ("headline", *grid),
        ("status", *grid),
        ("cost", "--scale=paper"),
    ):
        done = tsd(project, *words, environment={**HOSTILE, **NO_UTF_8})
        assert done.returncode == 0, (words, done.stderr)
    assert (project / "reports/smoke/index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("change", [{name: value} for name, value in HOSTILE.items()], ids=HOSTILE)
def test_one_such_setting_alone_ends_no_question(project, change):
    assert "not run" in tsd(project, "status", "--scale=mini", environment=change).stdout


def test_without_a_home(project):
    assert "not run" in tsd(project, "status", "--scale=mini", environment={"HOME": None}).stdout


def test_a_mistake_is_told_in_a_line_of_ascii(project):
    done = tsd(project, "status", "--scale=größe")
    assert done.returncode == 1
    assert done.stderr.startswith("tsd: unknown scale 'gr")
    assert done.stderr.isascii()
    assert done.stderr.count("\n") == 1


def test_what_is_announced_reaches_a_terminal_that_knows_ascii_alone(project):
    done = tsd(project, "check-run", "--scale=smoke", f"--run={RUN}", "--seed=0", "--digest=0")
    assert "was planned as 0" in done.stderr
    broken = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:1", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    words = ("track", "--scale=smoke", f"--run={RUN}", "--seed=0", "--out=away.json")
    done = tsd(project, *words, environment={**HOSTILE, **broken})
    assert done.stdout.startswith("[r50 \\xb7 seed 0] smoke/r50/")


def test_snakemake_needs_no_home(project):
    snakemake = str(Path(sys.executable).with_name("snakemake"))
    command = [snakemake, "--cores=1", "--config", "scale=mini", "--"]
    done = call([*command, "results/mini/tracking-store"], project, **HOSTILE)
    assert done.returncode == 0, done.stderr
    assert (project / "results/mini/tracking-store").exists()
    planned = call([command[0], "-n", *command[1:], "table1"], project, **HOSTILE)
    assert planned.returncode == 0, planned.stderr
    assert "check_run" in planned.stdout + planned.stderr

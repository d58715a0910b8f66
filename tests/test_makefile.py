"""What make hands on to the programs that it calls."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PATH = 'd\'été "x" $HOME/d.yaml'
"""A file whose name a shell would read as more than a name."""

PROGRAM = f"""#!{sys.executable}
import json, os, pathlib, sys
words = [pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]
with open("told", "a") as file:
    file.write(json.dumps(words) + "\\n")
sys.exit(1 if words[0] == "snakemake" and os.environ.get("FAILS") else 0)
"""


@pytest.fixture
def make(tmp_path):
    """Calls make where its programs do no more than to write down what they were given."""
    shutil.copy("Makefile", tmp_path)
    programs = tmp_path / "venv" / "bin"
    for path in (
        tmp_path / "requirements" / "install.sh",
        programs / "python",
        programs / "snakemake",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PROGRAM)
        path.chmod(0o755)

    def call(*words, **changes):
        environment = {**os.environ, "VENV": "venv", **changes}
        for name in ("SCALE", "DATASET", "PROTOCOL", "CHECKPOINT", "ONLY", "SEEDS"):
            environment.pop(name, None)
        done = subprocess.run(
            ["make", "--silent", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        told = [json.loads(line) for line in Path(tmp_path, "told").read_text().splitlines()]
        return done, [words for words in told if words[0] != "install.sh"]

    return call


def test_a_name_reaches_the_programs_as_it_was_typed(make):
    typed = PATH.replace("$", "$$")  # of make's own
    done, (words,) = make("plan", f"DATASET={typed}", "ONLY=r50,tsd_pc")
    assert done.returncode == 0, done.stderr
    assert words[4:] == ["--scale", "mini", "--dataset", PATH, "--only", "r50,tsd_pc"]


def test_what_is_not_given_is_not_handed_on(make):
    _, (snakemake, *_) = make("reproduce", "CORES=3")
    assert snakemake[1:] == ["--cores", "3", "--config", "scale=mini", "--", "all"]


def test_each_setting_reaches_snakemake(make):
    given = {"scale": "transfer", "dataset": PATH, "protocol": "p", "checkpoint": "c", "only": "o"}
    words = [f"{name.upper()}={value.replace('$', '$$')}" for name, value in given.items()]
    _, (snakemake, *_) = make("reproduce", *words, "SEEDS=3")
    settings = snakemake[snakemake.index("--config") + 1 : snakemake.index("--")]
    assert settings == [f"{name}={value}" for name, value in given.items()] + ["seeds=3"]


def test_only_after_a_failure_an_earlier_report_is_not_shown(make):
    done, (*_, headline) = make("reproduce")
    assert done.returncode == 0
    assert headline[3:] == ["headline", "--scale", "mini", "--since", "0"]
    done, (*_, headline) = make("reproduce", FAILS="1")
    assert done.returncode != 0
    assert int(headline[-1]) > 0


def test_a_lock_is_removed_by_its_own_target(make):
    _, (words,) = make("unlock", "SCALE=smoke")
    assert words == ["snakemake", "--unlock", "--config", "scale=smoke"]

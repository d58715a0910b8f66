"""Copies of the project with part of its grid."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import yaml

ROOT = Path.cwd()


def copy_project(folder: Path, tables: Sequence[str]) -> Path:
    """Copy what the workflow needs, with some tables, their runs, no figures and no claims."""
    for name in ("Snakefile", "environment.yml"):
        shutil.copy(ROOT / name, folder)
    for name in ("workflow", "profiles", "experiments"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "slurm").symlink_to("profiles/slurm")
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

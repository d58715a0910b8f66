"""The documents' worked example of a kind of figure, followed to the letter."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

import tsd.reporting
from tests.projects import ROOT, blocks
from tests.reporting.conftest import train_record
from tsd.cli.main import main
from tsd.experiments import figure_kinds
from tsd.experiments.figure_kinds import FIGURE_KINDS
from tsd.experiments.load import load_experiments
from tsd.experiments.metrics import EVALUATION_VERSION
from tsd.experiments.reading import DeclarationError
from tsd.experiments.settings import open_grid
from tsd.results.records import EvaluationRecord
from tsd.run_folder import write_json

DOCUMENT, HEADING = ROOT / "CONTRIBUTING.md", "A kind of figure"


def example(language):
    """The blocks of a language in the worked example."""
    return blocks(DOCUMENT, language, HEADING)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Declarations with the example's figure, its kind being known and its module importable."""
    module, entry = example("python")
    (declaration,) = example("yaml")
    name = re.search(r"tsd/reporting/(\w+\.py)", DOCUMENT.read_text(encoding="utf-8")).group(1)
    (tmp_path / "reporting").mkdir()
    (tmp_path / "reporting" / name).write_text(module, encoding="utf-8")
    path = [*tsd.reporting.__path__, str(tmp_path / "reporting")]
    monkeypatch.setattr(tsd.reporting, "__path__", path)
    added = eval(f"{{{entry}}}", vars(figure_kinds))  # noqa: S307 it is this project's own text
    for kind in added:
        assert kind not in FIGURE_KINDS
        monkeypatch.setitem(FIGURE_KINDS, kind, added[kind])
    experiments = Path(shutil.copytree("experiments", tmp_path / "experiments"))
    name = yaml.safe_load(declaration)["id"]
    (experiments / "figures" / f"{name}.yaml").write_text(declaration, encoding="utf-8")
    return experiments


def figure_by_command(folder, results, out):
    """Run what Snakemake runs for the example's figure; give its caption and its drawing."""
    (declaration,) = example("yaml")
    name = yaml.safe_load(declaration)["id"]
    options = [f"--experiments={folder}", "--scale=smoke", f"--results={results}"]
    main(["collect", *options, f"--target={name}", f"--out={out / 'part.json'}"])
    collected = f"--collected={out / 'part.json'}"
    main(["figure", name, *options, collected, f"--out={out / name}.svg"])
    for suffix in ("svg", "pdf", "png"):
        assert (out / f"{name}.{suffix}").stat().st_size > 5000
    return (out / f"{name}.txt").read_text(encoding="utf-8"), (out / f"{name}.svg").read_text()


def finish(job, value):
    """Leave what a finished training of the job leaves, with a value of the example's metric."""
    train_record(key=job.key, seed=job.seed).write(job.folder.train)
    EvaluationRecord(
        key=job.key, version=EVALUATION_VERSION, metrics={"APs": value}, per_class={}
    ).write(job.folder.metrics)
    write_json(job.folder.status, {"state": "done"})


def test_the_example_gives_a_figure_with_a_caption(folder, tmp_path):
    grid = open_grid({"experiments": folder, "scale": "smoke"}, tmp_path / "results")
    finish(grid.job("r50", 0), 12.34)
    caption, drawn = figure_by_command(folder, tmp_path / "results", tmp_path / "out")
    assert caption.startswith("AP of small objects (after Table 9). Each bar is the mean")
    assert "r50 (seed 0; 0123456789, dirty); tsd_pc (not run)" in caption
    for text in ("AP of small objects", "12.3", "—", "sibling head", "TSD"):
        assert f"<!-- {text}" in drawn


def test_what_the_example_requires_is_checked(folder):
    (path,) = (folder / "figures").glob("small-*.yaml")
    path.write_text(path.read_text().replace("[APs]", "[APs, APm]"))
    with pytest.raises(DeclarationError, match=r"small-objects\.yaml: key metrics: expected 1"):
        load_experiments(folder)

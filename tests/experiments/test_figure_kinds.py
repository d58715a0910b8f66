import inspect
import shutil
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name

import pytest
import yaml

from tsd.cli.main import main
from tsd.experiments import figure_checks
from tsd.experiments.figure_kinds import FIGURE_KINDS, FigureKind, extractions
from tsd.experiments.load import load_experiments
from tsd.experiments.reading import DeclarationError
from tsd.experiments.settings import open_grid
from tsd.run_folder import RunFolder

FAULTS = {
    "unknown kind": ("figure6", {"kind": "iuo"}, r"key kind: unknown kind 'iuo'; did you .* 'iou'"),
    "one bar too few": (
        "figure6",
        {"series": [{"label": "a", "run": "r50"}]},
        r"key series: expected 2, found 1, in a figure of kind iou",
    ),
    "a metric without threshold": (
        "figure6",
        {"metrics": ["AP50", "AP"]},
        r"key metrics: 'AP' is not measured at one IoU threshold",
    ),
    "metrics of several sizes": (
        "figure6",
        {"metrics": ["AP50", "APs60"]},
        r"key metrics: AP50, APs60 differ in more than the IoU threshold",
    ),
    "metrics of boxes and masks": (
        "figure6",
        {"metrics": ["AP50", "mask_AP60"]},
        r"key metrics: AP50, mask_AP60 differ in more than the IoU threshold",
    ),
    "published values that are too many": (
        "figure6",
        {"metrics": ["AP50", "AP60", "AP70", "AP80"]},
        r"key published: 'ResNet-50' has 5 values for 4 metrics",
    ),
    "points where a run is needed": (
        "figure5",
        {"series": [{"label": "a", "points": {0.1: "r50"}}]},
        r"key series: 'a' has to name a run, and no points",
    ),
    "neither run nor points where a run is needed": (
        "figure5",
        {"series": [{"label": "a"}]},
        r"key series: 'a' has to name a run, and no points",
    ),
    "a run and points where a run is needed": (
        "figure5",
        {"series": [{"label": "a", "run": "r50", "points": {0.1: "r50"}}]},
        r"key series: 'a' has to name a run, and no points",
    ),
    "no curve": (
        "figure4",
        {"series": [{"label": "a", "run": "r50"}]},
        r"key series: at least one has to have points",
    ),
    "a run and points": (
        "figure4",
        {"series": [{"label": "a", "run": "r50", "points": {0.1: "tsd_pc"}}]},
        r"key series: 'a' has to have either points or a run",
    ),
    "neither run nor points": (
        "figure4",
        {"series": [{"label": "a"}]},
        r"key series: 'a' has to have either points or a run",
    ),
    "a run at a margin that is not its own": (
        "figure4",
        {"series": [{"label": "a", "points": {0.2: "tsd_pc_cls", 0.3: "tsd_pc"}}]},
        r"key series: 'a' has the run tsd_pc at 0.3, .* m_c: unset, m_r: unset; its set has",
    ),
    "a run at another margin": (
        "figure4",
        {"series": [{"label": "a", "points": {0.2: "tsd_pc_cls_03"}}]},
        r"key series: 'a' has the run tsd_pc_cls_03 at 0.2, .* m_c: 0.3, m_r: null",
    ),
    "a run with both terms": (
        "figure4",
        {"series": [{"label": "a", "points": {0.5: "r101_tsd_test"}}]},
        r"key series: 'a' has the run r101_tsd_test at 0.5, .* m_c: 0.5, m_r: 0.2",
    ),
    "a curve over two terms": (
        "figure4",
        {"series": [{"label": "a", "points": {0.2: "tsd_pc_cls", 0.3: "tsd_pc_loc_03"}}]},
        r"key series: 'a' is over m_c at some points, over m_r at others",
    ),
    "several metrics": (
        "figure4",
        {"metrics": ["AP", "AP50"]},
        r"key metrics: expected 1, found 2",
    ),
    "a baseline where no gain is drawn": (
        "figure5",
        {"series": [{"label": "a", "run": "r50", "baseline": "tsd_pc"}]},
        r"key series: 'a' has a baseline, and no gain would be drawn",
    ),
    "a gain over nothing": (
        "gain_over_length",
        {"series": [{"label": "a", "run": "r50"}]},
        r"key series: 'a' has to name another run as its baseline",
    ),
    "a gain over oneself": (
        "gain_over_length",
        {"series": [{"label": "a", "run": "r50", "baseline": "r50"}]},
        r"key series: 'a' has to name another run as its baseline",
    ),
    "published values that would not be drawn": (
        "figure1",
        {"series": [{"label": "a", "run": "r50", "published": [1.0]}]},
        r"key published: 'a' has values, and they would not be drawn",
    ),
}


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree("experiments", tmp_path / "experiments"))


def change(folder, name, changes):
    path = folder / "figures" / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))


@pytest.mark.parametrize("name", FIGURE_KINDS)
def test_what_a_kind_requires_exists(name):
    kind = FIGURE_KINDS[name]
    for requirement in (*kind.requires, *kind.requires_of_runs):
        assert callable(getattr(figure_checks, requirement))


@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_kind_requires_is_checked_when_a_figure_is_loaded(fault, folder):
    name, changes, message = FAULTS[fault]
    change(folder, name, changes)
    with pytest.raises(DeclarationError, match=rf"{name}\.yaml: {message}"):
        load_experiments(folder)


@pytest.mark.parametrize("name", FIGURE_KINDS)
def test_the_functions_of_a_kind_exist(name):
    kind = FIGURE_KINDS[name]
    assert len(inspect.signature(resolve_name(kind.draw)).parameters) == 2
    if kind.extract is not None:
        inspect.signature(resolve_name(kind.extract)).bind("job", "out")


def test_what_is_extracted_has_a_file_of_its_own():
    folder = RunFolder(Path("folder"))
    others = [getattr(folder, name) for name in dir(RunFolder) if not name.startswith("_")]
    for kind in extractions():
        assert folder.extracted(kind) not in others


def test_a_kind_that_extracts_is_a_choice_of_the_command_line(monkeypatch, capsys):
    monkeypatch.setitem(FIGURE_KINDS, "other", FigureKind("little", "no:draw", "no:extract"))
    monkeypatch.setitem(FIGURE_KINDS, "plain", FigureKind("nothing", "no:draw"))
    with pytest.raises(SystemExit):
        main(["extract", "--help"])
    choices = ",".join(extractions())
    assert choices.endswith(",other")
    assert f"{{{choices}}}" in capsys.readouterr().out


def test_a_figure_that_looks_into_networks_needs_what_is_extracted_from_first_seeds():
    grid = open_grid({"scale": "smoke", "seeds": 2})
    files = [Path(file) for file in grid.files_behind("figure5")]
    extracted = [file for file in files if file.name == "proposals.json"]
    assert [(file.parts[-4], file.parts[-2]) for file in extracted] == [
        ("r50", "seed0"),
        ("tsd_pc", "seed0"),
    ]
    assert {Path(file).name for file in grid.files_behind("figure6")} == {
        "metrics.json",
        "tracking.json",
    }


def test_a_figure_that_follows_trainings_needs_what_first_seeds_were_worth_on_their_way():
    grid = open_grid({"scale": "smoke", "seeds": 2})
    files = [Path(file) for file in grid.files_behind("ap_over_training")]
    of_milestones = {"milestones.json", "milestones_tracking.json"}
    runs = {"r50", "d_head", "tsd_wo_pc", "tsd_joint", "tsd_pc"}
    asked = [(file.parts[-4], file.parts[-2], file.name) for file in files]
    assert {one for one in asked if one[2] in of_milestones} == {
        (run, "seed0", name) for run in runs for name in of_milestones
    }
    assert len([one for one in asked if one[2] == "metrics.json"]) == 10
    for others in (grid.files_behind("gain_over_length"), grid.files_behind("table2")):
        assert of_milestones.isdisjoint(Path(file).name for file in others)


def test_at_a_scale_without_milestones_nothing_is_measured_on_the_way():
    grid = open_grid({"scale": "paper"})
    names = {Path(file).name for file in grid.files_behind("ap_over_training")}
    assert names == {"metrics.json", "tracking.json"}


def test_a_baseline_is_one_of_the_runs_of_a_figure():
    figure = load_experiments(Path("experiments")).figures["gain_over_length"]
    assert figure.runs == ["d_head", "r50", "tsd_wo_pc", "tsd_joint", "tsd_pc"]


def test_kinds_are_known_without_what_draws_and_extracts():
    code = (
        "import sys, tsd.experiments.figure_kinds\n"
        "print([name for name in ('torch', 'matplotlib', 'mmdet') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

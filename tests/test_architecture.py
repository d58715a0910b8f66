"""Imports go one way, and light commands stay light."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

LAYERS = {
    "models": {"models"},
    "data": {"data", "run_folder"},
    "evaluation": {
        "evaluation",
        "data",
        "experiments",
        "models",
        "results",
        "run_folder",
        "training",
    },
    "bench": {
        "bench",
        "cluster",
        "evaluation",
        "experiments",
        "models",
        "provenance",
        "reporting",
        "results",
        "training",
    },
    "cluster": {"cluster", "experiments", "liveness", "run_folder"},
    "experiments": {"experiments", "run_folder", "data"},
    "results": {"results", "data", "experiments", "liveness", "run_folder"},
    "training": {
        "training",
        "data",
        "event_file",
        "experiments",
        "liveness",
        "models",
        "results",
        "run_folder",
        "provenance",
    },
    "tracking": {"tracking", "event_file", "liveness", "results", "run_folder"},
    "reporting": {
        "reporting",
        "data",
        "experiments",
        "liveness",
        "results",
        "run_folder",
        "provenance",
    },
}
"""Package → the parts of tsd it may import."""

MLFLOW_IS_USED_BY = {
    "tsd/tracking/connection.py",
    "tsd/tracking/store.py",
    "tsd/tracking/summaries.py",
}


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("package", LAYERS)
def test_a_package_imports_only_what_lies_below_it(package):
    files = list(Path("tsd", package).rglob("*.py"))
    assert files
    for path in files:
        parts = {name.split(".")[1] for name in imports_of(path) if name.startswith("tsd.")}
        assert parts <= LAYERS[package], f"{path} imports {parts - LAYERS[package]}"


def test_no_module_imports_itself_by_a_detour():
    modules = {
        str(path.with_suffix("")).replace("/", "."): path for path in Path("tsd").rglob("*.py")
    }
    graph = {
        module: {
            found
            for name in imports_of(path)
            for found in (name, name.rpartition(".")[0])
            if found in modules and found != module
        }
        for module, path in modules.items()
    }
    assert any(graph.values())
    TopologicalSorter(graph).prepare()  # raises a CycleError that names the circle


def test_no_file_is_too_long_to_have_one_purpose():
    for path in [*Path("tsd").rglob("*.py"), *Path("tests").rglob("*.py")]:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path


def test_every_package_has_its_layer():
    packages = {path.parent.name for path in Path("tsd").glob("*/__init__.py")}
    assert packages - {"cli"} == set(LAYERS)


def test_only_tracking_knows_mlflow():
    users = {
        str(path)
        for path in Path("tsd").rglob("*.py")
        if any(name.split(".")[0] == "mlflow" for name in imports_of(path))
    }
    assert users == MLFLOW_IS_USED_BY


@pytest.mark.parametrize(
    "module",
    [
        "tsd.cli.main",
        "tsd.experiments.grid",
        "tsd.reporting.collect",
        "tsd.reporting.page",
        "tsd.reporting.verdicts",
        "tsd.tracking.store",
        "tsd.bench.coco_sides",
        "tsd.bench.large_report",
        "tsd.evaluation.coco",
        "tsd.evaluation.measure",
        "tsd.data.coco_check",
        "tsd.data.openimages_check",
        "tsd.data.download",
    ],
)
def test_light_modules_leave_torch_alone(module):
    code = f"import sys, {module}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_package_init_files_only_register():
    for path in Path("tsd").rglob("__init__.py"):
        for node in ast.parse(path.read_text()).body:
            assert isinstance(node, ast.ImportFrom | ast.Expr | ast.Assign), path

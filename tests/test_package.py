"""The project as somebody else installs it: a wheel beside mmdet, in a project of their own."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads(Path("pyproject.toml").read_text())["project"]

TRY = """
import sys

site, others, config = sys.argv[1:]
sys.path[:0] = [site, others]
import torch
import tsd
assert tsd.__file__.startswith(site), tsd.__file__
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.structures import InstanceData
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules

register_all_modules()
config = Config.fromfile(config)
config.model.backbone.init_cfg = None
torch.manual_seed(0)
model = MODELS.build(config.model)
sample = DetDataSample(metainfo=dict(
    img_shape=(128, 128), ori_shape=(128, 128), scale_factor=(1.0, 1.0)))
sample.gt_instances = InstanceData(
    bboxes=torch.tensor([[10.0, 20, 90, 100]]), labels=torch.tensor([3]))
data = dict(inputs=[torch.zeros(3, 128, 128, dtype=torch.uint8)], data_samples=[sample])
losses = model.train_step(data, build_optim_wrapper(model, config.optim_wrapper))
assert torch.isfinite(losses["loss"]) and "loss_pc_cls" in losses, losses
model.eval()
(found,) = model.test_step(data)
assert found.pred_instances.bboxes.shape[1] == 4
print("took a step and predicted")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    subprocess.run(
        [*command, "--quiet", "--wheel-dir", folder / "dist", copied(folder / "source")], check=True
    )
    (path,) = (folder / "dist").glob("*.whl")
    return path


def copied(target):
    """What is under version control of the package, so that building leaves nothing here."""
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--",
         "tsd", "pyproject.toml", "README.md", "LICENSE"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    for file in files:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        (target / file).write_bytes(Path(file).read_bytes())
    return target


def test_a_wheel_has_all_of_the_package_and_its_licence(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    wanted = [
        path
        for path in Path("tsd").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert {path.as_posix() for path in wanted} <= names
    assert any(name.endswith("dist-info/licenses/LICENSE") for name in names)


def test_the_readmes_config_trains_and_predicts_beside_mmdet_alone(wheel, tmp_path):
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (source,) = re.findall(r"```python\n(.*?)```", Path("README.md").read_text(), re.S)
    (tmp_path / "own.py").write_text(source)
    others = tmp_path / "others"
    linked = link(closure(PROJECT["dependencies"]), others)
    assert "mmdet" in linked
    assert not linked & {"snakemake", "mlflow", "pydantic", "pandas", "tsd"}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", TRY, site, others, tmp_path / "own.py"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "took a step and predicted" in done.stdout


def closure(requirements):
    """The distributions that pip would install for some requirements, by their names here."""
    found, left = set(), list(map(Requirement, requirements))
    while left:
        one = left.pop()
        name = canonicalize_name(one.name)
        if name in found or (one.marker and not any(
            one.marker.evaluate({"extra": extra}) for extra in (one.extras or {""})
        )):  # fmt: skip
            continue
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        found.add(name)
        left += map(Requirement, needs)
    return found


def link(distributions, folder):
    """Fill a folder with links to what these distributions have installed, and to nothing else."""
    folder.mkdir()
    linked = set()
    for name in sorted(distributions):
        distribution = importlib.metadata.distribution(name)
        tops = {file.parts[0] for file in distribution.files or [] if file.parts[0] != ".."}
        for top in tops - linked:
            (folder / top).symlink_to(distribution.locate_file(top))
        linked |= tops
    return linked


def test_every_import_of_the_project_is_declared():
    asked = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["pipeline"]]
    declared = closure(asked)
    owners = importlib.metadata.packages_distributions()
    named = {canonicalize_name(Requirement(text).name) for text in asked}
    assert declared >= named, "something that is declared is not installed"
    for module in sorted(imported() - set(sys.stdlib_module_names) - {"tsd", "triton"}):
        found = {canonicalize_name(name) for name in owners.get(module, [])}
        assert found & declared, f"{module} is imported, and nothing declared brings {found}"


def imported():
    """Top-level modules that the package imports anywhere."""
    found = set()
    for path in Path("tsd").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found


def test_the_version_is_the_same_wherever_it_is_written():
    assert yaml.safe_load(Path("CITATION.cff").read_text())["version"] == PROJECT["version"]
    assert f"## {PROJECT['version']}" in Path("CHANGELOG.md").read_text()

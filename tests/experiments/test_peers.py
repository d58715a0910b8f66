"""The detectors that Table 8 compares with: each row, its run, and mmdet's config agree."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tsd.experiments.compile import dictionaries
from tsd.experiments.load import MMDET, config_file
from tsd.experiments.schema import Run
from tsd.experiments.settings import open_grid

DOCUMENT = Path("docs/peers.md")
PAPER, SMOKE = (open_grid({"scale": scale}) for scale in ("paper", "smoke"))
EXPERIMENTS = PAPER.experiments
PEERS = {run.id: run for run in EXPERIMENTS.runs.values() if run.base.startswith(MMDET)}
ROWS = {row.run: row for row in EXPERIMENTS.table("table8").rows if row.run in PEERS}


def model(grid, run):
    return grid.jobs_of(run)[0].config.model.to_dict()


def test_the_detectors_that_mmdet_ships_have_a_row_each():
    assert len(PEERS) >= 13
    assert set(ROWS) == set(PEERS)
    filled = [row.run for row in EXPERIMENTS.table("table8").rows if row.run is not None]
    assert len(filled) == len(set(filled))


def test_the_bases_are_read_without_torch():
    bases = {str(config_file(run.base)) for run in PEERS.values()}
    assert all(Path(base).is_file() for base in bases)
    script = (
        "import sys; sys.modules['torch'] = None\n"
        "from mmengine.config import Config\n"
        "for path in sys.argv[1:]: Config.fromfile(path, import_custom_modules=False).model\n"
    )
    read = subprocess.run([sys.executable, "-c", script, *bases], capture_output=True, text=True)
    assert read.returncode == 0, read.stderr


@pytest.mark.parametrize("run", sorted(PEERS))
def test_the_backbone_is_the_rows_or_its_note_says_which_it_is(run):
    backbone = model(PAPER, run)["backbone"]
    name, _, depth = ROWS[run].attributes["backbone"].removesuffix("-DCN").partition("-")
    note = ROWS[run].note or ""
    same = backbone["type"].removesuffix("Net").endswith(name.removesuffix("Net"))
    if same and "depth" in backbone:
        same = backbone["depth"] == int(depth)
    assert same or f"with {backbone['type']}-{backbone['depth']}" in note, backbone
    if ROWS[run].attributes["backbone"].endswith("-DCN"):
        assert ("dcn" in backbone) != ("without DCN" in note), backbone


@pytest.mark.parametrize("run", sorted(PEERS))
def test_pretrained_weights_are_of_the_networks_depth(run):
    for part in dictionaries(model(PAPER, run)):
        weights = part.get("init_cfg") or {}
        if weights.get("type") == "Pretrained":
            (depth,) = re.findall(r"resnet(\d+)", weights["checkpoint"])
            assert part["depth"] == int(depth)


@pytest.mark.parametrize("run", sorted(PEERS))
def test_the_learning_rate_follows_the_batch(run):
    config = PAPER.jobs_of(run)[0].config
    assert config.auto_scale_lr.enable
    assert config.auto_scale_lr.base_batch_size > config.train_dataloader.batch_size


@pytest.mark.parametrize("run", sorted(PEERS))
def test_no_weights_are_needed_where_there_is_no_network(run):
    assert "Pretrained" not in [part.get("type") for part in dictionaries(model(SMOKE, run))]


def test_the_document_lists_every_peer_with_its_config():
    listed = dict(re.findall(r"^\| [^|]+ \| `(peer_\w+)` \| `([^`]+)`", DOCUMENT.read_text(), re.M))
    assert listed == {name: run.base.removeprefix(MMDET) for name, run in PEERS.items()}


def test_the_documents_example_is_a_run_over_a_config_that_mmdet_has():
    (example,) = re.findall(r"```yaml\n(- id.*?)```", DOCUMENT.read_text(), re.S)
    (entry,) = yaml.safe_load(example)
    assert config_file(Run.model_validate(entry).base).is_file()

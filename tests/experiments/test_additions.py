"""The README's ways to add to the grid, in as many steps as it says."""

import shutil
from pathlib import Path

import pytest
import yaml

from tsd.experiments.figure_checks import CONSTRAINT
from tsd.experiments.settings import open_grid


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree("experiments", tmp_path / "experiments"))


def declare(folder, **run):
    (folder / "runs" / "own.yaml").write_text(yaml.safe_dump([{"why": "To try it.", **run}]))


def edit(path, change):
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content, allow_unicode=True))


def grid(folder, scale):
    return open_grid({"experiments": str(folder), "scale": scale})


@pytest.mark.parametrize("scale", ["paper", "midi", "mini", "smoke", "transfer"])
def test_a_margin_is_a_run_and_a_point(folder, scale):
    own = {f"{CONSTRAINT}.m_c": 0.6, f"{CONSTRAINT}.m_r": None}
    declare(folder, id="tsd_pc_cls_06", base="tsd_faster-rcnn_r50_fpn", set=own)
    edit(
        folder / "figures" / "figure4.yaml",
        lambda figure: figure["series"][0]["points"].update({0.6: "tsd_pc_cls_06"}),
    )
    added = grid(folder, scale)
    assert "tsd_pc_cls_06" in {job.run.id for job in added.jobs_for("figure4")}
    constraint = added.job("tsd_pc_cls_06", 0).config.model.roi_head.progressive_constraint
    assert (constraint.m_c, constraint.m_r) == (0.6, None)


def test_a_backbone_is_a_file_and_a_run_and_for_small_scales_a_line(folder):
    (folder / "backbones" / "r18.yaml").write_text(
        "id: r18\ntitle: ResNet-18\nset:\n"
        "  model.backbone.depth: 18\n"
        "  model.backbone.init_cfg.checkpoint: torchvision://resnet18\n"
        "  model.neck.in_channels: [64, 128, 256, 512]\n"
    )
    declare(folder, id="r18_tsd", base="tsd_faster-rcnn_r50_fpn", backbone="r18")
    full = grid(folder, "paper").job("r18_tsd", 0).config.model
    assert (full.backbone.depth, full.neck.in_channels) == (18, [64, 128, 256, 512])
    assert "r18_tsd" not in {job.run.id for job in grid(folder, "mini").jobs}

    small = {"model.backbone.base_channels": 16, "model.neck.in_channels": [16, 32, 64, 128]}
    edit(folder / "scales" / "mini.yaml", lambda scale: scale["backbones"].update(r18=small))
    for scale in ("mini", "smoke"):
        assert grid(folder, scale).job("r18_tsd", 0).config.model.backbone.base_channels == 16


@pytest.mark.parametrize("scale", ["paper", "midi", "mini", "smoke", "transfer"])
def test_a_peer_is_one_entry(folder, scale):
    declare(folder, id="peer_libra", base="mmdet::libra_rcnn/libra-faster-rcnn_r101_fpn_1x_coco")
    job = grid(folder, scale).job("peer_libra", 0)
    heads = job.config.model.roi_head.bbox_head
    assert heads.num_classes == len(job.dataset.classes)
    weighted = job.config.model.backbone.init_cfg is not None
    assert weighted == job.scale.pretrained

"""The scale of the authors' weights at a small size, on the embedded data, with random weights."""

from pathlib import Path

import torch
import yaml

from tests.training.released_state import SMALL, released_state
from tsd.experiments.dataset_schema import Dataset

SCALE = {
    "id": "small-released",
    "title": "random weights of a few channels",
    "note": "Its numbers mean nothing.",
    "dataset": "embedded-tiny",
    "extends": "released",
    "resources": {"threads": 1, "mem_mb": 4000, "runtime": 10, "gpus": 0},
    "set": {
        "model.backbone": {
            "type": "ResNet",
            "depth": 50,
            "base_channels": SMALL["base"],
            "norm_cfg": {"type": "BN"},
            "norm_eval": True,
        },
        "model.neck": {
            "type": "FPN",
            "in_channels": [4 * SMALL["base"] * 2**level for level in range(4)],
            "out_channels": SMALL["pyramid"],
            "num_outs": 5,
        },
        "model.rpn_head.in_channels": SMALL["pyramid"],
        "model.rpn_head.feat_channels": SMALL["pyramid"],
        "model.roi_head.bbox_roi_extractor.out_channels": SMALL["pyramid"],
        "test_dataloader.dataset.pipeline.Resize.scale": [160, 160],
    },
    "bases": [
        {
            "match": "released_tsd_faster-*",
            "set": {
                "model.roi_head.bbox_head.in_channels": SMALL["pyramid"],
                "model.roi_head.bbox_head.fc_out_channels": SMALL["fc"],
                "model.roi_head.derived_proposals.hidden_channels": SMALL["hidden"],
            },
        }
    ],
}


def write_scale(folder: Path) -> Path:
    path = folder / "small-released.yaml"
    path.write_text(yaml.safe_dump(SCALE))
    return path


def write_weights(path: Path, dataset: Dataset, names: list[str] | None = None, **kind) -> Path:
    """A file as the authors' are, with as many classes as a data set."""
    sizes = {**SMALL, "classes": len(dataset.classes)}
    meta = {"epoch": 14, "mmdet_version": "1.1.0", "CLASSES": names or dataset.classes}
    torch.save({"meta": meta, "state_dict": released_state(sizes=sizes, **kind)}, path)
    return path

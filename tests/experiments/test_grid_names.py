"""Two grids whose results or reports would lie in one folder are told apart by a refusal."""

import itertools
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tsd.experiments.load import load_experiments
from tsd.experiments.reading import DeclarationError
from tsd.experiments.settings import open_grid

DECLARED = load_experiments(Path("experiments"))


def own(kind, folder, like, **changes):
    content = yaml.safe_load(Path("experiments", f"{kind}s", f"{like}.yaml").read_text())
    path = folder / f"{kind}.yaml"
    path.write_text(yaml.safe_dump({**content, **changes}, allow_unicode=True))
    return str(path)


def test_a_data_set_that_is_called_like_a_protocol_is_refused(tmp_path):
    path = own("dataset", tmp_path, "embedded", id="released")
    message = (
        f"{path}: key id: reports/mini-released would belong to two grids: to the scale mini on "
        "the data set released by the protocol paper, and to the scale mini on the data set "
        "embedded by the protocol released;"
    )
    with pytest.raises(DeclarationError, match=re.escape(message)):
        open_grid({"scale": "mini", "dataset": path})


def test_a_scale_that_is_called_like_a_scale_with_a_data_set_is_refused(tmp_path):
    path = own("scale", tmp_path, "mini", id="mini-coco2017")
    message = f"{path}: key id: results/mini-coco2017 would belong to two grids"
    with pytest.raises(DeclarationError, match=re.escape(message)):
        open_grid({"scale": path})


def test_a_name_with_a_hyphen_that_nothing_else_makes_is_accepted(tmp_path):
    path = own("dataset", tmp_path, "embedded", id="my-released")
    assert open_grid({"scale": "mini", "dataset": path}).report_name == "mini-my-released"


def test_every_declared_grid_has_names_of_its_own():
    grid = open_grid({"scale": "mini", "only": "r50"})
    ids = {}
    for scale, dataset, protocol in itertools.product(
        DECLARED.scales.values(), DECLARED.datasets.values(), DECLARED.protocols.values()
    ):
        found = replace(grid, scale=scale, dataset=dataset, protocol=protocol)
        parts = (scale.id, dataset.id, protocol.id)
        assert ids.setdefault(found.report_name, parts) == parts

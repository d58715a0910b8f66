"""Declarations made by hand, to which the tests of claims and inconsistencies refer."""

import pytest

from tsd.experiments.load import Experiments
from tsd.experiments.schema import Figure, Run, Table


@pytest.fixture
def declared():
    """Two runs, a table that prints numbers of one, and a figure that prints those of both."""
    table = {
        "id": "table8",
        "title": "Others",
        "source": "Table 8",
        "attributes": ["backbone"],
        "metrics": ["AP", "AP50"],
        "rows": [
            {"label": "A", "attributes": {"backbone": "ResNet-101"}, "published": {"AP": 40.0}},
            {"label": "TSD", "run": "tsd_pc", "published": {"AP": 43.0, "AP50": 60.0}},
        ],
    }
    figure = {
        "id": "figure6",
        "title": "t",
        "source": "s",
        "kind": "iou",
        "metrics": ["AP50", "AP60"],
        "series": [
            {"label": "baseline", "run": "r50", "published": [58.1, 53.3]},
            {"label": "TSD", "run": "tsd_pc", "published": [61.7, 57.3]},
            {"label": "drawn only", "run": "drawn"},
        ],
    }
    return Experiments(
        runs={name: Run(id=name, base="b", why="w") for name in ("r50", "tsd_pc")},
        backbones={},
        tables={"table8": Table.model_validate(table)},
        figures={"figure6": Figure.model_validate(figure)},
        scales={},
        datasets={},
        protocols={},
        decisions={},
        sources={},
    )

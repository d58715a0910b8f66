"""The lean parts that stand for mmdet's wherever a training uses these.

A config goes on naming mmdet's parts. What they compute is what the digest of a run is about, and
the lean parts compute the same, as their tests say.
"""

from collections.abc import Mapping
from typing import Any

from tsd.experiments.compile import dictionaries

LEAN = {
    "DeltaXYWHBBoxCoder": "LeanDeltaXYWHBBoxCoder",
    "MaxIoUAssigner": "LeanMaxIoUAssigner",
    "RandomSampler": "LeanRandomSampler",
    "RPNHead": "LeanRPNHead",
    "Shared2FCBBoxHead": "LeanShared2FCBBoxHead",
}
"""mmdet's parts by the names that configs give them, and what stands for each."""


def use_lean_parts(model: Mapping[str, Any]) -> None:
    """Put the lean parts into the config of a model, in place.

    What a batch holds is copied to a GPU without waiting for each piece.
    """
    for part in dictionaries(model):
        name = part.get("type")
        if isinstance(name, str):
            part["type"] = LEAN.get(name.removeprefix("mmdet."), name)
    if model["data_preprocessor"]["type"] == "DetDataPreprocessor":
        model["data_preprocessor"].setdefault("non_blocking", True)

"""Which masks a training sees: those that are of use."""

from typing import Any

from mmdet.datasets.transforms import LoadAnnotations
from mmdet.registry import TRANSFORMS
from mmengine.config import Config

from tsd.data.masks import mask_of
from tsd.experiments.compile import dictionaries

REPLACED = ("LoadAnnotations", "mmdet.LoadAnnotations")
"""Names that configs have for mmdet's transform."""


@TRANSFORMS.register_module()
class LoadUsableMasks(LoadAnnotations):
    """Load annotations as mmdet's ``LoadAnnotations`` does, whatever the masks are.

    An object whose polygons are not of three points at least is no object to mmdet, but an object
    without a ``segmentation`` is a ``KeyError``, and one whose run lengths are of another size
    stops the training. Here all objects without a usable mask are left out in the same way.
    """

    def _process_masks(self, results: dict[str, Any]) -> list[Any]:
        height, width = results["ori_shape"]
        for instance in results.get("instances", []):
            if not mask_of(instance.get("mask"), height, width).usable:
                instance["mask"] = []  # which mmdet takes for an object to leave out
        masks: list[Any] = super()._process_masks(results)
        return masks


def load_usable_masks(config: Config) -> None:
    """Have a config, in place, leave out objects without a usable mask wherever it loads masks."""
    for part in dictionaries(list(config.values())):
        if part.get("type") in REPLACED and part.get("with_mask"):
            part["type"] = "LoadUsableMasks"

"""How training and inference load an image: in the frame that its annotations are of."""

from typing import Any

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmdet.registry import TRANSFORMS
from mmengine import fileio
from mmengine.config import Config

from tsd.data.pixels import decode_in_frame
from tsd.experiments.compile import dictionaries

REPLACED = ("LoadImageFromFile", "mmcv.LoadImageFromFile", "mmdet.LoadImageFromFile")
"""Names that configs have for mmcv's transform."""


@TRANSFORMS.register_module()
class LoadImageInFrame(LoadImageFromFile):
    """Load an image as ``LoadImageFromFile`` does, but in the frame of its annotations.

    ``LoadImageFromFile`` turns a picture wherever its EXIF data say so. Here the width and height
    that the data set gives decide (``tsd.data.image_frame``). Images without EXIF orientation are
    the same by both.

    Required keys: ``img_path``, and ``width`` and ``height`` where the data set has them. Modified
    keys: ``img``, of shape [H, W, 3] and blue first; ``img_shape`` and ``ori_shape``, (H, W).

    Args:
        **settings: As of ``LoadImageFromFile``.

    Raises:
        ValueError: Another ``color_type`` or ``imdecode_backend`` is asked for than the usual one,
            by which images have not been checked.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        if (self.color_type, self.imdecode_backend) != ("color", "cv2"):
            raise ValueError(
                f"LoadImageFromFile with color_type {self.color_type!r} and imdecode_backend "
                f"{self.imdecode_backend!r}: only 'color' and 'cv2' are supported"
            )

    def transform(self, results: dict) -> dict | None:
        """Load the image that ``results`` names; None if it is unreadable and may be."""
        path = results["img_path"]
        width, height = results.get("width"), results.get("height")
        size = None if width is None or height is None else (width, height)
        try:
            content = fileio.get(path, backend_args=self.backend_args)
            image = decode_in_frame(content, size, str(path))
        except Exception:  # whatever a storage backend raises
            if self.ignore_empty:
                return None
            raise
        results["img"] = image.astype(np.float32) if self.to_float32 else image
        results["img_shape"] = results["ori_shape"] = image.shape[:2]
        return results


def load_in_frame(config: Config | dict) -> None:
    """Have a config, in place, load images in frame wherever a pipeline loads them from a file."""
    for part in dictionaries(list(config.values())):
        if part.get("type") in REPLACED:
            part["type"] = "LoadImageInFrame"

"""Open Images Challenge: the data as mmdet's loaders see them.

mmdet's ``OpenImagesChallengeDataset`` does the work, but not as it is: it reads image sizes from a
pickle and the hierarchy with ``allow_pickle``, both of which run whatever code a file holds, and
calls ``is_group_ofs`` what mmdet's metric asks for as ``is_group_of``. ``OpenImagesChallenge``
reads the files of ``tsd.data.openimages_format`` as plain data.
"""

from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from mmdet.datasets import OpenImagesChallengeDataset
from mmdet.registry import DATASETS


@DATASETS.register_module()
class OpenImagesChallenge(OpenImagesChallengeDataset):
    """A split as ``tsd.data.openimages_prepare.prepare`` writes it.

    Boxes are xyxy in pixels. In training those below one pixel in width or height are left out, as
    mmdet does with COCO's: they have no regression target.

    Args:
        ann_file: ``train.txt``, ``validation.txt`` or ``test.txt``.
        label_file: ``cls-label-description.csv``.
        hierarchy_file: ``class_label_tree.npy``.
        image_level_ann_file: ``validation-image-labels.csv``, for evaluation.
    """

    def __init__(self, ann_file: str, **kwargs: Any) -> None:
        super().__init__(ann_file=ann_file, meta_file="", **kwargs)

    @property
    def cat_ids(self) -> list[int]:
        """Category id of each label, as of a COCO data set."""
        return list(range(1, len(self.metainfo["classes"]) + 1))

    @property
    def class_labels(self) -> list[str]:
        """Open Images' own name of each class, such as ``/m/0k4j``."""
        return sorted(self.label_id_mapping, key=self.label_id_mapping.__getitem__)

    def load_data_list(self) -> list[dict]:
        """Read images and boxes, the classes and their relations, and the verified labels."""
        classes, self.label_id_mapping = self._parse_label_file(self.label_file)
        self._metainfo["classes"] = classes
        self._metainfo["RELATION_MATRIX"] = self._get_relation_matrix(self.hierarchy_file)
        images = list(self._images())
        if self.image_level_ann_file is not None:
            verified = self._parse_img_level_ann(self.image_level_ann_file)
            for image in images:
                found = verified.get(image["img_id"], [])
                labels = [entry["image_level_label"] for entry in found]
                image["image_level_labels"] = np.array(labels, dtype=np.int64)
        return images

    def _images(self) -> Iterator[dict]:
        with Path(self.ann_file).open(encoding="utf-8") as lines:
            for line in lines:
                name = line.strip()
                width, height = map(int, next(lines).split())
                boxes = [next(lines).split() for _ in range(int(next(lines)))]
                yield {
                    "img_id": PurePath(name).stem,
                    "img_path": str(Path(self.data_prefix["img"]) / name),
                    "width": width,
                    "height": height,
                    "instances": list(self._instances(boxes, width, height)),
                }

    def _instances(self, boxes: list[list[str]], width: int, height: int) -> Iterator[dict]:
        for number, *corners, is_group_of in boxes:
            x1, y1, x2, y2 = map(float, corners)
            box = [x1 * width, y1 * height, x2 * width, y2 * height]
            if self.test_mode or min(box[2] - box[0], box[3] - box[1]) >= 1:
                yield {
                    "bbox": box,
                    "bbox_label": int(number) - 1,
                    "ignore_flag": 0,
                    "is_group_of": is_group_of == "1",
                }

    def _get_relation_matrix(self, hierarchy_file: str) -> np.ndarray:
        return np.load(hierarchy_file, allow_pickle=False)[1:, 1:]

"""COCO's format as mmdet's loaders see it: labels in the order of the declared classes.

mmdet's ``CocoDataset`` numbers labels in the order in which the annotation file lists its
categories. Files of one data set need not agree on that order, and it need not be the order of the
declaration. Where it is, ``CocoDatasetByName`` is the same to the bit.
"""

from collections.abc import Sequence
from pathlib import Path

from mmdet.datasets import CocoDataset
from mmdet.datasets.api_wrappers import COCO
from mmdet.registry import DATASETS
from mmengine.config import Config

from tsd.data.coco_format import read_json_file
from tsd.data.labels import label_categories
from tsd.experiments.compile import dictionaries
from tsd.training.openimages import OpenImagesChallenge


class AnnotationsByName(COCO):
    """An annotation file whose categories are found by the names of the declared classes.

    Args:
        annotation_file: A JSON file, with or without a byte order mark.
    """

    def __init__(self, annotation_file: str) -> None:
        super().__init__()
        self._file = Path(annotation_file)
        self.dataset = read_json_file(self._file)
        self.createIndex()
        self.img_ann_map, self.cat_img_map = self.imgToAnns, self.catToImgs  # mmdet's names

    def get_cat_ids(
        self,
        cat_names: Sequence[str] = (),
        sup_names: Sequence[str] = (),
        cat_ids: Sequence[int] = (),
    ) -> list[int]:
        """The ids of categories; where names are given, one for each name, in their order.

        Raises:
            DatasetError: The file does not tell the category of a name.
        """
        if not cat_names or sup_names or cat_ids:
            return super().get_cat_ids(cat_names, sup_names, cat_ids)
        return list(label_categories(self._file, self.dataset, cat_names).category_ids)


@DATASETS.register_module()
class CocoDatasetByName(CocoDataset):
    """mmdet's ``CocoDataset`` with labels in the order of ``metainfo["classes"]``.

    Its ``cat_ids`` are the category ids in the order of the labels, as before.
    """

    COCOAPI = AnnotationsByName


def label_by_name(config: Config) -> None:
    """Have a config, in place, number labels by name wherever a ``CocoDataset`` is loaded.

    Raises:
        ValueError: Annotations are read by another class of data sets, which numbers labels in a
            manner of its own.
    """
    for part in dictionaries(list(config.values())):
        if "ann_file" in part and "metainfo" in part:
            kind = DATASETS.get(part["type"])
            if kind is CocoDataset:
                part["type"] = "CocoDatasetByName"
            elif kind not in (CocoDatasetByName, OpenImagesChallenge):
                raise ValueError(
                    f"{part['ann_file']} is read by a {part['type']}, whose labels may be in "
                    "another order than the declared classes; use a CocoDataset"
                )

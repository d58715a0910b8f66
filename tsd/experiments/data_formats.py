"""The formats that a data set may have, and all that differs between them.

:func:`format_of` is the one place that decides which format a declared data set has. Whoever needs
something that depends on it asks the format: the compiler, how loaders are pointed at a split and
which files tell one content from another; the workflow, which files the data set consists of; the
commands, what checks the data, measures detections and writes a submission.

Functions that check, list images, measure and submit are named here, as ``"module:function"``, and
not imported, because what measures and submits needs torch, which declarations never import.
Whoever calls such a function looks it up with :func:`pkgutil.resolve_name`.

A new format is a class here, with a line in :func:`format_of` that says which data sets have it.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tsd.experiments.dataset_schema import Dataset, OpenImages, Split


@dataclass(frozen=True)
class DataFormat:
    """What holds for data sets of every format, unless a format says otherwise.

    Attributes:
        dataset: The declared data set.
        check: Names the function that checks a split. It takes what :meth:`check_arguments` gives
            and a ``purpose``, and returns a :class:`tsd.data.split_report.SplitReport`.
        count_masks: Names the function that counts what masks are worth, as
            :func:`tsd.data.coco_check.count_masks` does; None where there are no masks.
        ceiling: Names the function that computes how far a perfect detector would come on the val
            split. It takes the annotations, the classes and the most detections that count, and
            returns a :class:`tsd.results.data_check.Ceiling`. None where nobody knows.
        is_in_file_order: Names the function that says whether a file of annotations lists the
            classes in the order of the declaration. It takes the file and the classes. None where
            every such file does.
        images: Names the function that yields the images of a split (``AnnotatedImage``), as its
            annotation file, the function's argument, describes them.
        measure: Names the function that measures a job's detections. It takes the job and, where
            they are not those that the job has written down, a list of detections in COCO's
            results format. It returns the record that becomes ``metrics.json``.
        write_submission: Names the function that writes detections as the server of the test set
            takes them. It takes the job, its detections in COCO's results format and a folder, and
            returns the file that it has written there.
        read_by: Names the class of data sets, in mmdet's registry, that reads it.
    """

    dataset: Dataset
    check: ClassVar[str]
    count_masks: ClassVar[str | None] = None
    ceiling: ClassVar[str | None] = None
    is_in_file_order: ClassVar[str | None] = None
    images: ClassVar[str]
    measure: ClassVar[str]
    write_submission: ClassVar[str]
    read_by: ClassVar[str]

    @property
    def files(self) -> dict[str, Path]:
        """The files that tell one content of the data set from another, by what they hold.

        Images are not among them: they are taken to be those that the annotations name.
        """
        root = Path(self.dataset.root)
        return {
            "train": root / self.dataset.train.annotations,
            "val": root / self.dataset.val.annotations,
        }

    @property
    def missing(self) -> list[Path]:
        """The files and folders of images that are not there.

        Nothing is missing from an embedded data set, which is made when it is needed.
        """
        if self.dataset.embedded is not None:
            return []
        root = Path(self.dataset.root)
        splits = (self.dataset.train, self.dataset.val)
        places = [*self.files.values(), *(root / split.images for split in splits)]
        return [place for place in places if not place.exists()]

    @property
    def remedy(self) -> str:
        """What to do where something of the data set is missing or damaged."""
        if self.dataset.fetched_by is not None:
            return f"`snakemake {self.dataset.fetched_by}` fetches this data set into data/coco"
        return f"put it there, or correct the paths in {self.dataset.origin}"

    @property
    def mistake(self) -> str | None:
        """What is wrong with the declaration in this format; None if nothing is."""
        return None

    @property
    def sampler(self) -> dict[str, Any] | None:
        """The sampler of the training loader; None leaves it as the base or the scale has it."""
        return None

    def point_at(self, loaded: dict[str, Any], split: Split) -> None:
        """Change the settings of a loader's data set, in place, so that it reads a split."""
        loaded["data_root"] = self.dataset.root
        loaded["ann_file"] = split.annotations
        loaded["data_prefix"] = {"img": split.images}
        loaded["metainfo"] = {"classes": tuple(self.dataset.classes)}

    def places(self, split: Split) -> tuple[Path, Path]:
        """The annotation file and the image folder of a split."""
        root = Path(self.dataset.root)
        return root / split.annotations, root / split.images

    def check_arguments(self, split: Split) -> tuple[Any, ...]:
        """Arguments of the function that ``check`` names: annotations, images, classes."""
        return (*self.places(split), self.dataset.classes)


class CocoFormat(DataFormat):
    """COCO's format: one JSON file of annotations for each split."""

    check = "tsd.data.coco_check:check_split"
    count_masks = "tsd.data.coco_check:count_masks"
    ceiling = "tsd.evaluation.ceiling:box_ceiling"
    is_in_file_order = "tsd.data.labels:is_in_file_order"
    images = "tsd.data.annotated_images:images_of_coco"
    measure = "tsd.evaluation.measure:measure_coco"
    write_submission = "tsd.evaluation.submission:write_for_coco"
    read_by = "CocoDataset"

    @property
    def mistake(self) -> str | None:
        """A name that stands twice: networks would have two rows for one category."""
        count = Counter(self.dataset.classes)
        twice = ", ".join(repr(name) for name, number in count.items() if number > 1)
        return f"key classes: names {twice} more than once" if twice else None


@dataclass(frozen=True)
class OpenImagesFormat(DataFormat):
    """The Open Images Challenge's format: a text file for each split, and files for all of them.

    Attributes:
        common: The files that are not of a single split.
    """

    common: OpenImages
    check = "tsd.data.openimages_check:check_split"
    images = "tsd.data.annotated_images:images_of_openimages"
    measure = "tsd.evaluation.measure:measure_openimages"
    write_submission = "tsd.evaluation.submission:write_for_openimages"
    read_by = "OpenImagesChallenge"

    @property
    def files(self) -> dict[str, Path]:
        """Those of every format, and ``labels``, ``hierarchy`` and ``verified``."""
        root = Path(self.dataset.root)
        common = self.common.model_dump()
        return super().files | {name: root / file for name, file in common.items()}

    @property
    def mistake(self) -> str | None:
        """What is wrong with the declaration in this format; None if nothing is."""
        return None

    @property
    def sampler(self) -> dict[str, Any]:
        """Class-aware sampling, which the paper uses on Open Images (Section 3.1)."""
        return {"type": "ClassAwareSampler", "num_sample_class": 1}

    def point_at(self, loaded: dict[str, Any], split: Split) -> None:
        """As for every format, and by the class of data sets that reads this one."""
        super().point_at(loaded, split)
        loaded["type"] = self.read_by
        loaded["label_file"] = self.common.labels
        loaded["hierarchy_file"] = self.common.hierarchy
        loaded.pop("filter_cfg", None)  # only COCO's class of data sets knows it

    def check_arguments(self, split: Split) -> tuple[Any, ...]:
        """As for every format, and the file that describes the classes."""
        return (*super().check_arguments(split), self.files["labels"])


def format_of(dataset: Dataset) -> DataFormat:
    """The format of a declared data set: COCO's, unless it declares the files of another."""
    if dataset.openimages is not None:
        return OpenImagesFormat(dataset, dataset.openimages)
    return CocoFormat(dataset)

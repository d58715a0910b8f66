"""Whether a data set has the masks that a run needs, asked before anything trains."""

from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from tsd.data.coco_format import DatasetError, counted, some_of
from tsd.data.split_report import Mask, Purpose
from tsd.experiments.compile import dictionaries, smallest_side
from tsd.experiments.data_formats import format_of
from tsd.experiments.job import Job

if TYPE_CHECKING:
    from mmengine.config import Config

_WORDS = {
    Mask.MISSING: "without a 'segmentation'",
    Mask.MALFORMED: "with one that is neither polygons of three points or more nor run lengths of "
    "the image's size",
    Mask.NO_AREA: "with one that has no area",
    Mask.RUN_LENGTHS: "with run lengths, which the run does not read (poly2mask: false)",
}


def check_masks(job: Job, announce: Callable[[str], None]) -> None:
    """Check that objects have masks, if a job is a run with masks.

    Nothing is said of files that are not there yet: the workflow makes them, or their check says
    that they are missing.

    Args:
        job: The job.
        announce: Called with a line about objects that have no usable mask, where others have.

    Raises:
        DatasetError: No object of a split has a mask that the run can use.
    """
    reads_polygons_alone = _reads_polygons_alone(job.config)
    if not job.predicts_masks and reads_polygons_alone is None:
        return
    data_format = format_of(job.dataset)
    if data_format.count_masks is None:
        raise DatasetError(
            f"{job.run.origin}: is a run with masks, and the format of data set {job.dataset.id} "
            "has none; leave this run out"
        )
    count_masks = resolve_name(data_format.count_masks)
    for split, purpose in (("train", Purpose.TRAINING), ("val", Purpose.EVALUATION)):
        file = data_format.files[split]
        if not file.is_file():
            continue
        side = smallest_side(job.config) if purpose is Purpose.TRAINING else 0
        count, useless = count_masks(file, job.dataset.classes, purpose=purpose, smallest_side=side)
        of_no_use = {mask: number for mask, number in count.items() if number and not mask.usable}
        if reads_polygons_alone and purpose is Purpose.TRAINING and count[Mask.RUN_LENGTHS]:
            of_no_use[Mask.RUN_LENGTHS] = count[Mask.RUN_LENGTHS]
        _tell(job, file, sum(count.values()), of_no_use, useless, announce)


def _tell(
    job: Job,
    file: Path,
    objects: int,
    of_no_use: dict[Mask, int],
    useless: list[int],
    announce: Callable[[str], None],
) -> None:
    if not of_no_use:
        return
    number = sum(of_no_use.values())
    reasons = ", ".join(f"{count} {_WORDS[mask]}" for mask, count in of_no_use.items())
    ids = f": annotation ids {some_of(useless)}" if useless else ""
    about = (
        f"{file}: {number} of {counted(objects, 'object', 'objects')} have no mask that a run with "
        f"masks can use ({reasons}){ids}"
    )
    if number == objects:
        raise DatasetError(
            f"{job.run.origin}: is a run with masks, but {about}; annotate masks, or leave out "
            "runs with masks: name those that are wanted with `only`"
        )
    announce(f"{about}; this run leaves them out")


def _reads_polygons_alone(config: "Config") -> bool | None:
    """Whether training loads masks as polygons alone; None if it loads no masks."""
    loading = [
        part
        for part in dictionaries(config.train_dataloader.to_dict())
        if str(part.get("type", "")).endswith("LoadAnnotations") and part.get("with_mask")
    ]
    return any(part.get("poly2mask") is False for part in loading) if loading else None

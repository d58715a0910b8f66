"""The step that checks a data set before anything trains on it."""

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name

from tsd.cli.job_step import grid_of
from tsd.data.annotated_images import AnnotatedImage
from tsd.data.box_check import BoxError
from tsd.data.coco_format import DatasetError, counted, some_of
from tsd.data.folds import write_folds
from tsd.data.image_check import ImageReport, check_images
from tsd.data.image_manifest import manifest_path, read_images
from tsd.data.shared_images import images_in_both
from tsd.data.split_report import Fate, Purpose, SplitReport
from tsd.experiments.compile import smallest_side
from tsd.experiments.data_formats import DataFormat, format_of
from tsd.experiments.dataset_schema import Dataset, Split
from tsd.experiments.folds import fold_files
from tsd.experiments.grid import Grid
from tsd.experiments.reading import DeclarationError, suggest
from tsd.results.data_check import Ceiling, DataCheck

PUBLISHED_LOOKED_AT = 1000
"""So many image files of a split are opened where all are known to be what was published."""


def check_data(options: Namespace) -> None:
    """Check both splits; say what becomes of each annotation, and write the record."""
    grid = grid_of(options)
    dataset = _dataset(grid, options.data)
    data_format = format_of(dataset)
    side = _smallest_side(grid, dataset)
    splits = {"train": dataset.train, "val": dataset.val}
    try:
        train = _check_annotations(data_format, dataset.train, Purpose.TRAINING, side)
        val = _check_annotations(data_format, dataset.val, Purpose.EVALUATION, 0)
    except BoxError:
        for split in splits.values():
            _check_images(data_format, split, options.results)  # images of another size come first
        raise
    pixels = {
        name: _check_images(data_format, split, options.results) for name, split in splits.items()
    }
    shared = _images_in_both(data_format, options.results)
    divided = _divided(data_format, options.results, options.out.parent)
    ceiling = None
    if data_format.ceiling is not None:
        compute = resolve_name(data_format.ceiling)
        ceiling = compute(data_format.files["val"], dataset.classes, dataset.max_detections)
    record = DataCheck(
        dataset=dataset,
        train=train,
        val=val,
        pixels=pixels,
        ceiling=ceiling,
        classes_without_training_objects=[n for n, count in train.per_class.items() if not count],
        images_in_both=len(shared),
        notes=[
            *train.notes,
            *val.notes,
            *(f"{name}: {line}" for name, found in pixels.items() for line in found.told()),
            *_about_small_images(train, side),
            *_about_classes(train, val),
            *(_about_folds(divided) if divided else _about_shared_images(shared, dataset)),
            *_about_ceiling(ceiling),
        ],
    )
    for line in _table(record):
        print(line)
    record.write(options.out)


def _dataset(grid: Grid, name: str) -> Dataset:
    """The data set of the grid that has this id."""
    if name not in grid.datasets:
        raise DeclarationError(
            f"no run of the grid uses a data set {name!r}" + suggest(name, grid.datasets)
        )
    return grid.datasets[name]


def _smallest_side(grid: Grid, dataset: Dataset) -> float:
    """The side in pixels below which runs on the data set leave out images; the largest of all."""
    sides = [0.0]
    for job in {job.run.id: job for job in grid.jobs if job.dataset.id == dataset.id}.values():
        try:
            sides.append(smallest_side(job.config))
        except DeclarationError:
            continue  # which stops that run alone, before it trains
    return max(sides)


def _check_annotations(
    data_format: DataFormat, split: Split, purpose: Purpose, side: float
) -> SplitReport:
    check = resolve_name(data_format.check)
    limits = {"smallest_side": side} if side else {}
    try:
        found: SplitReport = check(*data_format.check_arguments(split), purpose=purpose, **limits)
    except DatasetError as error:
        if data_format.dataset.fetched_by is None:
            raise
        raise DatasetError(f"{error}. {data_format.remedy}") from error
    return found


def _check_images(data_format: DataFormat, split: Split, results: Path) -> ImageReport:
    file, folder = data_format.places(split)
    return check_images(
        file, folder, _looked_at(data_format, split), manifest_path(results, folder)
    )


def _looked_at(data_format: DataFormat, split: Split) -> list[AnnotatedImage]:
    """The images whose files are opened: all, or of published ones some all over the split."""
    file, _ = data_format.places(split)
    images = list(resolve_name(data_format.images)(file))
    if not data_format.dataset.published or len(images) <= PUBLISHED_LOOKED_AT:
        return images
    step = len(images) / PUBLISHED_LOOKED_AT
    print(
        f"{file}: {PUBLISHED_LOOKED_AT} of {len(images)} image files are looked at, evenly spread "
        "over the split, because the data set is declared as published"
    )
    return [images[int(place * step)] for place in range(PUBLISHED_LOOKED_AT)]


def _images_in_both(data_format: DataFormat, results: Path) -> list[tuple[str, str]]:
    """The images of val that are training images too, each with the name that it has there."""
    files = []
    for split in (data_format.dataset.val, data_format.dataset.train):
        _, folder = data_format.places(split)
        names = (image.file_name for image in _looked_at(data_format, split))
        files.append(read_images(folder, names, manifest_path(results, folder), print))
    return images_in_both(*files)


def _divided(data_format: DataFormat, results: Path, checks: Path) -> list[list[int]]:
    """Write the annotation files of the folds, if the data set has any; the images of each."""
    dataset = data_format.dataset
    if dataset.folds is None:
        return []
    file, folder = data_format.places(dataset.train)
    names = (image.file_name for image in resolve_name(data_format.images)(file))
    files = read_images(folder, names, manifest_path(results, folder), print)
    sums = {name: image.content for name, image in files.items()}
    return write_folds(file, sums, fold_files(dataset, checks))


def _about_folds(divided: list[list[int]]) -> Iterator[str]:
    sizes = ", ".join(str(len(images)) for images in divided)
    yield (
        f"There is no validation split, but {len(divided)} folds, of {sizes} images. Seed k trains "
        f"on all folds but number k mod {len(divided)} and is tested on that one, so that the AP "
        "of a seed is that of its fold, and the spread over seeds has the difference of the folds "
        "in it. "
        f"Each image is tested once if the runs have {len(divided)} seeds. What is counted here of "
        "train and val is the whole."
    )


def _table(record: DataCheck) -> Iterator[str]:
    """What becomes of the annotations, and what else is to be known, as lines for a terminal."""
    for name, split in (("train", record.train), ("val", record.val)):
        yield (
            f"data set {record.dataset.id}, {name}: {counted(split.images, 'image', 'images')}, "
            f"{counted(split.annotations, 'annotation', 'annotations')}, of which"
        )
        width = len(str(split.annotations))
        for fate, count in split.fates.items():
            if count:
                yield f"  {count:{width}} {fate.text}"
        if split.masks:
            yield (
                f"  {counted(split.usable_masks, 'object has', 'objects have')} a mask that a run "
                f"with masks can use, {split.objects - split.usable_masks} not"
            )
    for note in record.notes:
        yield f"  note: {note}"


def _about_small_images(train: SplitReport, side: float) -> Iterator[str]:
    count = sum(count for fate, count in train.fates.items() if fate is Fate.SMALL_IMAGE)
    if count:
        yield (
            f"{train.annotation_file}: {counted(count, 'annotation is', 'annotations are')} in "
            f"images with a side below {side:g} pixels. Training leaves such images out "
            "(filter_cfg.min_size of the data loader)."
        )


def _about_classes(train: SplitReport, val: SplitReport) -> Iterator[str]:
    unlearnt = [name for name, count in train.per_class.items() if not count]
    if unlearnt:
        asked_for = sum(val.per_class[name] for name in unlearnt)
        yield (
            f"{train.annotation_file}: {counted(len(unlearnt), 'class has', 'classes have')} no "
            f"object to train on: {some_of(unlearnt)}. Nothing can be learnt of such a class; val "
            f"has {counted(asked_for, 'object', 'objects')} of these classes."
        )
    unmeasured = [name for name, count in val.per_class.items() if not count]
    if unmeasured:
        yield (
            f"{val.annotation_file}: {counted(len(unmeasured), 'class has', 'classes have')} no "
            f"object to evaluate with: {some_of(unmeasured)}. A class without objects has no AP, "
            "and is no part of the mean."
        )


def _about_shared_images(shared: list[tuple[str, str]], dataset: Dataset) -> Iterator[str]:
    if dataset.train == dataset.val:
        yield (
            "Train and val are one and the same split, on which weights can be evaluated that were "
            "trained elsewhere. A model that is trained on it is not to be measured by it."
        )
    elif shared:
        pairs = some_of((f"{val!r} is {train!r} of train" for val, train in shared), str)
        yield (
            f"{counted(len(shared), 'image of val is', 'images of val are')} in train as well, "
            f"to the byte: {pairs}. What was learnt by heart raises the AP; leave them out of "
            "one of the two."
        )


def _about_ceiling(ceiling: Ceiling | None) -> Iterator[str]:
    if ceiling is None or ceiling.ap is None:
        return
    if ceiling.objects_beyond:
        most = counted(ceiling.max_detections, "detection", "detections")
        yield (
            f"{counted(ceiling.objects_beyond, 'object', 'objects')} of val, in "
            f"{counted(ceiling.images_beyond, 'image', 'images')}, cannot be found by any "
            f"detector: of an image no more than {most} may be reported. The key max_detections "
            "of the data set's declaration changes that."
        )
    if ceiling.ap < 99.95:
        yield (
            f"A perfect detector reaches an AP of {ceiling.ap:.1f} on val, computed by evaluating "
            "the annotated boxes themselves, clipped to their images and as many as count."
        )

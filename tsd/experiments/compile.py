"""From declarations to an mmengine config, and to the digest that names its results.

base config → backbone → protocol → scale → the scale's word on the base and on the backbone → data
set → its pretrained weights → its differences → the run's differences. A later step wins: what a
run is about is never overruled. The scale's ``length`` then multiplies the schedule that has come
out of all of them. A difference replaces the value at its path, and the path has to
exist: mmengine's own merge would silently accept ``cls_marginn``.
"""

import copy
import functools
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from mmengine.config import Config

from tsd.data.image_identity import images_content
from tsd.data.version import GENERATOR_VERSION
from tsd.experiments.computing import compute_as_asked
from tsd.experiments.config_paths import existing_keys
from tsd.experiments.data_formats import format_of
from tsd.experiments.dataset_schema import MAX_DETECTIONS, Dataset, Split
from tsd.experiments.declaration import Differences
from tsd.experiments.folds import FOLDS_VERSION
from tsd.experiments.length import lengthen
from tsd.experiments.load import config_file
from tsd.experiments.protocol_schema import Protocol
from tsd.experiments.reading import DeclarationError
from tsd.experiments.scale_schema import Scale
from tsd.experiments.schema import Backbone, Run
from tsd.experiments.sizes import use_tuples
from tsd.experiments.value_kinds import first_mismatch
from tsd.experiments.value_ranges import require_in_range

MODEL_VERSION = 1
"""Raised when the code computes something else from the same config, so that results made with
the earlier meaning are not taken for current ones."""

_MACHINE_FACTS = frozenset(
    {"work_dir", "data_root", "num_workers", "persistent_workers", "backend_args", "log_level"}
)
"""Keys, at any depth, that do not change what is computed."""

_OUTSIDE_DIGEST = frozenset(
    {
        "custom_imports",
        "default_hooks",
        "env_cfg",
        "log_processor",
        "submission_augmentation",
        "vis_backends",
        "visualizer",
    }
)
"""Top-level keys that do not change what is computed."""

_WITHOUT_EFFECT = frozenset(
    {
        "backend_args",
        "data_root",
        "dataset_type",
        "img_scales",
        "max_epochs",
        "norm_cfg",
        "test_cfg",
        "test_evaluator",
        "test_pipeline",
        "train_pipeline",
        "tta_model",
        "tta_pipeline",
        "val_cfg",
        "val_dataloader",
        "val_evaluator",
    }
)
"""Top-level keys of mmdet's bases that are copied elsewhere, or belong to an evaluation that is not
ours. Left out, so that a difference which names one is refused rather than ignored."""


def compile_run(
    run: Run,
    backbone: Backbone | None,
    protocol: Protocol | None,
    scale: Scale,
    dataset: Dataset,
    results: Path,
) -> Config:
    """The mmengine config of a run at a scale on a data set.

    Args:
        run: The run.
        backbone: The one that it names, if any.
        protocol: Combined with those that it extends; None to train as the bases say.
        scale: Combined with those that it extends.
        dataset: The data set.
        results: Folder of all results, in which is remembered what images were found to be.

    Raises:
        DeclarationError: If a difference names a path that does not exist, or the scale says what
            to change in runs by their base and has nothing for this one's.
    """
    if not scale.has_settings_for(run.base):
        raise DeclarationError(
            f"{scale.origin}: key bases: no entry matches {run.base!r}, the base of run {run.id}, "
            f"so that this run would not be made at the size of scale {scale.id}; add an entry "
            "whose match is this name, with `set: {}` if there is nothing to change"
        )
    content = under_protocol(run, backbone, protocol)
    apply_differences(content, scale.set, scale.origin)
    for entry in scale.bases:
        if entry.is_for(run.base):
            apply_differences(content, entry.set, scale.origin)
    if backbone is not None and scale.backbones is not None:
        apply_differences(content, scale.backbones[backbone.id], scale.origin)
    _use_dataset(content, dataset, results)
    _use_weights(content["model"], backbone_id(run, scale), dataset)
    apply_differences(content, dataset.set, dataset.origin)
    apply_differences(content, run.set, run.origin)
    _require_classes(content["model"], run, dataset)
    if scale.length != 1:
        lengthen(content, scale.length, scale.origin)
    if not scale.pretrained:
        _start_at_random(content["model"])
    compute_as_asked(content, scale, run.base)
    return Config(content, format_python_code=False)  # yapf takes seconds


def under_protocol(
    run: Run, backbone: Backbone | None, protocol: Protocol | None
) -> dict[str, Any]:
    """What a run is at full size, before anything is said of it by a scale, by data or by itself.

    Args:
        run: The run.
        backbone: The one that it names, if any.
        protocol: Combined with those that it extends; None to train as the bases say.

    Raises:
        DeclarationError: If a difference names a path that does not exist.
    """
    content = copy.deepcopy(_content_of_base(run.base))
    # mmengine's default, said, so that a scale can change it in any base.
    content["auto_scale_lr"] = {"enable": False, **content.get("auto_scale_lr", {})}
    if backbone is not None:
        apply_differences(content, backbone.set, backbone.origin)
    for place, settings in protocol.settings_for(run) if protocol is not None else ():
        apply_differences(content, settings, place)
    return content


def backbone_id(run: Run, scale: Scale) -> str | None:
    """Id of the declared backbone that a run has at a scale; None if it has its base's own."""
    return run.backbone or scale.backbone_for(run.base)


def pretrained_part(model: dict[str, Any] | None) -> dict[str, Any] | None:
    """The part of a compiled model that says which weights its backbone starts from.

    Args:
        model: The compiled model; None where a run takes it away.

    Returns:
        The ``init_cfg`` with the key ``checkpoint``; None if the backbone starts at random.
    """
    backbone = model.get("backbone") if isinstance(model, dict) else None
    starts = backbone.get("init_cfg") if isinstance(backbone, dict) else None
    for start in [starts] if isinstance(starts, dict) else starts or ():
        if isinstance(start, dict) and start.get("type") == "Pretrained":
            return start
    return None


def _use_weights(model: dict[str, Any], backbone: str | None, dataset: Dataset) -> None:
    """Have a model start, in place, from the data set's weights for its backbone.

    Models with a backbone that the data set has no weights for, or that starts at random, stay as
    they are.
    """
    part = pretrained_part(model)
    if part is not None and backbone in dataset.weights:
        part["checkpoint"] = dataset.weights[backbone]


@functools.cache
def _content_of_base(base: str) -> dict[str, Any]:
    config = Config.fromfile(config_file(base), import_custom_modules=False)
    require_in_range(config.to_dict(), "", f"{config_file(base)}: ")
    return {k: v for k, v in config.to_dict().items() if k not in _WITHOUT_EFFECT}


def digest(config: Config) -> str:
    """Ten hexadecimal digits that change when, and only when, the result may."""
    content = {k: v for k, v in config.to_dict().items() if k not in _OUTSIDE_DIGEST}
    meaning = {"model_version": MODEL_VERSION, "config": _without_machine_facts(content)}
    canonical = json.dumps(meaning, sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]


def apply_differences(content: dict[str, Any], differences: Differences, place: str) -> None:
    """Replace the value at each dotted path, in place.

    Args:
        content: A config as nested dictionaries and lists. In a path an entry of a list is named
            by its number, by its ``type`` (``pipeline.Resize.scale``), or all of them by ``*``.
        differences: Path → value.
        place: Named in errors.

    Raises:
        DeclarationError: If a path does not exist, naming the part and the nearest valid one, or
            if a value is of another kind than the one it replaces, at any depth of both, or is one
            that no training can have.
    """
    for path, value in differences.items():
        *parents, last = path.split(".")
        targets: list[Any] = [content]
        for depth, part in enumerate(parents):
            where = f"{place}: key set: path {path!r}: {'.'.join(parents[:depth]) or 'the config'}"
            targets = [t[key] for t in targets for key in existing_keys(t, part, where)]
        where = f"{place}: key set: path {path!r}: {'.'.join(parents) or 'the config'}"
        for target in targets:
            for key in existing_keys(target, last, where):
                target[key] = _replacement(target[key], value, path, place)


def _start_at_random(model: dict[str, Any]) -> None:
    """Take pretrained weights away, the one thing of a run that a scale may overrule.

    What was fixed with them cannot stay so: random layers would never learn, and statistics of
    normalisation that are those of nothing let activations grow until they overflow.
    """
    for part in dictionaries(model):
        init = part.get("init_cfg")
        if isinstance(init, dict) and init.get("type") == "Pretrained":
            part["init_cfg"] = None
            if "norm_eval" in part:
                part["norm_eval"] = False
            if "frozen_stages" in part:
                part["frozen_stages"] = -1
            if part["type"] == "TridentResNet":  # its own leaves weights unset
                part["init_cfg"] = {"type": "ResidualStart"}


def _replacement(old: Any, new: Any, path: str, place: str) -> Any:
    mismatch = first_mismatch(old, new, path)
    if mismatch is not None:
        raise DeclarationError(f"{place}: key set: path {mismatch.path!r}: {mismatch}")
    require_in_range(new, path, f"{place}: key set: path ")
    # YAML has no tuples.
    if isinstance(old, tuple) and isinstance(new, list):
        new = tuple(new)
    new = copy.deepcopy(new)
    if isinstance(new, dict | list):
        for part in dictionaries(new):
            use_tuples(part)
    return new


def _use_dataset(content: dict[str, Any], dataset: Dataset, results: Path) -> None:
    """Point loaders and heads at a data set, and name it."""
    content["dataset"] = {"id": dataset.id, "content": content_of_dataset(dataset, results)}
    use_split(content["train_dataloader"]["dataset"], dataset, dataset.train)
    use_split(content["test_dataloader"]["dataset"], dataset, dataset.val)
    sampler = format_of(dataset).sampler
    if sampler is not None:
        content["train_dataloader"]["sampler"] = sampler
    for part in dictionaries(content["model"]):
        if "num_classes" in part:
            part["num_classes"] = len(dataset.classes)
    if dataset.max_detections != MAX_DETECTIONS:
        content["dataset"]["max_detections"] = dataset.max_detections
        _let_report(content["model"], dataset)


def _require_classes(model: object, run: Run, dataset: Dataset) -> None:
    """See that a run has not changed the number of classes, which the data set says.

    Raises:
        DeclarationError: It has.
    """
    for part in dictionaries([model]):
        number = part.get("num_classes", len(dataset.classes))
        if number != len(dataset.classes):
            raise DeclarationError(
                f"{run.origin}: key set: num_classes is {number!r}, and the data set {dataset.id} "
                f"has {len(dataset.classes)} classes: leave it out, since it follows from the data"
            )


def _let_report(model: dict[str, Any], dataset: Dataset) -> None:
    """Have a detector report as many objects of an image as the data set says.

    Detectors of two stages find an object in a proposal, and need as many proposals at least.

    Raises:
        DeclarationError: Nothing in the model's test settings says how many it reports.
    """
    test = model.get("test_cfg") or {}
    reports = test.get("rcnn", test)
    if not isinstance(reports, dict) or "max_per_img" not in reports:
        raise DeclarationError(
            f"{dataset.origin}: key max_detections: a {model['type']} has no test_cfg.max_per_img "
            "or test_cfg.rcnn.max_per_img, so that nobody knows how to have it report "
            f"{dataset.max_detections} objects of an image; leave such runs out, or this key"
        )
    reports["max_per_img"] = dataset.max_detections
    proposals = test.get("rpn", {})
    for key in ("max_per_img", "nms_pre"):
        if key in proposals:
            proposals[key] = max(proposals[key], dataset.max_detections)


def content_of_dataset(dataset: Dataset, results: Path) -> dict[str, Any]:
    """What tells one content of a data set from another, wherever it lies.

    The content of an embedded data set follows from its parameters; that of another is told by the
    sums of the files that its format names and, unless they are published ones, of its images.

    Args:
        dataset: The data set.
        results: Folder of all results, in which is remembered what images were found to be.
    """
    if dataset.embedded is not None:
        return {"generator": GENERATOR_VERSION, **dataset.embedded.model_dump()}
    content: dict[str, Any] = {
        name: _sha256(path, path.stat().st_mtime_ns)
        for name, path in format_of(dataset).files.items()
        if path.is_file()
    }
    if dataset.folds is not None:
        content["folds"] = {"number": dataset.folds, "version": FOLDS_VERSION}
    if not dataset.published:
        root = Path(dataset.root)
        content["images"] = {
            name: images_content(
                root / split.annotations,
                root / split.images,
                format_of(dataset).images,
                results,
                _announce,
            )
            for name, split in (("train", dataset.train), ("val", dataset.val))
        }
    return content


def _announce(line: str) -> None:
    """Tell the person who waits; not on standard output, which is a command's answer."""
    print(line, file=sys.stderr, flush=True)


@functools.cache
def _sha256(path: Path, _modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def use_split(loader: dict[str, Any], dataset: Dataset, split: Split) -> None:
    """Point a loader's data set, in place, at one of a declared data set's splits."""
    for part in dictionaries(loader):  # a data set may be wrapped in others
        if "ann_file" in part:
            format_of(dataset).point_at(part, split)


def smallest_side(config: Config) -> float:
    """The side in pixels below which a compiled config leaves images out of training; 0 for none.

    Where data sets are wrapped in others, the largest of all.
    """
    loaded = dictionaries(config.train_dataloader.to_dict())
    return max(((part.get("filter_cfg") or {}).get("min_size", 0) for part in loaded), default=0)


def dictionaries(content: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary in nested dictionaries and lists, the outermost first."""
    if isinstance(content, dict):
        yield content
    for value in content.values() if isinstance(content, dict) else content:
        if isinstance(value, dict | list | tuple):
            yield from dictionaries(value)


def _without_machine_facts(content: Any) -> Any:
    """The content less the machine's facts; of pretrained weights the file's name stays."""
    if isinstance(content, dict):
        return {
            key: PurePath(value).name if key == "checkpoint" else _without_machine_facts(value)
            for key, value in content.items()
            if key not in _MACHINE_FACTS
        }
    if isinstance(content, list | tuple):
        return [_without_machine_facts(value) for value in content]
    return content

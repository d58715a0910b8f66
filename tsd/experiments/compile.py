"""From declarations to an mmengine config, and to the digest that names its results.

base config → the scale's differences → the data set → its differences → the run's differences.
A later step wins: what a run is about is never overruled. A difference replaces the value at its
path, and the path has to exist: mmengine's own merge would silently accept ``cls_marginn``.
"""

import copy
import functools
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from mmengine.config import Config

from tsd.data.version import GENERATOR_VERSION
from tsd.experiments.load import CONFIG_FOLDER, DeclarationError, suggest
from tsd.experiments.schema import Dataset, Differences, Run, Scale, Split

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
        "test_cfg",
        "test_evaluator",
        "test_pipeline",
        "train_pipeline",
        "val_cfg",
        "val_dataloader",
        "val_evaluator",
    }
)
"""Top-level keys of mmdet's bases that are copied elsewhere, or belong to an evaluation that is not
ours. Left out, so that a difference which names one is refused rather than ignored."""


def compile_run(run: Run, scale: Scale, dataset: Dataset) -> Config:
    """The mmengine config of a run at a scale on a data set.

    Raises:
        DeclarationError: If a difference names a path that does not exist.
    """
    config = Config.fromfile(CONFIG_FOLDER / f"{run.base}.py", import_custom_modules=False)
    content = {k: v for k, v in config.to_dict().items() if k not in _WITHOUT_EFFECT}
    apply_differences(content, scale.set, scale.origin)
    _use_dataset(content, dataset)
    apply_differences(content, dataset.set, dataset.origin)
    apply_differences(content, run.set, run.origin)
    return Config(content)


def digest(config: Config) -> str:
    """Ten hexadecimal digits that change when, and only when, the result may."""
    content = {k: v for k, v in config.to_dict().items() if k not in _OUTSIDE_DIGEST}
    meaning = {"model_version": MODEL_VERSION, "config": _without_machine_facts(content)}
    canonical = json.dumps(meaning, sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]


def apply_differences(content: dict, differences: Differences, place: str) -> None:
    """Replace the value at each dotted path, in place.

    Args:
        content: A config as nested dictionaries and lists; a number in a path indexes a list.
        differences: Path → value.
        place: Named in errors.

    Raises:
        DeclarationError: If a path does not exist, naming the part and the nearest valid one, or
            if a plain value is replaced by one of another type.
    """
    for path, value in differences.items():
        *parents, last = path.split(".")
        target: Any = content
        walked: list[str] = []
        for part in parents:
            target = target[_existing_key(target, part, walked, path, place)]
            walked.append(part)
        key = _existing_key(target, last, walked, path, place)
        if isinstance(target[key], tuple) and isinstance(value, list):
            value = tuple(value)  # YAML has no tuples, and mmcv insists on them for sizes
        if not _may_replace(target[key], value):
            raise DeclarationError(
                f"{place}: key set: path {path!r}: expected {type(target[key]).__name__}, "
                f"as in {target[key]!r}, found {value!r}"
            )
        target[key] = copy.deepcopy(value)


def _may_replace(old: Any, new: Any) -> bool:
    """Whether the types agree; None goes with anything, and an integer where a fraction was."""
    if old is None or new is None or type(old) is type(new):
        return True
    if isinstance(old, float):
        return isinstance(new, int) and not isinstance(new, bool)
    return not isinstance(old, bool | int | str)


def _existing_key(target: Any, part: str, walked: list[str], path: str, place: str) -> str | int:
    where = ".".join(walked) or "the config"
    if isinstance(target, dict):
        if part in target:
            return part
        raise DeclarationError(
            f"{place}: key set: path {path!r}: {where} has no {part!r}" + suggest(part, target)
        )
    if isinstance(target, list | tuple):
        if part.isdecimal() and int(part) < len(target):
            return int(part)
        raise DeclarationError(
            f"{place}: key set: path {path!r}: {where} has entries 0 … {len(target) - 1}, "
            f"not {part!r}"
        )
    raise DeclarationError(
        f"{place}: key set: path {path!r}: {where} is {target!r}, which has nothing below it"
    )


def _use_dataset(content: dict, dataset: Dataset) -> None:
    """Point loaders and heads at a data set, and name it."""
    content["dataset"] = {"id": dataset.id, "content": _content_of(dataset)}
    _use_split(content["train_dataloader"]["dataset"], dataset, dataset.train)
    _use_split(content["test_dataloader"]["dataset"], dataset, dataset.val)
    for part in dictionaries(content["model"]):
        if "num_classes" in part:
            part["num_classes"] = len(dataset.classes)


def _content_of(dataset: Dataset) -> dict[str, Any]:
    """What tells one content of a data set from another, wherever it lies.

    An embedded data set is its parameters; of another the annotation files count (the images are
    taken to be those that the annotations name).
    """
    if dataset.embedded is not None:
        return {"generator": GENERATOR_VERSION, **dataset.embedded.model_dump()}
    content = {}
    for name, split in (("train", dataset.train), ("val", dataset.val)):
        path = Path(dataset.root) / split.annotations
        if path.is_file():
            content[name] = _sha256(path, path.stat().st_mtime_ns)
    return content


@functools.cache
def _sha256(path: Path, _modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _use_split(loader: dict, dataset: Dataset, split: Split) -> None:
    loader["data_root"] = dataset.root
    loader["ann_file"] = split.annotations
    loader["data_prefix"] = {"img": split.images}
    loader["metainfo"] = {"classes": tuple(dataset.classes)}


def dictionaries(content: Any) -> Iterator[dict]:
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

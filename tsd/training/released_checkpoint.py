"""Converting a checkpoint of the authors' released code to one that loads here.

What the result needs from a config to detect what it detects in the released code is told in
``docs/authors-weights.md``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmdet.datasets import CocoDataset
from torch import Tensor

from tsd.run_folder import replace_durably
from tsd.training.checkpoints import WeightsError, load_as_data
from tsd.training.finished import sha256
from tsd.training.released_layers import Detector

SHOWN = 5
"""Tensors that an error names."""


def convert_checkpoint(released: Path, ours: Path) -> str:
    """Convert the weights of a released checkpoint.

    Args:
        released: The file, as mmdet 1 wrote it. What else than weights it holds, such as an
            optimizer's state, is left out.
        ours: File to write: ``state_dict``, and ``meta`` with what the released file says of
            itself and the sum of its content.

    Returns:
        A line that tells a person what the file is.

    Raises:
        WeightsError: If the file cannot be read, its tensors are not those of a detector of the
            release, its classes are COCO's in another order, or ``ours`` is there already.
    """
    if ours.exists():
        raise WeightsError(f"{ours} is there already; delete it, or name another file")
    content = converted(released)
    ours.parent.mkdir(parents=True, exist_ok=True)
    partial = ours.with_name(f".{ours.name}.part")
    torch.save(content, partial)
    replace_durably(partial, ours)
    state = content["state_dict"]
    detector = content["meta"]["detector"]
    return f"{detector}: {len(state)} tensors, {parameters(state):,} parameters"


def converted(released: Path) -> dict[str, Any]:
    """What a released checkpoint becomes.

    Args:
        released: The file, as mmdet 1 wrote it, or a file that :func:`convert_checkpoint` wrote,
            which stays as it is.

    Returns:
        ``state_dict``, and ``meta`` with ``source``, the file's name, ``source_sha256``,
        ``detector``, what kind it is, ``classes``, the names of the classes in the order of the
        labels or None, and ``released``, what the file says of itself.

    Raises:
        WeightsError: As for :func:`convert_checkpoint`.
    """
    content = _read(released)
    about = plain(content.get("meta") or {})
    if "source_sha256" in about:
        return {"meta": about, "state_dict": content["state_dict"]}
    detector, state = convert(content["state_dict"], str(released))
    meta = {
        "source": released.name,
        "source_sha256": sha256(released),
        "detector": str(detector),
        "classes": classes_of(about.get("CLASSES"), detector.classes, str(released)),
        "released": about,
    }
    return {"meta": meta, "state_dict": state}


def convert(state: Mapping[str, Tensor], place: str) -> tuple[Detector, dict[str, Tensor]]:
    """Rename and re-order the tensors of a released checkpoint.

    Args:
        state: Name in the released code → tensor. Names may begin with ``module.``.
        place: The file, for errors.

    Returns:
        What detector it is, and its tensors by their names here.

    Raises:
        WeightsError: If tensors are unknown, missing or of another shape than they should be.
    """
    state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    try:
        detector = Detector.of(state)
        layers = dict(detector.layers(state))
    except KeyError as error:
        raise WeightsError(
            f"{place} is no checkpoint of a detector of the released code: it has no {error}"
        ) from None
    unequal = [
        f"{name} {[*state[name].shape]} in place of {[*destination.shape]}"
        for name, destination in layers.items()
        if name in state and tuple(state[name].shape) != destination.shape
    ]
    problems = [
        *_listed("unknown", [name for name in state if name not in layers]),
        *_listed("missing", [name for name in layers if name not in state]),
        *_listed("of another shape", unequal),
    ]
    if problems:
        raise WeightsError(f"{place} is no {detector} of the released code: {'; '.join(problems)}")
    return detector, {
        destination.name: destination.change(state[name]).clone()
        for name, destination in layers.items()
    }


def classes_of(names: Any, classes: int, place: str) -> list[str] | None:
    """What the labels of a checkpoint mean.

    Args:
        names: The names of the classes in the order of the labels, if the file gives them.
        classes: K.
        place: The file, for errors.

    Returns:
        The names as mmdet 3 writes them; those of COCO if the file gives none and has as many
        classes as COCO, and None if it has another number.

    Raises:
        WeightsError: If there are more or fewer names than classes, or they are COCO's in another
            order than COCO's own.
    """
    coco = list(CocoDataset.METAINFO["classes"])
    if not isinstance(names, list):
        return coco if classes == len(coco) else None
    if len(names) != classes:
        raise WeightsError(f"{place} has {classes} classes, and names for {len(names)}")
    found = [str(name).replace("_", " ") for name in names]  # as mmdet 1 wrote them
    if sorted(found) == sorted(coco) and found != coco:
        label = next(i for i in range(classes) if found[i] != coco[i])
        raise WeightsError(
            f"{place} has COCO's classes in another order: label {label} is {found[label]}, and "
            f"COCO's is {coco[label]}"
        )
    return found


def plain(content: Any) -> Any:
    """What of a checkpoint's description is plain data; anything else becomes a text."""
    if isinstance(content, Mapping):
        return {str(key): plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [plain(value) for value in content]
    if content is None or isinstance(content, bool | int | float | str):
        return content
    return str(content)


def parameters(state: Mapping[str, Tensor]) -> int:
    """Count the numbers that are trained, so without the statistics of normalisation."""
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    return sum(tensor.numel() for name, tensor in state.items() if not name.endswith(statistics))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = load_as_data(str(path), "cpu")
    except FileNotFoundError:
        raise WeightsError(f"there is no file {path}") from None
    if isinstance(content, dict) and "state_dict" not in content:
        content = {"state_dict": content}
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(one, Tensor) for one in state.values()):
        raise WeightsError(f"{path} holds no state_dict of tensors")
    return content


def _listed(what: str, names: list[str]) -> list[str]:
    if not names:
        return []
    more = ", …" if len(names) > SHOWN else ""
    return [f"{len(names)} {what} ({', '.join(names[:SHOWN])}{more})"]

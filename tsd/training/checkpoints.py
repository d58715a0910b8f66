"""Reading weights as data, and getting pretrained weights before a training begins.

A file of weights is a pickle, which can hold any code, and mmengine's readers may run that code:
some unpickle everything at once, others if reading the file as data fails. Importing this module
replaces them by readers that never run anything from a file, wherever it comes from.

Pretrained weights that are missing are noticed before anything trains, and so are weights that do
not fit. mmengine would only warn of the latter, and train for hours from other weights than were
asked for.
"""

import difflib
import pickle
import shutil
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import torch
from filelock import FileLock
from mmengine.runner.checkpoint import (
    CheckpointLoader,
    get_deprecated_model_names,
    get_external_models,
    get_mmcls_models,
    get_torch_safe_globals,
    get_torchvision_models,
)
from torch import Tensor, nn

WEB = ("http://", "https://")

TABLES: dict[str, Callable[[], dict[str, str]]] = {
    "torchvision://": get_torchvision_models,
    "modelzoo://": get_torchvision_models,
    "open-mmlab://": get_external_models,
    "openmmlab://": get_external_models,
    "mmcls://": get_mmcls_models,
}
"""The beginning of a name of pretrained weights → mmengine's table from such names to URLs."""

NOT_READ = ("pavi://", r"(\S+\:)?s3://", r"(\S+\:)?petrel://")
"""Beginnings of names for which mmengine has readers that unpickle. They are registered here as
local paths instead, so that such a name is an error: there is no file of that name."""

SILENCE = 60
"""Seconds without an answer after which a download is given up."""


class WeightsError(Exception):
    """Weights cannot be obtained, cannot be read or do not fit. The message says what to do."""


@CheckpointLoader.register_scheme(prefixes=("", *NOT_READ), force=True)
def load_as_data(filename: str, map_location: Any = None) -> dict:
    """Read a local checkpoint with ``weights_only=True``.

    Besides tensors only mmengine's training history and numpy's scalars are accepted.

    Raises:
        FileNotFoundError: If there is no such file.
        WeightsError: If the file holds anything else.
    """
    path = Path(filename).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {filename}")
    try:
        with torch.serialization.safe_globals(get_torch_safe_globals()):
            return torch.load(path, map_location=map_location, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise WeightsError(
            f"{filename} cannot be read with weights_only=True: it is damaged, or holds more than "
            "weights"
        ) from error


@CheckpointLoader.register_scheme(prefixes=(*WEB, *TABLES), force=True)
def load_from_cache(checkpoint: str, map_location: Any = None) -> dict:
    """Read pretrained weights, given by name or URL, from torch hub's cache.

    Args:
        checkpoint: Such as ``torchvision://resnet101``. It is downloaded if the cache lacks it.
        map_location: As for :func:`torch.load`.

    Raises:
        WeightsError: If the weights cannot be obtained, or their file holds anything else.
    """
    path = fetch(checkpoint)
    try:
        content = load_as_data(str(path), map_location)
    except WeightsError as error:
        raise WeightsError(
            f"pretrained weights {checkpoint}: {error}; once removed it is downloaded again"
        ) from error
    if checkpoint.startswith("mmcls://"):  # the file is a classifier's, and its backbone is wanted
        return {
            name.removeprefix("backbone."): value
            for name, value in content.get("state_dict", content).items()
            if name.startswith("backbone.")
        }
    return content


def check_pretrained(model: nn.Module) -> None:
    """Get the pretrained weights that a model asks for, and check that they fit.

    A parameter that the file has in another shape is an error here, while mmengine would leave it
    random with a warning. A parameter that the file does not have is none, because that can be on
    purpose: ordinary weights lack the offsets of deformable convolutions.

    Args:
        model: The model as it was built. It is not changed.

    Raises:
        WeightsError: If weights cannot be obtained, cannot be read or do not fit. The message names
            the setting that asks for them.
    """
    for setting, module, checkpoint, prefix in _pretrained_parts(model):
        try:
            content = CheckpointLoader.load_checkpoint(checkpoint, "cpu")
        except FileNotFoundError as error:
            raise WeightsError(
                f"{setting}: {error}, a path from {Path.cwd()}; the key weights of the data set's "
                "YAML file may name it, or the config"
            ) from error
        except WeightsError as error:
            raise WeightsError(f"{setting}: {error}") from error
        found = _weights_below(prefix, content)
        wanted = module.state_dict()
        shared = sorted(wanted.keys() & found.keys())
        unequal = [name for name in shared if wanted[name].shape != found[name].shape]
        if unequal or not shared:
            why = "no parameter is in both"
            if unequal:
                name = unequal[0]
                why = f"{name} is {[*found[name].shape]}, expected {[*wanted[name].shape]}"
            raise WeightsError(
                f"{setting}: {checkpoint} does not fit {type(module).__name__}: {why}"
            )


def fetch(checkpoint: str) -> Path:
    """Find the file of pretrained weights in torch hub's cache, after a download if need be.

    If several processes ask for the same file at the same time, one downloads and the others wait.

    Raises:
        WeightsError: If the file cannot be obtained. The message says where to put it by hand.
    """
    url = resolve(checkpoint)
    path = Path(torch.hub.get_dir(), "checkpoints", PurePosixPath(urlsplit(url).path).name)
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not path.is_file():
                _download(url, path)
    except (OSError, HTTPException) as error:
        raise WeightsError(
            f"pretrained weights {checkpoint} are not at {path}, and cannot be downloaded from "
            f"{url} ({str(error) or type(error).__name__}). Put the file there by hand (TORCH_HOME "
            "moves this cache), or give the path of a copy in place of the name, by the key "
            "weights of the data set's YAML file or in init_cfg.checkpoint"
        ) from error
    return path


def resolve(checkpoint: str) -> str:
    """The URL of pretrained weights that are given by name or URL.

    Raises:
        WeightsError: If the name is unknown. The message gives the most similar known name.
    """
    if checkpoint.startswith(WEB):
        return checkpoint
    scheme, separator, name = checkpoint.partition("://")
    urls = TABLES[scheme + separator]()
    name = get_deprecated_model_names().get(name, name)
    if name not in urls:
        near = difflib.get_close_matches(name, urls, n=1)
        hint = f"; did you mean {scheme}://{near[0]}?" if near else ""
        raise WeightsError(f"there are no pretrained weights {checkpoint}{hint}")
    return urls[name]


def _download(url: str, path: Path) -> None:
    part = path.with_name(f"{path.name}.part")
    request = Request(url, headers={"User-Agent": "tsd"})  # noqa: S310 resolve() gives http(s)
    with urlopen(request, timeout=SILENCE) as response, part.open("wb") as file:  # noqa: S310
        shutil.copyfileobj(response, file)
        announced = int(response.headers.get("Content-Length", file.tell()))
        if file.tell() != announced:
            raise ConnectionError(f"{file.tell()} of {announced} bytes came")
    part.replace(path)


def _pretrained_parts(model: nn.Module) -> Iterator[tuple[str, nn.Module, str, str]]:
    """Find the modules that ask for pretrained weights.

    Yields:
        The dotted setting that asks, the module, the name of the weights, and the prefix that the
        keys of the module's parameters have in the file.
    """
    for name, module in model.named_modules():
        init_cfg = getattr(module, "init_cfg", None) or []
        for entry in [init_cfg] if isinstance(init_cfg, dict) else init_cfg:
            if entry["type"] == "Pretrained":
                setting = ".".join(["model", *filter(None, [name]), "init_cfg.checkpoint"])
                yield setting, module, entry["checkpoint"], entry.get("prefix") or ""


def _weights_below(prefix: str, content: dict) -> dict[str, Tensor]:
    """The part of a checkpoint that mmengine loads for an ``init_cfg`` with a prefix."""
    state = content.get("state_dict", content)
    state = {name.removeprefix("module."): value for name, value in state.items()}
    if not prefix:
        return state
    start = prefix.rstrip(".") + "."
    return {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}

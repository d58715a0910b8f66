"""How many operations a step starts on a GPU, and how often it waits there, counted without one.

A step is run on the CPU as if its model were on a GPU. Tensors are told apart by what they were
made of: the model's weights are on the device, and so is whatever is computed from them or copied
``to(device)``; all else is on the host. An operation on the device's tensors that is no mere view
counts as a launch. What makes the host wait for the device counts as a wait: a number or a list
that is read from it, a result whose size depends on its values, and a copy to it which is not
``non_blocking``.

The counts stand for those of ``torch.profiler`` on a GPU, and are not the same. Some operations
start several kernels, and operators in C++ are seen as they are on the CPU.
"""

import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

READS = {"aten::_local_scalar_dense"}
SIZES_UNKNOWN = {"aten::nonzero", "aten::_unique2", "aten::unique_dim", "aten::masked_select"}
INDEXING = {"aten::index", "aten::index_put", "aten::index_put_"}
NO_LAUNCH = {
    *READS,
    "aten::detach",
    "aten::empty",
    "aten::empty_like",
    "aten::empty_strided",
    "aten::lift_fresh",
    "aten::new_empty",
    "aten::new_empty_strided",
    "aten::resize_",
    "aten::set_",
}
"""Operations that need no kernel."""

MAKERS = {"arange", "empty", "full", "linspace", "ones", "zeros"}
"""Functions that make a tensor on the device that they are told."""


@dataclass
class Counts:
    """What was counted, by the place in the code that asked for it.

    Attributes:
        launches: File and function → operations on the device.
        waits: File, function and reason → times that the host waits.
    """

    launches: Counter[str] = field(default_factory=Counter)
    waits: Counter[str] = field(default_factory=Counter)


def count_step(step: Callable[[], object], model: nn.Module) -> Counts:
    """Run a step once, and count.

    Args:
        step: The step, on the CPU. It has been run before, so that nothing is made for the first
            time.
        model: Its weights and buffers are those on the device.
    """
    device = _Device(Counts())
    for values in (*model.parameters(), *model.buffers()):
        device.take(values)
        if values.grad is not None:
            device.take(values.grad)
    with _Calls(device), _Operations(device):
        step()
    return device.counts


class _Device:
    """Knows which tensors are on the device.

    A tensor is known by its storage. References are kept, since a new storage may lie where one lay
    that is gone.
    """

    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self._held: dict[int, StorageWeakRef] = {}

    def take(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        self._held[storage._cdata] = StorageWeakRef(storage)

    def holds(self, tensor: Tensor) -> bool:
        return tensor.untyped_storage()._cdata in self._held

    def wait(self, reason: str) -> None:
        self.counts.waits[f"{_place()}: {reason}"] += 1


class _Operations(TorchDispatchMode):
    """Sees each operation below autograd, those of the backward pass too."""

    def __init__(self, device: _Device) -> None:
        super().__init__()
        self._device = device

    def __torch_dispatch__(
        self, operation: Any, _types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        given = list(_tensors((args, kwargs)))
        result = operation(*args, **kwargs)
        if not any(map(self._device.holds, given)):
            return result
        for tensor in _tensors(result):
            self._device.take(tensor)
        name = operation._schema.name
        self._look_for_waits(name, args)
        if name not in NO_LAUNCH and not _is_view(operation):
            self._device.counts.launches[_place()] += 1
        return result

    def _look_for_waits(self, name: str, args: Any) -> None:
        if name in READS:
            self._device.wait("reads a number")
        elif name in SIZES_UNKNOWN:
            self._device.wait(name)
        elif name in INDEXING:
            for index in args[1]:
                if index is None:
                    continue
                if index.dtype in (torch.bool, torch.uint8):
                    if name == "aten::index" or args[2].numel() > 1:
                        self._device.wait("indexes by a mask")
                elif not self._device.holds(index):
                    self._device.wait("copies an index there")


class _Calls(TorchFunctionMode):
    """Sees calls that copy between host and device, which are none on a CPU."""

    def __init__(self, device: _Device) -> None:
        super().__init__()
        self._device = device

    def __torch_function__(
        self, function: Any, _types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        held = bool(args) and isinstance(args[0], Tensor) and self._device.holds(args[0])
        if name in ("tolist", "cpu", "numpy") and held:
            self._device.wait(f"{name}()")
        result = function(*args, **kwargs)
        makes = name in ("tensor", "as_tensor") and kwargs.get("device") is not None
        if makes or (name == "new_tensor" and held):
            self._device.wait("copies numbers there")
            self._device.take(result)
        elif kwargs.get("device") is not None and name in MAKERS:
            self._device.counts.launches[_place()] += name not in ("empty", "empty_like")
            self._device.take(result)
        elif name in ("to", "cuda", "type_as") and not held and self._goes_there(args, kwargs):
            if not kwargs.get("non_blocking"):
                self._device.wait("copies a tensor there")
            with (
                torch._C.DisableTorchFunction(),
                torch.utils._python_dispatch._disable_current_modes(),
            ):
                result = result.clone() if result is args[0] else result
            self._device.take(result)
        return result

    def _goes_there(self, args: Any, kwargs: Any) -> bool:
        targets = [*args[1:], kwargs.get("device")]
        return any(
            isinstance(target, torch.device | str)
            or (isinstance(target, Tensor) and self._device.holds(target))
            for target in targets
        )


def _tensors(content: Any) -> Iterator[Tensor]:
    """The tensors in nested tuples, lists and dictionaries."""
    if isinstance(content, Tensor):
        yield content
    elif isinstance(content, dict):
        yield from _tensors(list(content.values()))
    elif isinstance(content, list | tuple):
        for part in content:
            yield from _tensors(part)


def _is_view(operation: Any) -> bool:
    """Whether an operation gives another look at its argument."""
    aliases = [returned.alias_info for returned in operation._schema.returns]
    return any(alias is not None and not alias.is_write for alias in aliases)


def _place() -> str:
    """The innermost function of the project's or of OpenMMLab's that is being run."""
    for frame in reversed(traceback.extract_stack()):
        parts = frame.filename.split("/")
        for package in ("tsd", "mmdet", "mmengine", "mmcv"):
            if package in parts and "bench" not in parts:
                at = len(parts) - 1 - parts[::-1].index(package)
                return f"{'/'.join(parts[at:])} {frame.name}"
    return "elsewhere"

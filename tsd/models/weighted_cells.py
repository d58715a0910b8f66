"""Weighted sums of cells of a feature pyramid, as PyTorch's own steps compute them.

This is what pooling comes to where no kernel of ours runs. All levels are laid end to end in one
table with a row for each cell of a feature map. Each bin is a weighted sum of some of its rows,
and ``embedding_bag`` computes it for all bins at once. The gradient of the table is the same kind
of sum the other way round: each cell sums the gradients of the bins that read it.

.. code-block:: none

    pyramid ─▶ table [cells, C] ─▶ sum over a bin's cells ─▶ [bins, C]
    pyramid ◀─ table [cells, C] ◀─ sum over a cell's bins ◀─ [bins, C]

At the paper's size the table of an image is 91 MB, and a CPU's system takes three times as long to
hand out that much fresh memory as the copy itself takes. So the table lies in memory that is kept
from call to call. A backward pass copies the pyramid into it once more, unless it is there still.

Letters
    B   number of images in a batch
    L   number of pyramid levels, each of which is a Tensor[B, C, H_l, W_l]
    M   rows of the table, the sum of B · H_l · W_l over the levels
    C   channels of a level
    K   number of bins of all RoIs
    P   number of cells that a bin reads, each of which may be read more than once
"""

import threading
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional


def weighted_cells(features: Sequence[Tensor], rows: Tensor, weights: Tensor) -> Tensor:
    """Sum the weighted cells of every bin.

    Gradients reach the features and the weights, once: they cannot be differentiated again.

    Args:
        features: L maps Tensor[B, C, H_l, W_l].
        rows: Which cells each bin reads, LongTensor[K, P]. The cell of image b in row y and column
            x of level l is b · H_l · W_l + y · W_l + x, after all cells of the levels before l.
        weights: What each of them counts, Tensor[K, P].

    Returns:
        Tensor[K, C] in the features' dtype. Sums are of float32 at least.
    """
    pooled: Tensor = _WeightedCells.apply(rows, weights, *features)
    return pooled.to(features[0].dtype)


class _KeptMemory(threading.local):
    """Memory of the CPU that a thread keeps between calls, as much as its largest table needed.

    Attributes:
        memory: The memory.
        owner: Whose table lies there.
    """

    def __init__(self) -> None:
        self.memory = torch.empty(0, dtype=torch.uint8)
        self.owner: object = None

    def table(self, rows: int, channels: int, dtype: torch.dtype) -> Tensor:
        """Tensor[rows, channels], whose content is left over and holds until the next call."""
        size = rows * channels * dtype.itemsize
        if self.memory.numel() < size:
            with torch.inference_mode(False):  # else it could not be written to in training
                self.memory = torch.empty(size, dtype=torch.uint8, device="cpu")
        return self.memory[:size].view(dtype).view(rows, channels)


_kept = _KeptMemory()


def _table_of(features: Sequence[Tensor], owner: object) -> Tensor:
    """A pyramid as Tensor[M, C], which holds until this thread makes another table.

    Args:
        features: The pyramid.
        owner: The call that needs it. Where its table is still there, it is not made again.
    """
    channels = features[0].shape[1]
    cells = [feature.numel() // channels for feature in features]
    dtype = torch.promote_types(features[0].dtype, torch.float32)
    is_kept = features[0].device.type == "cpu"
    if is_kept:
        table = _kept.table(sum(cells), channels, dtype)
        if _kept.owner is owner:
            return table
        _kept.owner = None  # until all of it is there
    else:
        table = features[0].new_empty(sum(cells), channels, dtype=dtype)
    for part, feature in zip(table.split(cells), features, strict=True):
        batch, _, height, width = feature.shape
        part.view(batch, height, width, channels).copy_(feature.permute(0, 2, 3, 1))
    if is_kept:
        _kept.owner = owner
    return table


class _WeightedCells(torch.autograd.Function):
    """:func:`weighted_cells` as a function that PyTorch can differentiate."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weights: Tensor, *features: Tensor) -> Tensor:
        ctx.owner = object()  # ctx itself would keep the features alive
        table = _table_of(features, ctx.owner)
        ctx.save_for_backward(rows, weights, *features)
        return functional.embedding_bag(
            rows, table, mode="sum", per_sample_weights=weights.to(table.dtype)
        )

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rows, weights, *features = ctx.saved_tensors
        (gradient,) = (given.contiguous() for given in gradients)
        d_weights = None
        if ctx.needs_input_grad[1]:
            table = _table_of(features, ctx.owner)
            d_weights = _gradient_of_weights(rows, table, gradient).to(weights.dtype)
        if not any(ctx.needs_input_grad[2:]):
            return None, d_weights, *(None for _ in features)
        return None, d_weights, *_gradient_of_features(rows, weights, features, gradient)


def _gradient_of_weights(rows: Tensor, table: Tensor, gradient: Tensor) -> Tensor:
    """Product of each cell that a bin reads with the gradient of the bin, Tensor[K, P]."""
    bins, reads = rows.shape
    read_by = torch.arange(bins * reads, device=rows.device) // reads
    # PyTorch's own backward step of embedding_bag; through autograd the sum would be made again.
    found: Tensor = torch.ops.aten._embedding_bag_per_sample_weights_backward(
        gradient,
        table,
        rows.flatten(),
        torch.arange(0, bins * reads, reads, device=rows.device),
        read_by,
        0,  # the mode "sum"
    )
    return found.view(bins, reads)


def _gradient_of_features(
    rows: Tensor, weights: Tensor, features: Sequence[Tensor], gradient: Tensor
) -> list[Tensor]:
    """Sum over each cell of the gradients of the bins that read it, as maps."""
    channels = features[0].shape[1]
    cells = [feature.numel() // channels for feature in features]
    sorted_rows, order = rows.flatten().sort(stable=True)  # so that the order of sums is fixed
    first = torch.searchsorted(sorted_rows, torch.arange(sum(cells), device=rows.device))
    d_table = functional.embedding_bag(
        order // rows.shape[1],
        gradient,
        first,
        mode="sum",
        per_sample_weights=weights.to(gradient.dtype).flatten()[order],
    )
    d_features = []
    for part, feature in zip(d_table.split(cells), features, strict=True):
        batch, _, height, width = feature.shape
        is_last = feature.is_contiguous(memory_format=torch.channels_last)
        found = torch.empty(
            feature.shape,
            dtype=feature.dtype,
            device=feature.device,
            memory_format=torch.channels_last if is_last else torch.contiguous_format,
        )
        # PyTorch transposes a matrix three times as fast as a batch of them.
        maps = found.view(batch, channels, height * width)
        for image, of_image in enumerate(part.view(batch, height * width, channels)):
            maps[image].copy_(of_image.t())
        d_features.append(found)
    return d_features

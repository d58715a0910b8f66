"""Sums of cells and their gradients, with a table whose memory is used again and again."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from tsd.models.weighted_cells import _kept, weighted_cells

BINS, READS, CHANNELS = 5, 4, 3


def pyramid(seed, memory_format=torch.contiguous_format, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(2, CHANNELS, *size, generator=generator, dtype=dtype)
        .contiguous(memory_format=memory_format)
        .requires_grad_()
        for size in [(6, 4), (3, 2)]
    ]


def reads(seed, bins=BINS):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(0, 2 * (24 + 6), (bins, READS), generator=generator)
    weights = torch.randn(bins, READS, generator=generator, dtype=torch.float64)
    return rows, weights.requires_grad_()


def summed_plainly(features, rows, weights):
    """The same sum, by indexing, which PyTorch differentiates by itself."""
    table = torch.cat([f.permute(0, 2, 3, 1).reshape(-1, CHANNELS) for f in features])
    return (table[rows] * weights[..., None]).sum(1)


@pytest.mark.parametrize("bins", [0, 1, BINS])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_those_of_a_plain_sum(memory_format, bins):
    features, (rows, weights) = pyramid(0, memory_format), reads(1, bins)
    found, plain = weighted_cells(features, rows, weights), summed_plainly(features, rows, weights)
    torch.testing.assert_close(found, plain)
    gradient = torch.randn(CHANNELS, bins, dtype=torch.float64).t()  # as after a transposition
    inputs = (*features, weights)
    for ours, theirs in zip(
        torch.autograd.grad(found, inputs, gradient),
        torch.autograd.grad(plain, inputs, gradient),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_gradient_lies_in_memory_as_its_map_does(memory_format):
    features, (rows, weights) = pyramid(0, memory_format), reads(1)
    gradients = torch.autograd.grad(weighted_cells(features, rows, weights).sum(), features)
    assert all(g.is_contiguous(memory_format=memory_format) for g in gradients)


def test_a_table_that_was_overwritten_is_made_again_for_the_gradients():
    earlier, (rows, weights) = pyramid(2), reads(3)
    pooled = weighted_cells(earlier, rows, weights)
    weighted_cells(pyramid(4), *reads(5))
    (found,) = torch.autograd.grad(pooled.sum(), weights)
    (plain,) = torch.autograd.grad(summed_plainly(earlier, rows, weights).sum(), weights)
    torch.testing.assert_close(found, plain)


def test_a_table_that_is_still_there_is_not_made_again():
    features, (rows, weights) = pyramid(2), reads(3)
    pooled = weighted_cells(features, rows, weights)
    _kept.memory.zero_()
    (found,) = torch.autograd.grad(pooled.sum(), weights)
    assert not found.any()


def test_memory_that_was_first_needed_in_inference_serves_a_training():
    def infer_and_train():
        with torch.inference_mode():
            weighted_cells(pyramid(0), *reads(1))
        kept_in_inference.append(_kept.memory.is_inference())
        features, (rows, weights) = pyramid(2), reads(3)
        pooled = weighted_cells(features, rows, weights)
        weighted_cells(pyramid(4), *reads(5))
        found.extend(torch.autograd.grad(pooled.sum(), weights))
        plainly = summed_plainly(features, rows, weights)
        plain.extend(torch.autograd.grad(plainly.sum(), weights))

    kept_in_inference, found, plain = [], [], []
    with ThreadPoolExecutor() as pool:  # whose thread has no memory at first
        pool.submit(infer_and_train).result()
    assert kept_in_inference == [False]
    assert len(found) == 1
    torch.testing.assert_close(found, plain)


def test_a_table_of_which_only_a_part_was_copied_is_made_again(monkeypatch):
    earlier, (rows, weights) = pyramid(2), reads(3)
    pooled = weighted_cells(earlier, rows, weights)
    weighted_cells(pyramid(4), *reads(5))
    with monkeypatch.context() as patch:
        patch.setattr(torch.Tensor, "permute", broken_at(2, torch.Tensor.permute))
        with pytest.raises(KeyboardInterrupt):
            pooled.sum().backward(retain_graph=True)
    (found,) = torch.autograd.grad(pooled.sum(), weights)
    (plain,) = torch.autograd.grad(summed_plainly(earlier, rows, weights).sum(), weights)
    torch.testing.assert_close(found, plain)


def broken_at(number, function):
    """A function that somebody interrupts at its so many-th call."""
    calls = []

    def broken(*arguments):
        calls.append(arguments)
        if len(calls) == number:
            raise KeyboardInterrupt
        return function(*arguments)

    return broken


def test_no_features_are_kept_alive():
    with torch.no_grad():
        (features, (rows, weights)) = pyramid(0), reads(1)
        kept = [weakref.ref(feature) for feature in features]
        weighted_cells(features, rows, weights)
    del features
    gc.collect()
    assert not any(reference() is not None for reference in kept)


def test_memory_is_kept_for_the_largest_table_and_each_thread_has_its_own():
    weighted_cells(pyramid(0), *reads(1))
    kept = _kept.memory.data_ptr()
    weighted_cells(pyramid(0, dtype=torch.float32), *reads(1))
    assert _kept.memory.data_ptr() == kept
    places = []
    thread = threading.Thread(
        target=lambda: [
            places.append(_kept.memory.numel()),
            weighted_cells(pyramid(0), *reads(1)),
            places.append(_kept.memory.data_ptr()),
        ]
    )
    thread.start()
    thread.join()
    assert places[0] == 0
    assert places[1] != kept


def test_a_second_derivative_is_refused():
    features, (rows, weights) = pyramid(0), reads(1)
    loss = (weighted_cells(features, rows, weights) ** 2).sum()
    (gradient,) = torch.autograd.grad(loss, weights, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()

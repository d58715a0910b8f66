"""What the kernels for CUDA have to give: what PyTorch's steps give.

``test_pooling_kernels.py`` runs these tests in a process of their own. Where there is no CUDA they
need Triton's interpreter, which is chosen by ``TRITON_INTERPRET`` when Triton is first imported.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import roi_align

from tsd.models import pooling_kernels as kernels
from tsd.models.pooling import DeformableRoIPooling, deformable_roi_pool

SEED = 0
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SIZES = ((16, 20), (8, 10), (4, 5), (2, 3))
STRIDES = (4, 8, 16, 32)


def pyramid(channels, dtype=torch.float32):
    generator = torch.Generator().manual_seed(SEED)
    maps = [torch.randn(2, channels, *size, generator=generator) for size in SIZES]
    return [one.to(DEVICE, dtype).requires_grad_() for one in maps]


ROIS = torch.tensor(
    [
        [0, 3.0, 4.0, 30.0, 25.0],
        [1, -5.0, -8.0, 70.0, 60.0],  # over the border
        [0, 10.0, 10.0, 10.0, 10.0],  # without area
        [1, 0.0, 0.0, 79.0, 63.0],
        [0, 60.0, 50.0, 95.0, 90.0],
        [1, 900.0, 900.0, 990.0, 990.0],  # nowhere
        [1, 20.0, 20.0, 76.0, 76.0],  # where a level begins
    ],
    device=DEVICE,
)


def both(feats, rois, offsets, size=(3, 2), samples=2, finest=14):
    rule = kernels.Rule(STRIDES, size, samples, finest)
    found = kernels.pool(feats, rois, offsets, rule)
    torch.use_deterministic_algorithms(True)  # so that a GPU takes PyTorch's steps
    try:
        expected = deformable_roi_pool(
            feats,
            rois,
            offsets,
            strides=STRIDES,
            output_size=size,
            sampling_ratio=samples,
            finest_scale=finest,
        )
    finally:
        torch.use_deterministic_algorithms(False)
    return found, expected


def moved(shape, reach=6.0):
    if shape is None:
        return None
    generator = torch.Generator().manual_seed(SEED + 1)
    return (torch.randn(shape, generator=generator) * reach).to(DEVICE).requires_grad_()


def assert_alike(found, expected, feats, offsets, tolerance):
    assert found.dtype == expected.dtype
    torch.testing.assert_close(found, expected, **tolerance)
    inputs = [*feats] if offsets is None else [*feats, offsets]
    gradient = torch.randn(expected.shape, generator=torch.Generator().manual_seed(SEED + 2))
    gradient = gradient.to(expected)
    for one, other in zip(
        torch.autograd.grad(found, inputs, gradient),
        torch.autograd.grad(expected, inputs, gradient),
        strict=True,
    ):
        assert one.dtype == other.dtype
        torch.testing.assert_close(one, other, **tolerance)


EXACT = {"rtol": 1e-5, "atol": 1e-5}


@pytest.mark.parametrize("by_bin", [True, False, None])
@pytest.mark.parametrize(("size", "samples"), [((3, 2), 2), ((1, 1), 3), ((2, 4), 1)])
def test_values_and_gradients_are_those_of_pytorchs_steps(size, samples, by_bin):
    feats = pyramid(6)
    shape = {True: (len(ROIS), *size, 2), False: (len(ROIS), 1, 1, 2), None: None}[by_bin]
    offsets = moved(shape)
    found, expected = both(feats, ROIS, offsets, size, samples)
    assert_alike(found, expected, feats, offsets, EXACT)


@pytest.mark.parametrize("channels", [1, 16, 300])
def test_any_number_of_channels(channels):
    feats, offsets = pyramid(channels), moved((2, 3, 2, 2))
    assert_alike(*both(feats, ROIS[:2], offsets), feats, offsets, EXACT)


@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float16, 2e-3), (torch.bfloat16, 2e-2)])
def test_halves_are_summed_in_full_precision(dtype, rounding):
    feats, offsets = pyramid(8, dtype), moved((len(ROIS), 3, 2, 2))
    found, expected = both(feats, ROIS, offsets)
    assert_alike(found, expected, feats, offsets, {"rtol": rounding, "atol": 4 * rounding})
    exact = deformable_roi_pool(
        [f.double() for f in feats],
        ROIS.double(),
        offsets.double(),
        strides=STRIDES,
        output_size=(3, 2),
        finest_scale=14,
    )
    # No further from the truth than one rounding of the result.
    torch.testing.assert_close(found.double(), exact, rtol=rounding / 2, atol=1e-4)


@pytest.mark.parametrize("shape", [(0, 3, 2, 2), (0, 1, 1, 2), None])
def test_no_rois(shape):
    feats, offsets = pyramid(4), moved(shape)
    found, _ = both(feats, ROIS[:0], offsets)
    assert found.shape == (0, 4, 3, 2)
    gradients = torch.autograd.grad(found.sum(), feats)
    assert all(not gradient.any() for gradient in gradients)


def test_without_offsets_and_with_zeros_it_is_roi_align():
    feats = pyramid(4)
    for offsets in (None, torch.zeros(len(ROIS), 3, 2, 2, device=DEVICE)):
        rule = kernels.Rule((4,), (3, 2), 2, 14)
        found = kernels.pool(feats[:1], ROIS, offsets, rule)
        expected = roi_align(feats[0], ROIS, (3, 2), 1 / 4, 2, aligned=True)
        torch.testing.assert_close(found, expected, **EXACT)


def test_only_the_gradients_that_are_asked_for_are_made():
    feats = [feat.detach() for feat in pyramid(4)]
    offsets = moved((3, 3, 2, 2))
    found, expected = both(feats, ROIS[:3], offsets)
    assert_alike(found, expected, [], offsets, EXACT)
    feats = pyramid(4)
    found, expected = both(feats, ROIS[:3], offsets.detach())
    assert_alike(found, expected, feats, None, EXACT)


def test_maps_may_lie_in_any_order():
    feats = pyramid(4)
    crossed = [feat.transpose(2, 3).contiguous().transpose(2, 3) for feat in feats]
    last = [feat.contiguous(memory_format=torch.channels_last) for feat in feats]
    first = both(feats, ROIS[:3], None)[0]
    for other in (crossed, last):
        assert torch.equal(both(other, ROIS[:3], None)[0], first)


def test_a_place_that_is_no_number_reads_nothing_else():
    """A network that diverges has to end with a message about its loss."""
    offsets = moved((len(ROIS), 3, 2, 2)).detach()
    offsets[1, 0, 0] = float("nan")
    offsets[2] = float("inf")
    offsets[3] = -1e30
    found = kernels.pool(pyramid(4), ROIS, offsets, kernels.Rule(STRIDES, (3, 2), 2, 14))
    assert found.isfinite().all()
    assert not found[3].any()


NUMBERS = st.floats(-60, 160, width=16)


@settings(deadline=None, max_examples=15)
@given(
    st.lists(st.tuples(st.integers(0, 1), NUMBERS, NUMBERS, NUMBERS, NUMBERS), max_size=4),
    st.floats(0, 40, width=16),
)
def test_any_rois(rois, reach):
    boxes = [[i, min(a, c), min(b, d), max(a, c), max(b, d)] for i, a, b, c, d in rois]
    feats, rois = pyramid(3), torch.tensor(boxes, device=DEVICE).reshape(-1, 5).float()
    offsets = moved((len(rois), 2, 2, 2), reach)
    found, expected = both(feats, rois, offsets, size=(2, 2))
    # A point within rounding of the border may fall on either side of it.
    assert (found - expected).abs().gt(1e-4).sum() <= 0.02 * found.numel()


def test_a_map_on_cuda_is_pooled_by_the_kernels(monkeypatch):
    feats, extractor = pyramid(4), DeformableRoIPooling(4, STRIDES, (3, 2), finest_scale=14)
    expected = extractor(feats, ROIS)
    called, pool = [], kernels.pool
    monkeypatch.setattr("tsd.models.pooling.kernels_are_for", lambda feature: True)
    monkeypatch.setattr(
        "tsd.models.pooling_kernels.pool",
        lambda *arguments: called.append(1) or pool(*arguments),
    )
    prepared = extractor.prepare(feats)
    assert all(f.is_contiguous(memory_format=torch.channels_last) for f in prepared)
    torch.testing.assert_close(extractor(prepared, ROIS), expected, **EXACT)
    assert called == [1]

"""The pooling of the authors' release, against numbers computed by the released kernels.

``released_pooling_vectors.json`` says what it holds and where it comes from.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mmdet.registry import MODELS

from tests.models.reference_released_pooling import pool_derived, pool_shared
from tests.models.small_head import build_head, let_proposals_move, scene
from tsd.models.released_pooling import ReleasedRoIPooling

VECTORS = json.loads(Path(__file__).with_name("released_pooling_vectors.json").read_text())
EACH = pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
GAMMA = 0.1
STRIDES = [4, 8, 16, 32]


def tensor(values, dtype=torch.float64):
    return torch.tensor(values, dtype=dtype)


def ours(rois):
    """From the released convention to boxes that end where their last pixel ends."""
    return rois + rois.new_tensor([0, 0, 0, 1, 1])


def pixels(delta, rois):
    """Outputs of the network [N, 2, k, k] as offsets in pixels, Tensor[N, k, k, 2]."""
    size = rois[:, 3:5] - rois[:, 1:3]
    return GAMMA * delta.permute(0, 2, 3, 1) * size[:, None, None]


def extractor_for(vector):
    return ReleasedRoIPooling(
        out_channels=len(vector["features"][0]),
        featmap_strides=[round(1 / vector["spatial_scale"])],
        output_size=vector["output_size"],
    )


def close(found, expected):
    torch.testing.assert_close(found, expected.to(found.dtype), atol=1e-5, rtol=1e-5)


@EACH
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_pooling_with_offsets_is_that_of_the_released_kernels(vector, dtype):
    rois, delta = ours(tensor(vector["rois"], dtype)), tensor(vector["delta"], dtype)
    delta.requires_grad_()
    features = [tensor(vector["features"], dtype)]
    pooled = extractor_for(vector)(features, rois, pixels(delta, rois))
    close(pooled, tensor(vector["pooled"]))
    pooled.sum().backward()
    close(delta.grad, tensor(vector["gradient_of_sum_to_delta"]))


@EACH
def test_pooling_of_the_proposal_itself_is_that_of_the_released_kernels(vector):
    rois, features = ours(tensor(vector["rois"])), [tensor(vector["features"])]
    pooled = extractor_for(vector)(features, rois)
    close(pooled, tensor(vector["roi_align_aligned_false_2x2"]))


def test_one_offset_moves_all_bins():
    vector = next(vector for vector in VECTORS["vectors"] if "delta_r" in vector)
    rois, features = ours(tensor(vector["rois"])), [tensor(vector["features"])]
    offsets = pixels(tensor(vector["delta_r"])[:, :, None, None], rois)
    assert offsets.shape == (3, 1, 1, 2)
    close(extractor_for(vector)(features, rois, offsets), tensor(vector["pooled"]))


def pyramid(generator, images=2, channels=2, size=96):
    return [
        torch.randn(images, channels, size // s, size // s, generator=generator).double()
        for s in STRIDES
    ]


def random_rois(generator, count, images=2):
    """In the released convention; some sides are short, some boxes reach over the border."""
    corner = torch.rand(count, 2, generator=generator).double() * 160 - 40
    side = torch.rand(count, 2, generator=generator).double() ** 3 * 600
    image = torch.randint(0, images, (count, 1), generator=generator).double()
    return torch.cat([image, corner, corner + side - 1], dim=1)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**16), k=st.sampled_from([1, 2, 3, 7]), is_single=st.booleans())
def test_equals_pooling_sample_by_sample(seed, k, is_single):
    generator = torch.Generator().manual_seed(seed)
    features, rois = pyramid(generator), random_rois(generator, 5)
    extractor = ReleasedRoIPooling(2, STRIDES, k)
    bins = 1 if is_single else k
    delta = torch.randn(5, 2, bins, bins, generator=generator).double() * 2
    maps, boxes = [f.numpy() for f in features], rois.numpy()
    found = extractor(features, ours(rois), pixels(delta, ours(rois)))
    expected = pool_derived(maps, boxes, delta.expand(-1, -1, k, k).numpy(), STRIDES)
    torch.testing.assert_close(found, torch.from_numpy(expected), atol=1e-9, rtol=1e-9)
    found = extractor(features, ours(rois))
    expected = torch.from_numpy(pool_shared(maps, boxes, STRIDES, k))
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-9)


@example(seed=0, corner=(-2, 2), cells=(4, 4))
@example(seed=0, corner=(2, -2), cells=(4, 4))
@example(seed=0, corner=(23, 2), cells=(4, 4))
@example(seed=0, corner=(2, 23), cells=(4, 4))
@example(seed=0, corner=(24, 2), cells=(4, 4))
@example(seed=0, corner=(2, 24), cells=(4, 4))
@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    corner=st.tuples(*[st.integers(-3, 24)] * 2),
    cells=st.tuples(*[st.integers(1, 5)] * 2),
)
def test_samples_on_cells_and_borders_are_as_in_the_released_code(seed, corner, cells):
    """With one bin and sides of whole cells, samples lie on cells and on the borders themselves."""
    features = pyramid(torch.Generator().manual_seed(seed), images=1)
    start, end = 4 * tensor(corner), 4 * (tensor(corner) + tensor(cells))
    rois = torch.cat([tensor([0.0]), start, end - 1])[None]
    extractor = ReleasedRoIPooling(2, STRIDES, 1)
    maps = [f.numpy() for f in features]
    found = extractor(features, ours(rois), torch.zeros(1, 1, 1, 2))
    expected = pool_derived(maps, rois.numpy(), np.zeros((1, 2, 1, 1)), STRIDES)
    torch.testing.assert_close(found, torch.from_numpy(expected), atol=1e-9, rtol=1e-9)
    found = extractor(features, ours(rois))
    expected = torch.from_numpy(pool_shared(maps, rois.numpy(), STRIDES, 1))
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_sample_on_a_cell_has_no_gradient(axis):
    """The released kernel interpolates between floor and ceiling, there the same cell."""
    features = pyramid(torch.Generator().manual_seed(8), images=1)
    size = [8.0, 8.0]
    size[axis] = 16.0  # 4 cells, so that the samples are a cell apart
    rois = torch.tensor([[0, 14.0, 14, 14 + size[0], 14 + size[1]]])
    offsets = torch.zeros(1, 1, 1, 2, requires_grad=True)
    ReleasedRoIPooling(2, STRIDES, 1)(features, rois, offsets).sum().backward()
    assert offsets.grad[..., axis] == 0
    assert offsets.grad[..., 1 - axis] != 0


def test_random_rois_read_all_levels_and_reach_over_borders():
    rois = ours(random_rois(torch.Generator().manual_seed(0), 200))
    side = ((rois[:, 3] - rois[:, 1]) * (rois[:, 4] - rois[:, 2])).sqrt()
    assert set((side / 56).log2().floor().clamp(0, 3).int().tolist()) == {0, 1, 2, 3}
    assert (rois[:, 1] < 0).any()
    assert (rois[:, 3] > 96).any()


@pytest.mark.parametrize("bins", [1, 2])
def test_gradients_to_features_and_offsets(bins):
    generator = torch.Generator().manual_seed(3)
    features = [f.requires_grad_() for f in pyramid(generator, images=1, size=32)]
    rois = ours(random_rois(generator, 3, images=1))
    extractor = ReleasedRoIPooling(2, STRIDES, 2)
    offsets = torch.randn(3, bins, bins, 2, generator=generator).double().requires_grad_()

    def pool(offsets, *features):
        return extractor(features, rois, offsets)

    assert torch.autograd.gradcheck(pool, (offsets, *features))


def test_no_rois_still_back_propagate():
    features = [f.requires_grad_() for f in pyramid(torch.Generator().manual_seed(4))]
    extractor = ReleasedRoIPooling(2, STRIDES)
    offsets = torch.zeros(0, 7, 7, 2, requires_grad=True)
    for pooled in (
        extractor(features, torch.zeros(0, 5)),
        extractor(features, torch.zeros(0, 5), offsets),
    ):
        assert pooled.shape == (0, 2, 7, 7)
        pooled.sum().backward()
    assert all(f.grad is not None and not f.grad.any() for f in features)


def test_a_box_without_width_stays_finite():
    rois = torch.tensor([[0, 5.0, 5, 5, 9]])
    features = [f.float() for f in pyramid(torch.Generator().manual_seed(5))]
    offsets = torch.zeros(1, 7, 7, 2, requires_grad=True)
    pooled = ReleasedRoIPooling(2, STRIDES)(features, rois, offsets)
    pooled.sum().backward()
    assert pooled.isfinite().all()
    assert offsets.grad.isfinite().all()


def test_half_precision_features():
    generator = torch.Generator().manual_seed(6)
    features, rois = pyramid(generator), ours(random_rois(generator, 6)).float()
    offsets = torch.randn(6, 7, 7, 2, generator=generator)
    extractor = ReleasedRoIPooling(2, STRIDES)
    for given_offsets in (None, offsets):
        exact = extractor(features, rois, given_offsets)
        lower = extractor([f.half() for f in features], rois, given_offsets)
        assert lower.dtype == torch.float16
        assert (lower.double() - exact).abs().max() < 0.02


def test_bad_offsets_are_named():
    features = pyramid(torch.Generator().manual_seed(7))
    with pytest.raises(ValueError, match=r"\(3, 7, 7, 2\)"):
        ReleasedRoIPooling(2, STRIDES)(features, torch.zeros(3, 5), torch.zeros(3, 2, 7, 7))


def test_at_the_resting_offset_a_bin_is_averaged_around_its_centre():
    extractor = ReleasedRoIPooling(1, [4])
    columns = torch.arange(32.0).expand(1, 1, 32, 32)
    rois = torch.tensor([[0, 8.0, 8, 64, 36]])
    rest_x, rest_y = extractor.resting_offset
    offsets = torch.tensor([rest_x * 56, rest_y * 28]).expand(1, 1, 1, 2)
    centres = (8 + 56 * (torch.arange(7) + 0.5) / 7) / 4 - 0.5
    torch.testing.assert_close(extractor([columns], rois, offsets)[0, 0, 0], centres)
    rows = columns.transpose(2, 3)
    centres = (8 + 28 * (torch.arange(7) + 0.5) / 7) / 4 - 0.5
    torch.testing.assert_close(extractor([rows], rois, offsets)[0, 0, :, 0], centres)
    ordinary = MODELS.build({"type": "DeformableRoIPooling", "out_channels": 1})
    assert ordinary.resting_offset == (0, 0)


def test_a_head_with_it_trains():
    config = {"type": "ReleasedRoIPooling", "out_channels": 4, "featmap_strides": [4, 8]}
    head = let_proposals_move(build_head(bbox_roi_extractor={**config, "output_size": 3}))
    features, results, samples = scene()
    losses = head.loss(features, results, samples)
    sum(value for name, value in losses.items() if "loss" in name).backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
    assert head.derived_proposals.reg_manner.last_layer.weight.grad.any()
    assert features[0].grad.any()  # all RoIs of the scene are small

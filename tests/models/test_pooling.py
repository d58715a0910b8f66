import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.registry import MODELS
from torchvision.ops import roi_align

from tests.models.reference_pooling import pool_slowly
from tsd.models.pooling import assign_levels, deformable_roi_pool

STRIDES = [4, 8, 16, 32]


def pyramid(generator, *, images=2, channels=3, size=64, dtype=torch.float64):
    return [
        torch.randn(images, channels, size // s, size // s, generator=generator, dtype=dtype)
        for s in STRIDES
    ]


def random_rois(generator, count, *, images=2, size=64, dtype=torch.float64):
    corner = torch.rand(count, 2, generator=generator, dtype=dtype) * size
    extent = torch.rand(count, 2, generator=generator, dtype=dtype) * size + 1
    image = torch.randint(0, images, (count, 1), generator=generator).to(dtype)
    return torch.cat([image, corner, corner + extent], dim=1)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    output_size=st.sampled_from([(7, 7), (2, 5), (1, 1), (3, 2)]),
    samples=st.integers(1, 3),
    manner=st.sampled_from(["shared", "proposal-wise", "point-wise"]),
)
def test_equals_pooling_point_by_point(seed, output_size, samples, manner):
    generator = torch.Generator().manual_seed(seed)
    features, rois = pyramid(generator), random_rois(generator, 6)
    shape = {"proposal-wise": (6, 1, 1, 2), "point-wise": (6, *output_size, 2)}.get(manner)
    offsets = torch.randn(shape, generator=generator, dtype=torch.float64) * 20 if shape else None
    kwargs = {"finest_scale": 16}
    fast = deformable_roi_pool(
        features,
        rois,
        offsets,
        strides=STRIDES,
        output_size=output_size,
        sampling_ratio=samples,
        **kwargs,
    )
    slow = pool_slowly(features, rois, offsets, STRIDES, output_size, samples, **kwargs)
    torch.testing.assert_close(fast, slow)


def test_without_offsets_it_is_roi_align():
    generator = torch.Generator().manual_seed(0)
    features, rois = pyramid(generator, size=128), random_rois(generator, 40, size=128)
    level = assign_levels(rois, 4, 12)
    assert set(level.tolist()) == {0, 1, 2, 3}
    expected = torch.empty(40, 3, 7, 5, dtype=torch.float64)
    for index, (feature, stride) in enumerate(zip(features, STRIDES, strict=True)):
        on_level = level == index
        expected[on_level] = roi_align(
            feature, rois[on_level], (7, 5), 1 / stride, sampling_ratio=2, aligned=True
        )
    for offsets in (None, torch.zeros(40, 7, 5, 2), torch.zeros(40, 1, 1, 2)):
        pooled = deformable_roi_pool(
            features, rois, offsets, strides=STRIDES, output_size=(7, 5), finest_scale=12
        )
        torch.testing.assert_close(pooled, expected)


def test_a_translation_is_pooling_from_the_translated_box():
    generator = torch.Generator().manual_seed(1)
    features, rois = pyramid(generator), random_rois(generator, 10)
    moved = rois + torch.tensor([0, 3.5, -2, 3.5, -2])
    offsets = torch.tensor([3.5, -2.0]).double().expand(10, 1, 1, 2)
    torch.testing.assert_close(
        deformable_roi_pool(features, rois, offsets, strides=STRIDES),
        deformable_roi_pool(features, moved, strides=STRIDES),
    )


@pytest.mark.parametrize("shape", [(3, 2, 3, 2), (3, 1, 1, 2)])
def test_gradients_to_features_and_offsets(shape):
    generator = torch.Generator().manual_seed(2)
    features = [f.requires_grad_() for f in pyramid(generator, images=1, channels=2, size=32)]
    rois = random_rois(generator, 3, images=1, size=32)
    offsets = (torch.randn(shape, generator=generator, dtype=torch.float64) * 2).requires_grad_()

    def pool(offsets, *features):
        return deformable_roi_pool(
            features, rois, offsets, strides=STRIDES, output_size=(2, 3), finest_scale=8
        )

    assert torch.autograd.gradcheck(pool, (offsets, *features))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_lower_precision_stays_near_float64(dtype):
    generator = torch.Generator().manual_seed(3)
    features, rois = pyramid(generator), random_rois(generator, 12)
    offsets = torch.randn(12, 7, 7, 2, generator=generator, dtype=torch.float64)
    exact = deformable_roi_pool(features, rois, offsets, strides=STRIDES)
    lower = [f.to(dtype).requires_grad_() for f in features]
    moved = offsets.float().requires_grad_()
    pooled = deformable_roi_pool(lower, rois.float(), moved, strides=STRIDES)
    assert pooled.dtype == dtype
    tolerance = 8 * torch.finfo(dtype).eps * exact.abs().max()
    assert (pooled.double() - exact).abs().max() < max(tolerance, 1e-4)
    pooled.float().sum().backward()
    assert moved.grad.isfinite().all()
    assert moved.grad.abs().sum() > 0
    assert sum(f.grad.abs().sum() for f in lower) > 0


def test_no_rois_still_back_propagates():
    features = [f.requires_grad_() for f in pyramid(torch.Generator().manual_seed(4))]
    pooled = deformable_roi_pool(features, torch.zeros(0, 5).double(), strides=STRIDES)
    assert pooled.shape == (0, 3, 7, 7)
    pooled.sum().backward()
    assert all(f.grad is not None and not f.grad.any() for f in features)


def test_level_follows_the_square_root_of_the_area():
    sides = torch.tensor([1.0, 55, 56, 111, 112, 223, 224, 447, 448, 2000])
    rois = torch.stack([torch.zeros(10), torch.zeros(10), torch.zeros(10), sides, sides], dim=1)
    assert assign_levels(rois, 4).tolist() == [0, 0, 0, 0, 1, 1, 2, 2, 3, 3]


def test_bad_shapes_are_named():
    features, rois = pyramid(torch.Generator()), torch.zeros(3, 5)
    with pytest.raises(ValueError, match="4 feature levels, but 2 strides"):
        deformable_roi_pool(features, rois, strides=[4, 8])
    with pytest.raises(ValueError, match=r"\(3, 7, 7, 2\)"):
        deformable_roi_pool(features, rois, torch.zeros(3, 2, 7, 7), strides=STRIDES)


def test_the_extractor_pools_its_own_levels():
    generator = torch.Generator().manual_seed(5)
    features, rois = pyramid(generator, dtype=torch.float32), random_rois(generator, 4).float()
    extractor = MODELS.build(
        {
            "type": "DeformableRoIPooling",
            "out_channels": 3,
            "featmap_strides": STRIDES[:2],
            "output_size": (3, 2),
        }
    )
    assert extractor.num_inputs == 2
    torch.testing.assert_close(
        extractor(features, rois),
        deformable_roi_pool(features[:2], rois, strides=STRIDES[:2], output_size=(3, 2)),
    )


def test_offsets_that_are_no_numbers_give_features_that_are_none():
    """Training that diverges is ended where its losses are seen, which name the reason."""
    features = [torch.rand(1, 3, 16 // 2**level, 16 // 2**level) for level in range(4)]
    rois = torch.tensor([[0, 1.0, 2, 30, 40], [0, 1, 2, 30, 40]])
    offsets = torch.zeros(2, 7, 7, 2)
    offsets[1] = torch.nan
    pooled = deformable_roi_pool(features, rois, offsets, strides=STRIDES)
    assert pooled[0].isfinite().all()
    assert pooled[1].isnan().all()


@pytest.mark.parametrize("kind", ["DeformableRoIPooling", "ReleasedRoIPooling"])
def test_no_samples_are_refused(kind):
    with pytest.raises(ValueError, match=f"{kind}: sampling_ratio is 0, .* such as 2"):
        MODELS.build({"type": kind, "sampling_ratio": 0})

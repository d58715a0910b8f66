"""What every registered manner has to keep to, and what the three of the paper do."""

import ast
from pathlib import Path

import pytest
import torch

from tests.models.small_head import CHANNELS, SIZE, STRIDES, boxes
from tsd.models.manners import bin_centres, registered_manners, scale_to_proposals
from tsd.models.pooling import DeformableRoIPooling

BINS, WIDTH, COUNT = 3, 8, 5
EVERY_MANNER = pytest.mark.parametrize("name", registered_manners())
PAPERS = {"shared", "proposal-wise", "point-wise"}


def build(name):
    torch.manual_seed(0)
    return registered_manners()[name](WIDTH, BINS)


def some_rois():
    corners = boxes(torch.Generator().manual_seed(1), COUNT)
    return torch.cat([torch.zeros(COUNT, 1), corners], dim=1)


def some_offsets(manner):
    return manner(torch.randn(COUNT, WIDTH, generator=torch.Generator().manual_seed(2)))


def pooled(manner, rois, offsets):
    """What the manner pools, and what is pooled from P."""
    generator = torch.Generator().manual_seed(3)
    features = [
        torch.randn(1, CHANNELS, SIZE // s, SIZE // s, generator=generator) for s in STRIDES
    ]
    extractor = DeformableRoIPooling(CHANNELS, STRIDES, output_size=BINS)
    shared = extractor(features, rois)
    return manner.pool(extractor, features, rois, offsets, shared), shared


def test_the_manners_of_the_paper_have_the_names_that_configs_give_them():
    assert set(registered_manners()) >= PAPERS


@EVERY_MANNER
def test_a_manner_starts_at_the_shared_proposal(name):
    manner, rois = build(name), some_rois()
    manner.start_at_shared()
    offsets = some_offsets(manner)
    torch.testing.assert_close(manner.points(rois, offsets), bin_centres(rois, BINS))
    derived, shared = pooled(manner, rois, offsets)
    torch.testing.assert_close(derived, shared)


@EVERY_MANNER
def test_what_a_manner_learns_reaches_the_features_it_pools(name):
    manner, rois = build(name), some_rois()
    derived, shared = pooled(manner, rois, some_offsets(manner))
    assert derived.shape == shared.shape
    assert manner.learns == bool(list(manner.parameters()))
    assert manner.learns != derived.equal(shared)
    if manner.learns:
        derived.sum().backward()
        assert manner.last_layer.weight.grad.abs().sum() > 0


@EVERY_MANNER
def test_a_box_is_where_the_points_are_and_as_large_as_p(name):
    manner, rois = build(name), some_rois()
    offsets = some_offsets(manner)
    box = manner.box(rois, offsets)
    if box is None:
        assert not manner.translates_box
        return
    points = manner.points(rois, offsets)
    torch.testing.assert_close((box[:, :2] + box[:, 2:]) / 2, points.mean((1, 2)))
    torch.testing.assert_close(box[:, 2:] - box[:, :2], rois[:, 3:] - rois[:, 1:3])


@EVERY_MANNER
def test_a_translation_is_the_way_from_p_to_the_box(name):
    manner, rois = build(name), some_rois()
    offsets = some_offsets(manner)
    if not manner.translates_box:
        with pytest.raises(TypeError, match="does not translate the box P"):
            manner.translation(offsets)
        return
    moved_by = manner.translation(offsets) * (rois[:, 3:] - rois[:, 1:3])
    assert moved_by.abs().min() > 0
    box = manner.box(rois, offsets)
    torch.testing.assert_close(box - rois[:, 1:], moved_by.repeat(1, 2), atol=1e-4, rtol=1e-4)


def test_the_shared_proposal_is_a_box_that_is_not_moved():
    manner, rois = build("shared"), some_rois()
    offsets = some_offsets(manner)
    assert manner.box(rois, offsets).equal(rois[:, 1:])
    derived, shared = pooled(manner, rois, offsets)
    assert derived is shared, "F is not pooled twice"


def test_a_proposal_wise_one_is_moved_as_a_whole():
    manner, rois = build("proposal-wise"), torch.tensor([[0, 10.0, 20, 30, 60]])
    offsets = torch.tensor([0.1, -0.5]).reshape(1, 1, 1, 2)
    assert manner.box(rois, offsets).tolist() == [[12, 0, 32, 40]]
    assert manner.translation(offsets).tolist() == [pytest.approx([0.1, -0.5])]


def test_a_point_wise_one_moves_each_bin_and_has_no_box():
    manner, rois = build("point-wise"), torch.tensor([[0, 10.0, 20, 40, 80]])
    offsets = torch.zeros(1, BINS, BINS, 2)
    offsets[0, 2, 1] = torch.tensor([0.5, 0.25])  # of 30 × 60 pixels
    moved = manner.points(rois, offsets) - bin_centres(rois, BINS)
    assert moved[0, 2, 1].tolist() == [15, 15]
    assert moved.abs().sum() == 30
    assert manner.box(rois, offsets) is None


def test_offsets_are_scaled_by_width_and_height():
    rois = torch.tensor([[0, 10.0, 20, 30, 60], [1, 0, 0, 1, 1]])
    scaled = scale_to_proposals(torch.ones(2, 1, 1, 2), rois)
    assert scaled.tolist() == [[[[20, 40]]], [[[1, 1]]]]


def test_bin_centres_go_row_by_row():
    centres = bin_centres(torch.tensor([[0.0, 10.0, 20.0, 14.0, 28.0]]), 2)
    assert centres.reshape(-1, 2).tolist() == [[11, 22], [13, 22], [11, 26], [13, 26]]


def strings_in_code(path):
    """Strings of a module, less its docstrings, the names it registers, and default arguments."""
    tree = ast.parse(path.read_text())
    left_out = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            left_out.append(node.value)
        if isinstance(node, ast.ClassDef):
            left_out += [part for entry in node.decorator_list for part in ast.walk(entry)]
        if isinstance(node, ast.arguments):
            left_out += node.defaults
    return [
        (node.value, node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in left_out
    ]


def test_no_module_asks_by_name_which_manner_it_has():
    about_regression = {"shared"}  # TSDRoIHead(regression_reference="shared") is no manner
    for path in Path("tsd").rglob("*.py"):
        if path.parent == Path("tsd/configs"):  # data
            continue
        names = PAPERS - about_regression if path.name == "roi_head.py" else PAPERS
        found = [(value, line) for value, line in strings_in_code(path) if value in names]
        assert not found, path


def test_only_the_head_compares_a_string_with_shared_and_it_is_not_a_manner():
    tree = ast.parse(Path("tsd/models/roi_head.py").read_text())
    compared = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and "'shared'" in ast.unparse(node)
    ]
    assert compared == ["self.regression_reference == 'shared'"]

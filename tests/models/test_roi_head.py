import pytest
import torch
from mmdet.structures.bbox import bbox2roi

from tests.models.small_head import build_head, let_proposals_move, scene
from tsd.models.manners import registered_manners, scale_to_proposals

TSD_LOSSES = {"loss_tsd_cls", "loss_tsd_bbox"}
SIBLING_LOSSES = {"loss_cls", "loss_bbox"}
PC_LOSSES = {"loss_pc_cls", "loss_pc_loc"}
MANNERS = list(registered_manners())


def losses_of(head, **scene_options):
    features, results, samples = scene(**scene_options)
    torch.manual_seed(0)
    losses = head.loss(features, results, samples)
    return {k: v for k, v in losses.items() if k.startswith("loss")}, features


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, TSD_LOSSES | SIBLING_LOSSES | PC_LOSSES),
        ({"progressive_constraint": None}, TSD_LOSSES | SIBLING_LOSSES),
        ({"progressive_constraint": {"m_r": None}}, TSD_LOSSES | SIBLING_LOSSES | {"loss_pc_cls"}),
        ({"progressive_constraint": {"m_c": None}}, TSD_LOSSES | SIBLING_LOSSES | {"loss_pc_loc"}),
        ({"progressive_constraint": None, "sibling_head": None}, TSD_LOSSES),
    ],
)
def test_loss_names_follow_the_options(changes, expected):
    losses, _ = losses_of(build_head(**changes))
    assert set(losses) == expected


@pytest.mark.parametrize("cls_manner", MANNERS)
@pytest.mark.parametrize("reg_manner", MANNERS)
@pytest.mark.parametrize("agnostic", [False, True])
def test_every_row_of_table_4_trains_and_predicts(cls_manner, reg_manner, agnostic):
    head = build_head(
        agnostic,
        derived_proposals=dict(
            cls_manner=cls_manner, reg_manner=reg_manner, hidden_channels=8, gamma=0.1
        ),
    )
    losses, features = losses_of(head)
    assert all(loss.isfinite() for loss in losses.values())
    sum(losses.values()).backward()
    assert all(f.grad.isfinite().all() for f in features)
    for parameter in head.derived_proposals.parameters():
        assert parameter.grad is not None
    features, results, samples = scene()
    head.eval()
    for found in head.predict(features, results, samples):
        assert set(found.keys()) == {"bboxes", "scores", "labels"}
        assert found.bboxes.isfinite().all()


@pytest.mark.parametrize("proposals", [(6, 6), (0, 0)])
@pytest.mark.parametrize("objects", [(2, 1), (0, 2), (0, 0)])
def test_images_without_objects_or_rois_give_losses_that_back_propagate(proposals, objects):
    head = build_head()
    losses, _ = losses_of(head, proposals=proposals, objects=objects)
    assert set(losses) == TSD_LOSSES | SIBLING_LOSSES | PC_LOSSES
    total = sum(losses.values())
    assert total.isfinite()
    total.backward()
    untouched = [name for name, p in head.named_parameters() if p.grad is None]
    assert not untouched


def test_golden_losses():
    losses, _ = losses_of(let_proposals_move(build_head()))
    golden = {
        "loss_tsd_cls": 1.3862,
        "loss_tsd_bbox": 1.0773,
        "loss_cls": 1.3951,
        "loss_bbox": 0.4028,
        "loss_pc_cls": 0.1978,
        "loss_pc_loc": 0.2901,
    }
    assert {k: v.item() for k, v in losses.items()} == pytest.approx(golden, abs=2e-4)


def predicted_deltas(head, features, rois):
    return head._bbox_forward(features, rois)["bbox_pred"]


@pytest.mark.parametrize("agnostic", [False, True])
def test_deltas_against_p_decode_to_the_box_decoded_from_the_derived_proposal(agnostic):
    head = let_proposals_move(build_head(agnostic)).eval()
    features, results, _ = scene()
    rois = bbox2roi([r.bboxes for r in results])
    expressed = predicted_deltas(head, features, rois)
    head.regression_reference = "shared"
    plain = predicted_deltas(head, features, rois)

    pooled = head.bbox_roi_extractor(features, rois)
    delta_r = scale_to_proposals(head.derived_proposals(pooled)[1], rois)[:, 0, 0]
    assert delta_r.abs().min() > 0
    derived = rois[:, 1:] + torch.cat([delta_r, delta_r], dim=1)
    coder = head.bbox_head.bbox_coder
    torch.testing.assert_close(
        coder.decode(rois[:, 1:], expressed), coder.decode(derived, plain), atol=1e-4, rtol=1e-5
    )


def test_the_loss_equals_one_with_targets_encoded_against_the_derived_proposal():
    head = let_proposals_move(build_head())
    features, results, _ = scene()
    rois = bbox2roi([r.bboxes for r in results])
    gt = rois[:, 1:] + torch.tensor([2.0, -1.0, 3.0, 1.0])
    coder = head.bbox_head.bbox_coder
    against_p = predicted_deltas(head, features, rois).unflatten(1, (-1, 4))[:, 0]
    loss = (against_p - coder.encode(rois[:, 1:], gt)).abs().sum()

    head.regression_reference = "shared"
    plain = predicted_deltas(head, features, rois).unflatten(1, (-1, 4))[:, 0]
    pooled = head.bbox_roi_extractor(features, rois)
    delta_r = scale_to_proposals(head.derived_proposals(pooled)[1], rois)[:, 0, 0]
    derived = rois[:, 1:] + torch.cat([delta_r, delta_r], dim=1)
    expected = (plain - coder.encode(derived, gt)).abs().sum()
    torch.testing.assert_close(loss, expected, atol=1e-3, rtol=1e-5)
    last = head.derived_proposals.reg_manner.last_layer.weight
    torch.testing.assert_close(
        torch.autograd.grad(loss, last)[0],
        torch.autograd.grad(expected, last)[0],
        atol=1e-3,
        rtol=1e-3,
    )


def test_detaching_the_reference_keeps_the_target_from_moving_the_proposal():
    features, results, _ = scene()
    rois = bbox2roi([r.bboxes for r in results])

    def gradient(reference):
        head = let_proposals_move(build_head(regression_reference=reference))
        head.bbox_roi_extractor = WithoutOffsetGradient(head.bbox_roi_extractor)
        total = predicted_deltas(head, features, rois).sum()
        last = head.derived_proposals.reg_manner.last_layer.weight
        return torch.autograd.grad(total, last, allow_unused=True)[0]

    assert gradient("derived").abs().sum() > 0
    assert gradient("derived-detached") is None


class WithoutOffsetGradient(torch.nn.Module):
    def __init__(self, extractor):
        super().__init__()
        self.extractor = extractor

    def prepare(self, features):
        return self.extractor.prepare(features)

    def forward(self, features, rois, offsets=None):
        return self.extractor(features, rois, None if offsets is None else offsets.detach())


def test_d_head_with_equal_trunks_is_the_sibling_head():
    head = build_head(derived_proposals=dict(cls_manner="shared", reg_manner="shared"))
    sibling = head.sibling_head
    for mine, theirs in ((head.bbox_head.cls_fcs, sibling.shared_fcs),):
        for a, b in zip(mine, theirs, strict=True):
            a.load_state_dict(b.state_dict())
    for a, b in zip(head.bbox_head.reg_fcs, sibling.shared_fcs, strict=True):
        a.load_state_dict(b.state_dict())
    head.bbox_head.fc_cls.load_state_dict(sibling.fc_cls.state_dict())
    head.bbox_head.fc_reg.load_state_dict(sibling.fc_reg.state_dict())
    features, results, _ = scene()
    rois = bbox2roi([r.bboxes for r in results])
    out = head._bbox_forward(features, rois)
    cls_score, bbox_pred = sibling(out["bbox_feats"])
    torch.testing.assert_close(out["cls_score"], cls_score)
    torch.testing.assert_close(out["bbox_pred"], bbox_pred)


def test_the_sibling_head_is_not_evaluated_at_inference():
    head = build_head().eval()

    def fail(*_):
        raise AssertionError("the sibling head was called")

    head.sibling_head.forward = fail
    features, results, samples = scene()
    assert len(head.predict(features, results, samples)) == 2


def test_constraint_sends_no_gradient_to_the_sibling_head():
    head = build_head(progressive_constraint=dict(m_c=1.0, m_r=1.0, clamp=False))
    losses, _ = losses_of(head)
    (losses["loss_pc_cls"] + losses["loss_pc_loc"]).backward()
    assert all(p.grad is None for p in head.sibling_head.parameters())
    assert any(p.grad is not None and p.grad.any() for p in head.bbox_head.parameters())


def test_configuration_mistakes_are_named():
    with pytest.raises(ValueError, match="set sibling_head=dict"):
        build_head(sibling_head=None)
    with pytest.raises(ValueError, match="regression_reference is 'P'"):
        build_head(regression_reference="P")
    with pytest.raises(TypeError, match="m_cc"):
        build_head(progressive_constraint=dict(m_cc=0.2))


@pytest.mark.parametrize("manner", MANNERS)
def test_only_a_translated_box_needs_the_coder_whose_deltas_can_be_shifted(manner):
    settings = dict(coder="LegacyDeltaXYWHBBoxCoder", derived_proposals=dict(reg_manner=manner))
    if registered_manners()[manner].translates_box:
        with pytest.raises(ValueError, match="needs bbox_coder=DeltaXYWHBBoxCoder, not Legacy"):
            build_head(**settings)
    else:
        build_head(**settings)

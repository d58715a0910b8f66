"""M_cls compares the scores that inference gives, whatever the loss that trains them."""

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures.bbox import bbox2roi

from tests.models.small_head import CLASSES, head_config, scene
from tsd.models.class_scores import class_scores
from tsd.models.lean_box_losses import RoITargets
from tsd.models.progressive_constraint import margin_loss

SEESAW = dict(type="SeesawLoss", num_classes=CLASSES)
SIGMOID = dict(type="CrossEntropyLoss", use_sigmoid=True)
FOCAL = dict(type="FocalLoss")
WITHOUT_BACKGROUND = dict(type="FocalCustomLoss", num_classes=CLASSES)


def build(loss_cls, sibling=None, **constraint):
    """A head with a loss for TSD's scores, and another for the sibling head's if there is one."""
    config = head_config(
        sibling_head={} if sibling is None else {"loss_cls": sibling},
        progressive_constraint={"m_c": 0.3, "m_r": None, **constraint},
    )
    config.bbox_head.loss_cls = loss_cls
    torch.manual_seed(0)
    return MODELS.build(config)


@pytest.mark.parametrize(
    "loss",
    [
        dict(type="CrossEntropyLoss"),
        SEESAW,
        dict(type="CrossEntropyCustomLoss", num_classes=CLASSES),
        dict(type="CrossEntropyCustomLoss", num_classes=CLASSES, use_sigmoid=True),
    ],
)
def test_they_are_those_of_mmdets_inference(loss):
    head = build(loss).eval()
    torch.nn.init.normal_(head.bbox_head.fc_cls.weight)
    features, results, samples = scene()
    rois = bbox2roi([result.bboxes for result in results])
    with torch.no_grad():
        logits = head._bbox_forward(features, rois)["cls_score"]
        found = head.predict_bbox(features, [one.metainfo for one in samples], results, None)
    scores = class_scores(head.bbox_head, logits)
    assert scores.shape == (len(rois), CLASSES + 1)
    torch.testing.assert_close(scores, torch.cat([one.scores for one in found]))


def test_the_constraint_takes_the_activation_of_the_loss():
    head = build(SEESAW)
    generator = torch.Generator().manual_seed(0)
    sibling, tsd = (3 * torch.randn(4, CLASSES + 2, generator=generator) for _ in range(2))
    labels = torch.tensor([0, 2, CLASSES, CLASSES])
    nothing = torch.zeros(0, 4)
    losses = head._constraint_losses(
        head.progressive_constraint,
        {"cls_score": sibling},
        {"cls_score": tsd},
        RoITargets(labels, torch.tensor([0, 1]), nothing, nothing),
    )

    def by_hand(logits):
        of_objects, of_background = logits[:, CLASSES:].softmax(dim=1).unbind(dim=1)
        scores = logits[:, :CLASSES].softmax(dim=1) * of_objects[:, None]
        return torch.cat([scores[[0, 1], labels[:2]], of_background[2:]])

    expected = margin_loss(by_hand(sibling), by_hand(tsd), 0.3).mean()
    torch.testing.assert_close(losses["loss_pc_cls"], expected)
    softmax = [logits.softmax(dim=1).gather(1, labels[:, None]) for logits in (sibling, tsd)]
    assert not torch.isclose(losses["loss_pc_cls"], margin_loss(*softmax, 0.3).mean(), atol=0.01)


@pytest.mark.parametrize("loss", [SIGMOID, FOCAL])
def test_a_sigmoid_for_each_class_is_no_score_to_compare(loss):
    named = rf"bbox_head\.loss_cls={loss['type']} trains a sigmoid.*or set m_c=None"
    with pytest.raises(ValueError, match=named):
        build(loss)
    with pytest.raises(ValueError, match=rf"sibling_head\.loss_cls={loss['type']} trains"):
        build(dict(type="CrossEntropyLoss"), sibling=loss)
    build(loss, m_c=None)


def test_a_loss_without_a_score_of_the_background_compares_the_positive_rois():
    with pytest.raises(ValueError, match="gives the background no score; set over_negatives=False"):
        build(WITHOUT_BACKGROUND)
    head = build(WITHOUT_BACKGROUND, over_negatives=False)
    features, results, samples = scene()
    assert head.loss(features, results, samples)["loss_pc_cls"] > 0

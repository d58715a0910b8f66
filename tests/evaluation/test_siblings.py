import json
from dataclasses import replace

import pytest
import torch
from mmdet.registry import DATASETS

from tsd.evaluation.siblings import (
    EDGES,
    PAPERS_MARGIN,
    Margins,
    Pairs,
    _bin,
    _stage,
    compare,
    extract_siblings,
)
from tsd.experiments.reading import DeclarationError
from tsd.models.progressive_constraint import ProgressiveConstraint
from tsd.results.extracts import SiblingsExtract
from tsd.training.build import build_model, runtime_config


def with_random_weights(job, iterations=()):
    """Weights as training would leave them, untrained, also at some milestones."""
    model = build_model(job)
    model.init_weights()
    job.folder.path.mkdir(parents=True)
    torch.save({"state_dict": model.state_dict()}, job.folder.weights)
    for iteration in iterations:
        path = job.folder.weights_at(iteration)
        path.parent.mkdir(exist_ok=True)
        torch.nn.init.constant_(model.roi_head.sibling_head.fc_cls.bias, 0)
        torch.nn.init.constant_(model.roi_head.sibling_head.fc_cls.weight, 0)
        torch.save({"state_dict": model.state_dict()}, path)
    return job


def pairs(**changes):
    values = {
        "proposal_iou": [0.5, 0.65, 0.95],
        "sibling_score": [0.2, 0.9, 0.5],
        "tsd_score": [0.6, 0.8, 0.5],
        "sibling_iou": [0.5, 0.7, 0.9],
        "tsd_iou": [0.6, 0.9, 0.95],
        **changes,
    }
    return Pairs(**{name: torch.tensor(value) for name, value in values.items()})


def test_means_shares_and_terms_are_those_of_the_proposals():
    found = _bin(0.5, 1.0, pairs(), Margins())
    assert found.proposals == 3
    assert found.sibling_score == pytest.approx(1.6 / 3)
    assert found.tsd_iou == pytest.approx(2.45 / 3)
    assert found.ahead_in_score == pytest.approx(1 / 3)
    assert found.ahead_in_iou == pytest.approx(1)
    # |sibling − TSD + min(0.2, 1 − sibling)|₊ of the three: 0; 0.9 − 0.8 + 0.1; 0.2
    assert found.m_cls == pytest.approx((0 + 0.2 + 0.2) / 3)
    assert found.m_loc == pytest.approx((0.1 + 0 + 0.05) / 3)
    found = _bin(0.5, 1.0, pairs(), Margins(m_c=0.5, m_r=0.3, clamp=False))
    assert found.m_cls == pytest.approx((0.1 + 0.6 + 0.5) / 3)
    assert found.m_loc == pytest.approx((0.2 + 0.1 + 0.25) / 3)


def test_margins_are_those_of_the_training_and_the_papers_for_what_it_lacks():
    paper = Margins(PAPERS_MARGIN, PAPERS_MARGIN, clamp=True)
    assert Margins.of(None) == paper == Margins(0.2, 0.2)
    assert Margins.of(ProgressiveConstraint(m_c=0.5, m_r=None)) == Margins(0.5, 0.2)
    assert Margins.of(ProgressiveConstraint(m_c=None, m_r=0.0)) == Margins(0.2, 0.0)
    assert Margins.of(ProgressiveConstraint(clamp=False)) == Margins(clamp=False)


def test_every_proposal_is_in_one_bin():
    edges = pairs(proposal_iou=[0.5, 0.7, 1.0])
    stage = _stage(7, edges, Margins())
    assert stage.iteration == 7
    assert [one.proposals for one in stage.by_proposal_iou] == [1, 0, 1, 0, 1]
    assert sum(one.proposals for one in stage.by_proposal_iou) == stage.all.proposals
    assert [one.low for one in stage.by_proposal_iou] == list(EDGES[:-1])


def test_no_proposals_give_no_means():
    found = _bin(0.5, 0.6, pairs().where(torch.zeros(3, dtype=torch.bool)), Margins())
    assert (found.proposals, found.tsd_score, found.m_loc, found.tsd_order) == (0, None, None, None)


def test_heads_with_the_same_weights_do_not_differ(smoke_grid):
    job = smoke_grid.job("tsd_joint", 0)
    detector = build_model(job).eval()
    detector.init_weights()
    head = detector.roi_head
    # P̂ = P at the start, so that all that tells the heads apart are their layers.
    ours = head.bbox_head
    for layer, theirs in (
        (ours.fc_cls, head.sibling_head.fc_cls),
        (ours.fc_reg, head.sibling_head.fc_reg),
    ):
        for one in (layer, theirs):
            torch.nn.init.zeros_(one.weight)
            torch.nn.init.zeros_(one.bias)
    dataset = DATASETS.build(runtime_config(job).test_dataloader.dataset)
    found = compare(detector, dataset, range(len(dataset)))
    classes = len(job.dataset.classes) + 1
    assert len(found.tsd_score) > 0
    assert found.proposal_iou.min() >= EDGES[0]
    assert found.sibling_score.tolist() == pytest.approx([1 / classes] * len(found.tsd_score))
    assert torch.equal(found.sibling_score, found.tsd_score)
    # A head that moves nothing returns the proposal.
    assert found.sibling_iou.tolist() == pytest.approx(found.proposal_iou.tolist(), abs=1e-4)
    assert found.tsd_iou.tolist() == pytest.approx(found.proposal_iou.tolist(), abs=1e-4)


def job_with(grid, **constraint):
    """The job of ``tsd_pc`` with other settings of its constraint."""
    job = grid.job("tsd_pc", 0)
    path = "model.roi_head.progressive_constraint."
    changes = {path + name: value for name, value in constraint.items()}
    return replace(job, run=job.run.model_copy(update={"set": {**job.run.set, **changes}}))


def test_stages_have_the_weights_of_their_milestones(smoke_grid, tmp_path):
    job = with_random_weights(job_with(smoke_grid, m_c=0.5, m_r=None), iterations=[3, 2])
    events = [
        {"step": step, "time": 0, "metrics": {"loss_pc_cls": 1 / step, "loss_rpn_cls": 1}}
        for step in (1, 2, 4)
    ]
    lines = [*map(json.dumps, events), '{"step": 5, "met']
    job.folder.events.write_text("\n".join(lines), encoding="utf-8")
    extract_siblings(job, tmp_path / "siblings.json", count=4)
    written = SiblingsExtract.read(tmp_path / "siblings.json")
    assert (written.key, written.images) == (job.key, 4)
    assert (written.m_c, written.asks_for_score) == (0.5, True)
    assert (written.m_r, written.asks_for_iou) == (PAPERS_MARGIN, False)
    assert [stage.iteration for stage in written.stages] == [2, 3, 4]
    classes = len(job.dataset.classes) + 1
    early, _, end = (stage.all for stage in written.stages)
    assert early.sibling_score == pytest.approx(1 / classes)
    assert end.sibling_score != pytest.approx(1 / classes, abs=1e-6)
    assert end.tsd_score == pytest.approx(early.tsd_score)
    # Neither head is sure of anything yet, so that no margin is clamped.
    assert early.m_cls == pytest.approx(early.sibling_score - early.tsd_score + 0.5)
    (curve,) = written.losses
    assert (curve.name, curve.steps, curve.values) == ("loss_pc_cls", [1, 2, 4], [1, 0.5, 0.25])


@pytest.mark.parametrize("run", ["r50", "tsd_wo_pc"])
def test_a_run_without_a_sibling_beside_tsd_is_refused(smoke_grid, run, tmp_path):
    job = with_random_weights(smoke_grid.job(run, 0))
    with pytest.raises(DeclarationError, match=f"run {run} has no sibling head beside TSD"):
        extract_siblings(job, tmp_path / "siblings.json")

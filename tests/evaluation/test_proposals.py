import pytest
import torch
from mmdet.registry import DATASETS
from mmengine.structures import InstanceData

from tsd.evaluation.examples import pick_examples
from tsd.evaluation.proposals import (
    extract_proposals,
    ground_truth,
    proposals,
)
from tsd.models.manners import bin_centres
from tsd.models.released_pooling import ReleasedRoIPooling
from tsd.results.extracts import LabelledBox, ProposalsExtract
from tsd.training.build import build_model, runtime_config

GAMMA, SHIFT = 0.1, (1.0, -2.0)


def loaded(grid, run):
    """An untrained detector, its val split and an example."""
    job = grid.job(run, 0)
    torch.manual_seed(0)
    detector = build_model(job).eval()
    detector.init_weights()
    dataset = DATASETS.build(runtime_config(job).test_dataloader.dataset)
    return detector, dataset, pick_examples(dataset, 1)[0]


def shift_everything(detector):
    """Let every offset be SHIFT, whatever the RoI's features."""
    derived = detector.roi_head.derived_proposals
    for manner in (derived.cls_manner, derived.reg_manner):
        if manner.learns:
            bias = manner.last_layer.bias
            with torch.no_grad():
                bias.copy_(torch.tensor(SHIFT).repeat(len(bias) // 2))


def shifted(box):
    """A box (or a point with its box's size) moved by γ · SHIFT of its size."""
    width, height = box[2] - box[0], box[3] - box[1]
    return GAMMA * SHIFT[0] * width, GAMMA * SHIFT[1] * height


@pytest.mark.parametrize(
    ("run", "reg_is_a_box", "reg_moves"),
    [
        ("tsd_pc", True, True),
        ("tsd_prop_prop_pc", True, True),
        ("tsd_point_point", False, True),
        ("tsd_point_shared", True, False),
    ],
)
def test_derived_proposals_are_where_the_offsets_put_them(smoke_grid, run, reg_is_a_box, reg_moves):
    detector, dataset, example = loaded(smoke_grid, run)
    shift_everything(detector)
    found = proposals(detector, dataset, example)
    box, derived = found.proposal.box, found.derived
    dx, dy = shifted(box)
    centres = bin_centres(torch.tensor([[0.0, *box]]), 7).reshape(-1, 2)
    moved = (centres + torch.tensor([dx, dy])).flatten().tolist()
    assert torch.tensor(derived.cls_points).flatten().tolist() == pytest.approx(moved, abs=1e-3)
    if reg_is_a_box:
        expected = [box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy] if reg_moves else box
        assert derived.reg_box == pytest.approx(expected, abs=1e-3)
        assert derived.reg_points is None
    else:
        assert derived.reg_box is None
        points = torch.tensor(derived.reg_points).flatten().tolist()
        assert points == pytest.approx(moved, abs=1e-3)


def test_with_the_released_pooling_proposals_are_drawn_where_it_reads(smoke_grid):
    detector, dataset, example = loaded(smoke_grid, "tsd_pc")
    shift_everything(detector)
    ordinary = proposals(detector, dataset, example)
    pooling = detector.roi_head.bbox_roi_extractor
    settings = {"out_channels": pooling.out_channels, "featmap_strides": pooling.featmap_strides}
    detector.roi_head.bbox_roi_extractor = ReleasedRoIPooling(**settings)
    found = proposals(detector, dataset, example)
    x1, y1, x2, y2 = found.proposal.box
    assert found.proposal == ordinary.proposal
    rest = torch.tensor([x2 - x1, y2 - y1]) / 56
    expected = torch.tensor(ordinary.derived.cls_points) - rest
    torch.testing.assert_close(torch.tensor(found.derived.cls_points), expected, atol=1e-3, rtol=0)
    expected = torch.tensor(ordinary.derived.reg_box) - rest.repeat(2)
    torch.testing.assert_close(torch.tensor(found.derived.reg_box), expected, atol=1e-3, rtol=0)


def test_the_feature_of_the_proposal_itself_has_no_resting_offset(smoke_grid):
    detector, dataset, example = loaded(smoke_grid, "tsd_point_shared")
    pooling = detector.roi_head.bbox_roi_extractor
    settings = {"out_channels": pooling.out_channels, "featmap_strides": pooling.featmap_strides}
    detector.roi_head.bbox_roi_extractor = ReleasedRoIPooling(**settings)
    found = proposals(detector, dataset, example)
    assert found.derived.reg_box == pytest.approx(found.proposal.box, abs=1e-3)


def test_the_proposal_overlaps_the_object_best(smoke_grid, monkeypatch):
    detector, dataset, example = loaded(smoke_grid, "r50")
    x1, y1, x2, y2 = example.box
    offered = [[0.0, 0.0, 5.0, 5.0], [x1 + 1, y1, x2, y2], [x1, y1, x2 + 30, y2 + 30]]
    boxes = InstanceData(bboxes=torch.tensor(offered), scores=torch.tensor([0.9, 0.1, 0.5]))
    monkeypatch.setattr(detector.rpn_head, "predict", lambda *a, **k: [boxes])
    found = proposals(detector, dataset, example)
    assert found.proposal.box == pytest.approx(offered[1])
    assert found.proposal.iou == pytest.approx((x2 - x1 - 1) / (x2 - x1))
    assert found.derived is None, "a sibling head derives nothing"


def test_without_proposals_there_is_nothing_but_the_image(smoke_grid, monkeypatch):
    detector, dataset, example = loaded(smoke_grid, "tsd_pc")
    nothing = InstanceData(bboxes=torch.zeros(0, 4), scores=torch.zeros(0))
    monkeypatch.setattr(detector.rpn_head, "predict", lambda *a, **k: [nothing])
    found = proposals(detector, dataset, example)
    assert (found.proposal, found.derived, found.detections) == (None, None, [])
    assert found.image.endswith(".png")


def test_detections_are_those_of_the_detector(smoke_grid):
    detector, dataset, example = loaded(smoke_grid, "tsd_pc")
    found = proposals(detector, dataset, example).detections
    item = dataset[example.index]
    batch = {"inputs": [item["inputs"]], "data_samples": [item["data_samples"]]}
    with torch.inference_mode():
        (sample,) = detector.test_step(batch)
    assert found
    assert [one.score for one in found] == sample.pred_instances.scores.tolist()
    assert [list(one.box) for one in found] == sample.pred_instances.bboxes.tolist()
    classes = dataset.metainfo["classes"]
    assert [one.class_name for one in found] == [classes[i] for i in sample.pred_instances.labels]


def test_ground_truth_leaves_out_what_evaluation_ignores():
    class Annotations:
        def __init__(self):
            self.metainfo = {"classes": ("cat", "dog")}

        def get_data_info(self, index):
            box = {"bbox": [1, 2, 3, 4]}
            return {
                "instances": [
                    {**box, "bbox_label": 1, "ignore_flag": 0},
                    {**box, "bbox_label": 0, "ignore_flag": 1},
                ]
            }

    assert ground_truth(Annotations(), 0) == [LabelledBox(class_name="dog", box=(1, 2, 3, 4))]


def test_images_of_a_job_are_written(smoke_grid, tmp_path):
    job = smoke_grid.job("tsd_pc", 0)
    model = build_model(job)
    model.init_weights()
    job.folder.path.mkdir(parents=True)
    torch.save({"state_dict": model.state_dict()}, job.folder.weights)
    extract_proposals(job, tmp_path / "proposals.json", count=2)
    written = ProposalsExtract.read(tmp_path / "proposals.json")
    assert written.key == job.key
    assert written.resting_offset == (0, 0)
    assert len({image.image for image in written.images}) == 2
    for image in written.images:
        shown = LabelledBox(class_name=image.class_name, box=image.box)
        assert shown in image.ground_truth
        assert 0 < image.proposal.iou <= 1
        # The generators' last layers start at zero, so P̂_r starts as P.
        assert image.derived.reg_box == pytest.approx(image.proposal.box, abs=1e-3)
        assert len(image.derived.cls_points) == 49

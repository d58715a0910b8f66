"""Protocols as data: what they change, in which order, and that the bases stay what they were."""

from pathlib import Path

import pytest
import yaml

from tsd.experiments.compile import compile_run, digest
from tsd.experiments.deviations import Ledger
from tsd.experiments.reading import DeclarationError
from tsd.experiments.settings import open_grid

PROTOCOLS = sorted(path.stem for path in Path("experiments/protocols").glob("*.yaml"))


@pytest.fixture(scope="module")
def grids():
    """Protocol → the whole grid of the paper's scale under it."""
    return {
        name: open_grid({"scale": "paper", "protocol": name, "only": "all"}) for name in PROTOCOLS
    }


def config(grid, run):
    return grid.job(run, 0).config


@pytest.mark.parametrize("scale", ["mini", "transfer", "paper"])
def test_mmdet3_leaves_the_bases_as_they_are_and_the_papers_changes_each_of_ours(scale):
    grids = {name: open_grid({"scale": scale, "protocol": name}) for name in ("mmdet3", "paper")}
    changed = 0
    for run in grids["mmdet3"].experiments.runs.values():
        if run.protocol is not None or not grids["mmdet3"].has(run):
            continue
        job = grids["mmdet3"].job(run.id, 0)
        bare = digest(compile_run(run, job.backbone, None, job.scale, job.dataset, job.results))
        assert job.digest == bare, run.id
        of_mmdet = run.base.startswith("mmdet::")
        assert (grids["paper"].job(run.id, 0).digest == bare) == of_mmdet, run.id
        changed += not of_mmdet
    assert changed > 20


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_run_can_be_made_under_every_protocol(grids, name):
    mistakes = [job.mistake for job in grids[name].jobs if job.mistake]
    assert mistakes == []


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("scale", ["midi", "mini", "smoke", "transfer"])
def test_and_at_every_small_scale(scale, name):
    grid = open_grid({"scale": scale, "protocol": name, "only": "all"})
    assert [job.mistake for job in grid.jobs if job.mistake] == []


def test_the_papers_protocol(grids):
    model = config(grids["paper"], "tsd_pc").model
    assert model.roi_head.bbox_head.loss_bbox == dict(type="SmoothL1Loss", beta=1, loss_weight=1)
    assert model.rpn_head.loss_bbox.beta == pytest.approx(1 / 9)
    assert model.train_cfg.rpn_proposal.max_per_img == 2000
    assert model.train_cfg.rpn.allowed_border == 0
    assert model.test_cfg.rcnn.score_thr == 0.05
    assert model.roi_head.progressive_constraint.m_c == 0.2
    assert config(grids["paper"], "tsd_pc").train_cfg.max_epochs == 13


def test_the_released_protocol(grids):
    tsd = config(grids["released"], "tsd_pc")
    assert tsd.model.roi_head.bbox_head.loss_bbox.type == "SmoothL1Loss"
    assert tsd.train_cfg.max_epochs == 14
    assert tsd.param_scheduler[1].milestones == [9, 12]
    assert tsd.optim_wrapper.clip_grad == dict(max_norm=35, norm_type=2)
    assert tsd.model.backbone.norm_cfg.type == "BN"
    assert tsd.model.backbone.norm_eval is True
    assert tsd.model.train_cfg.rcnn.assigner.match_low_quality is True
    constraint = tsd.model.roi_head.progressive_constraint
    assert (constraint.m_c, constraint.m_r) == (0.3, 0.3)
    assert tsd.model.roi_head.derived_proposals.start == "kaiming"
    assert tsd.model.roi_head.bbox_roi_extractor.type == "ReleasedRoIPooling"
    assert tsd.model.rpn_head.anchor_generator.type == "ReleasedAnchorGenerator"
    masks = config(grids["released"], "mask_r50_tsd").model.roi_head
    assert masks.mask_roi_extractor.type == "ReleasedRoIPooling"
    assert masks.mask_roi_extractor.output_size == 14
    alone = config(grids["released"], "d_head").model.roi_head.derived_proposals
    assert (alone.cls_manner, alone.reg_manner) == ("shared", "shared")
    thresholds = {
        run: config(grids["released"], run).model.test_cfg.rcnn.score_thr
        for run in ("tsd_pc", "r50", "cascade_r50", "cascade_r50_tsd", "oi_r50", "oi_r50_tsd")
    }
    assert list(thresholds.values()) == [0, 0.05, 0, 0, 0.01, 0.01]
    cascade = config(grids["released"], "cascade_r50_tsd")
    assert cascade.train_cfg.max_epochs == 21
    assert cascade.model.roi_head.stage_loss_weights == [1, 1, 1]
    assert {head.reg_class_agnostic for head in cascade.model.roi_head.bbox_head} == {False}
    baseline = config(grids["released"], "cascade_r50")
    assert baseline.model.roi_head.stage_loss_weights == [1, 0.5, 0.25]
    assert {head.reg_class_agnostic for head in baseline.model.roi_head.bbox_head} == {False}


def test_the_released_protocol_on_open_images(grids):
    for run in ("oi_r50", "oi_r50_tsd", "oi_cascade_senet154_dcn_tsd", "oi_x101_dcn"):
        made = config(grids["released"], run)
        assert (made.train_cfg.max_epochs, made.optim_wrapper.optimizer.lr) == (12, 0.08)
        assert made.auto_scale_lr == dict(enable=True, base_batch_size=64)
        warm_up, steps = made.param_scheduler
        assert warm_up.start_factor == 1 / 64
        assert steps.milestones == [8, 11]
        assert made.model.backbone.norm_cfg.type == "SyncBN"
        assert made.model.train_cfg.rpn.assigner.min_pos_iou == 0.5
        for loader in (made.train_dataloader, made.test_dataloader):
            (resize,) = (t for t in loader.dataset.pipeline if t.type == "Resize")
            assert resize.scale == (1024, 800)
    on_coco = config(grids["released"], "tsd_pc")
    assert on_coco.model.train_cfg.rpn.assigner.min_pos_iou == 0.3
    assert on_coco.train_dataloader.dataset.pipeline[2].scale == (1333, 800)


def test_the_released_protocol_of_its_multi_scale_training(grids):
    made = config(grids["released"], "bells_x101_64x4d_dcn_tsd")
    constraint = made.model.roi_head.progressive_constraint
    assert (constraint.m_c, constraint.m_r) == (0.3, 0.3)
    assert made.train_cfg.max_epochs == 34
    assert made.param_scheduler[1].milestones == [24, 33]
    assert made.model.test_cfg.rcnn.nms == dict(type="nms", iou_threshold=0.5)
    assert made.model.test_cfg.rcnn.score_thr == 0
    resize = made.train_dataloader.dataset.pipeline[2]
    assert (resize.type, resize.scale) == ("RandomResize", [(1600, 400), (1600, 1400)])
    tested = made.test_time_augmentation
    assert (sorted(side for _, side in tested.scales), tested.flip) == (
        [600, 800, 1200, 1400],
        True,
    )
    assert "RandomChoiceResize" in {
        transform.type
        for transform in config(
            grids["released"], "bells_r101_dcn_tsd"
        ).train_dataloader.dataset.pipeline
    }


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_rate_of_an_image_is_that_of_the_paper_and_the_readme(grids, name):
    """0.00125, as by 0.04 for 32 images (Section 3.1; Sense-X/TSD, README, Tips)."""
    for job in grids[name].jobs:
        if not job.run.base.startswith("mmdet::"):
            scaling = job.config.auto_scale_lr
            assert scaling.enable, job.run.id
            rate = job.config.optim_wrapper.optimizer.lr / scaling.base_batch_size
            assert rate == pytest.approx(0.00125), job.run.id


@pytest.mark.parametrize("name", PROTOCOLS)
def test_warm_up_lasts_for_an_epoch_whatever_the_batch(grids, name):
    for job in grids[name].jobs:
        if not job.run.base.startswith("mmdet::"):
            warm_up = job.config.param_scheduler[0]
            assert (warm_up.type, warm_up.begin, warm_up.end) == ("LinearLR", 0, 1), job.run.id
            assert (warm_up.by_epoch, warm_up.convert_to_iter_based) == (True, True), job.run.id


def test_the_released_warm_up_is_nearly_an_epoch_of_its_batches(grids):
    """The shares that the decision gives in words follow from the numbers of training images."""
    why = grids["released"].experiments.decisions["schedule"].why
    coco, open_images = 117_266, 1_674_979  # images with a box; Section 3
    shares = [round(100 * 3600 * 32 / coco), round(100 * 26000 * 64 / open_images)]
    assert f"which are {shares[0]} % and on OpenImages {shares[1]} % of an epoch" in why


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_point_over_margins_has_its_margin(grids, name):
    figures = grids[name].experiments.figures.values()
    curves = [s for f in figures if f.kind == "margins" for s in f.series if s.points]
    assert len(curves) >= 2
    for curve in curves:
        digests = set()
        for margin, run in curve.points.items():
            constraint = config(grids[name], run).model.roi_head.progressive_constraint
            margins = [m for m in (constraint.m_c, constraint.m_r) if m is not None]
            assert margins == [margin], run
            digests.add(grids[name].job(run, 0).digest)
        assert len(digests) == len(curve.points), curve.label


@pytest.mark.parametrize("name", PROTOCOLS)
def test_what_a_run_is_about_is_not_overruled(grids, name):
    """Section 3.6's margins, the long schedules and having no constraint are the runs' own."""
    grid = grids[name]
    assert config(grid, "tsd_joint").model.roi_head.progressive_constraint is None
    assert config(grid, "bells_r101_dcn_tsd").train_cfg.max_epochs == 36
    assert config(grid, "r101_tsd_2x").train_cfg.max_epochs == 25
    for run in ("r101_tsd_test", "r101_tsd_2x", "bells_r101_dcn_tsd", "bells_senet154_dcn_tsd"):
        constraint = config(grid, run).model.roi_head.progressive_constraint
        assert (constraint.m_c, constraint.m_r) == (0.5, 0.2), run


def test_the_readmes_run_has_the_margins_of_the_protocol(grids):
    margins = {}
    for name, grid in grids.items():
        constraint = config(grid, "bells_x101_64x4d_dcn_tsd").model.roi_head.progressive_constraint
        margins[name] = (constraint.m_c, constraint.m_r)
    assert margins == {"paper": (0.5, 0.2), "released": (0.3, 0.3), "mmdet3": (0.2, 0.2)}


def test_table_3_says_which_margins_both_terms_have_under_which_protocol(grids):
    note = grids["paper"].experiments.tables["table3"].note
    for name, grid in grids.items():
        constraint = config(grid, "tsd_pc").model.roi_head.progressive_constraint
        assert constraint.m_c == constraint.m_r
        prefix = "protocol " if name == "paper" else ""
        assert f"{constraint.m_c} ({prefix}{name})" in note
        for run, term in (("tsd_pc_cls", "m_c"), ("tsd_pc_loc", "m_r")):
            alone = config(grid, run).model.roi_head.progressive_constraint
            assert f"A term alone has a margin of {alone[term]} under every protocol" in note


def test_detectors_of_mmdet_follow_no_protocol(grids):
    for run in grids["paper"].experiments.runs.values():
        if run.base.startswith("mmdet::"):
            digests = {grid.job(run.id, 0).digest for grid in grids.values()}
            assert len(digests) == 1, run.id


def test_a_small_scale_takes_what_has_a_meaning_there():
    grid = open_grid({"scale": "mini", "protocol": "released"})
    made = config(grid, "tsd_pc")
    assert made.model.roi_head.bbox_head.loss_bbox.type == "SmoothL1Loss"
    assert made.model.train_cfg.rcnn.assigner.match_low_quality is True
    assert made.model.test_cfg.rcnn.score_thr == 0
    assert made.train_cfg.max_iters == 1100
    assert made.model.train_cfg.rpn_proposal.max_per_img == 200
    assert made.model.train_cfg.rpn.allowed_border == -1


def test_a_run_may_name_its_own(grids):
    for grid in grids.values():
        made = config(grid, "tsd_pc_mmdet3")
        assert made.model.roi_head.bbox_head.loss_bbox.type == "L1Loss"
        assert grid.job("tsd_pc_mmdet3", 0).protocol.id == "mmdet3"
    assert grids["mmdet3"].job("tsd_pc", 0).digest == grids["paper"].job("tsd_pc_mmdet3", 0).digest
    assert (
        grids["released"].job("tsd_pc", 0).digest == grids["paper"].job("tsd_pc_released", 0).digest
    )


def test_reports_of_protocols_lie_apart_and_trainings_side_by_side():
    own, other = open_grid({}), open_grid({"protocol": "mmdet3"})
    assert (str(own.report_folder), str(other.report_folder)) == (
        "reports/mini",
        "reports/mini-mmdet3",
    )
    assert own.name == other.name == "mini"
    assert str(open_grid({"protocol": "paper"}).report_folder) == "reports/mini"
    assert "--protocol=mmdet3" in other.command_line_options


OWN = {
    "id": "own",
    "title": "one's own",
    "note": "It is tried.",
    "extends": "paper",
    "parts": {
        "margins": {
            "does": "m_c = 0.1",
            "source": "nowhere",
            "settings": [
                {
                    "match": "tsd_faster-rcnn_r50_fpn",
                    "set": {"model.roi_head.progressive_constraint.m_c": 0.1},
                }
            ],
        }
    },
}


def own(tmp_path, **changes):
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump({**OWN, **changes}, allow_unicode=True))
    return open_grid({"scale": "mini", "protocol": str(path)})


def test_a_protocol_of_ones_own_extends_another(tmp_path):
    grid = own(tmp_path)
    model = config(grid, "tsd_pc").model
    assert model.roi_head.progressive_constraint.m_c == 0.1
    assert model.roi_head.bbox_head.loss_bbox.type == "SmoothL1Loss"
    assert grid.report_name == "mini-own"


def part(**changes):
    return {"margins": {**OWN["parts"]["margins"], **changes}}


def settings(**changes):
    return part(settings=[{**OWN["parts"]["margins"]["settings"][0], **changes}])


MISTAKES = {
    "an unknown question": ({"parts": {"margin": OWN["parts"]["margins"]}}, "no decision 'margin'"),
    "an unknown key": ({"part": {}}, "unknown key 'part'"),
    "nothing to extend": ({"extends": "papers"}, r"unknown protocol 'papers'; did you mean"),
    "no settings": ({"parts": part(settings=[])}, "1 entry or more"),
    "an unknown backbone": ({"parts": settings(backbone="r011")}, "unknown backbone 'r011'"),
    "unknown data": ({"parts": settings(dataset="coco2071")}, "unknown data set 'coco2071'"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_faulty_protocol_is_refused(tmp_path, case):
    changes, message = MISTAKES[case]
    with pytest.raises(DeclarationError, match=rf"own\.yaml.*{message}"):
        own(tmp_path, **changes)


def test_a_path_that_does_not_exist_is_a_mistake_of_the_run(tmp_path):
    grid = own(tmp_path, parts=settings(set={"model.roi_head.progressive_constraint.mc": 1}))
    assert "own.yaml: part margins: key set" in grid.job("tsd_pc", 0).mistake
    assert grid.job("r50", 0).mistake is None


@pytest.mark.parametrize("setting", ["papers", "experiments/protocols/absent.yaml"])
def test_an_unknown_protocol_is_refused(setting):
    with pytest.raises(DeclarationError, match=r"unknown protocol 'papers'|no such file"):
        open_grid({"protocol": setting})


@pytest.mark.parametrize("name", ["paper", "released"])
def test_at_full_size_a_run_does_not_differ_from_the_protocol_it_follows(grids, name):
    ledger = Ledger(grids[name])
    for job in grids[name].jobs:
        if job.run.protocol is None:
            assert ledger.deviations(job)[name] == [], job.run.id


def test_deviations_are_told_in_the_words_of_the_protocol_that_does_so(grids):
    found = Ledger(grids["mmdet3"]).deviations(grids["mmdet3"].job("tsd_pc", 0))
    told = {one.decision: (one.here, one.there) for one in found["paper"]}
    assert set(told) == {"box-loss", "rpn-box-loss", "proposals", "border-anchors"}
    assert told["box-loss"][0] == "L1, as in mmdet 3"
    assert told["box-loss"][1].startswith("smooth L1")
    assert "matching" in {one.decision for one in found["released"]}


def test_a_scales_own_settings_are_told_by_value():
    grid = open_grid({"scale": "mini"})
    found = Ledger(grid).deviations(grid.job("tsd_pc", 0))["paper"]
    (clipping,) = (one for one in found if one.decision == "clipping")
    assert "the scale mini has its own: optim_wrapper.clip_grad.max_norm = 5" in clipping.here


def test_what_a_run_is_about_is_no_deviation(grids):
    grid = grids["released"]
    found = Ledger(grid).deviations(grid.job("tsd_pc_cls_05", 0))
    assert "margins" not in {one.decision for one in found["paper"]}
    assert "margins" in {
        one.decision for one in Ledger(grid).deviations(grid.job("tsd_pc", 0))["paper"]
    }

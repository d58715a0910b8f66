import copy
import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from mmengine.config import Config

from tsd.experiments.compile import apply_differences, dictionaries, digest
from tsd.experiments.dataset_schema import Split
from tsd.experiments.load import load_experiments
from tsd.experiments.reading import DeclarationError
from tsd.experiments.settings import open_grid

EXPERIMENTS = load_experiments(Path("experiments"))
EVERY_SCALE = sorted(EXPERIMENTS.scales)
EVERY_RUN = sorted(run.id for run in EXPERIMENTS.runs.values() if run.checkpoint is None)
TAKING_WEIGHTS = sorted(EXPERIMENTS.runs.keys() - EVERY_RUN)


def jobs(scale, **settings):
    grid = open_grid({"scale": scale, **settings})
    return [job for job in grid.jobs if job.seed == job.scale.seeds[0]]


@pytest.mark.parametrize("scale", [scale for scale in EVERY_SCALE if scale != "released"])
def test_every_declared_run_compiles_at_every_scale(scale):
    compiled = jobs(scale)
    if EXPERIMENTS.scale(scale).backbones != {}:
        assert {job.run.id for job in compiled} == set(EVERY_RUN)
    check(compiled)


def test_every_run_that_takes_weights_compiles_where_they_are_given(tmp_path):
    file = tmp_path / "weights.pth"
    file.write_text("")
    names = {EXPERIMENTS.runs[run].checkpoint for run in TAKING_WEIGHTS}
    given = ",".join(f"{name}={file}" for name in names)
    compiled = jobs("released", checkpoint=given)
    taking = [job for job in compiled if job.run.id in TAKING_WEIGHTS]
    assert len(taking) == len(TAKING_WEIGHTS) == 12
    check(taking)
    assert len({job.digest for job in taking}) == 12
    for job in compiled:
        if job not in taking:
            assert "would not be made at the size of scale released" in str(job.mistake)


def check(compiled):
    for job in compiled:
        config = job.config
        assert Config(config.to_dict()).model.type
        heads = [part for part in dictionaries(config.model) if "num_classes" in part]
        assert heads, job.run.id
        assert all(head["num_classes"] == len(job.dataset.classes) for head in heads)
        for loader, split in (
            (config.train_dataloader, job.dataset.train),
            (config.test_dataloader, job.dataset.val),
        ):
            (dataset,) = (part for part in dictionaries(loader) if "ann_file" in part)
            assert dataset["ann_file"] == split.annotations
        # A run's differences have the last word, but on pretrained weights where there are none.
        weighted = replace(job, scale=job.scale.model_copy(update={"pretrained": True})).config
        probe = weighted.to_dict()
        apply_differences(probe, job.run.set, "again")
        assert probe == weighted.to_dict(), job.run.id


def test_seeds_share_a_config_until_one_is_changed():
    grid = open_grid({"scale": "paper"})
    first, second = grid.job("r50", 0), grid.job("r50", 1)
    assert first.config is second.config
    assert first.key != second.key
    changed = replace(
        second, run=second.run.model_copy(update={"set": {"model.rpn_head.feat_channels": 64}})
    )
    assert changed.config.model.rpn_head.feat_channels == 64
    assert second.config.model.rpn_head.feat_channels == 256


def test_runs_that_differ_have_digests_that_differ():
    digests = [job.digest for job in jobs("paper")]
    assert len(set(digests)) == len(EVERY_RUN)


def test_a_backbone_changes_the_model_at_every_scale_that_has_it():
    for scale in ("paper", "mini", "smoke"):
        models = {
            job.run.id: job.config.model.backbone.to_dict()
            for job in jobs(scale)
            if job.run.id in ("r50", "r101", "r101_dcn", "r152", "x101", "mobilenetv2")
        }
        for one, other in itertools.combinations(models, 2):
            assert models[one] != models[other], (scale, one, other)


def test_compiling_again_gives_the_same_digest():
    assert open_grid({}).job("tsd_pc", 0).digest == open_grid({}).job("tsd_pc", 1).digest


def test_machine_facts_leave_the_digest_alone_and_meaning_changes_it():
    config = open_grid({}).job("tsd_pc", 0).config
    before = digest(config)
    moved = copy.deepcopy(config)
    moved.train_dataloader.dataset.data_root = "/elsewhere"
    moved.train_dataloader.num_workers = 8
    moved.work_dir = "/scratch"
    moved.default_hooks.logger.interval = 7
    assert digest(moved) == before
    moved.model.roi_head.progressive_constraint.m_c = 0.3
    assert digest(moved) != before


def test_of_pretrained_weights_the_name_counts_and_the_folder_does_not():
    config = open_grid({"scale": "paper"}).job("r50", 0).config
    digests = []
    for checkpoint in ("/a/net.pth", "/b/net.pth", "/b/other.pth"):
        config.model.backbone.init_cfg.checkpoint = checkpoint
        digests.append(digest(config))
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("model.roi_head.cls_marginn", r"model\.roi_head has no 'cls_marginn'"),
        ("model.roi_haed.bbox_head", r"model has no 'roi_haed'; did you mean 'roi_head'\?"),
        ("modell.roi_head", r"the config has no 'modell'; did you mean 'model'\?"),
        ("pipeline.5.scale", r"pipeline has entries 0 … 1 of types Resize, not '5'"),
        ("pipeline.Rezise.scale", r"pipeline has entries 0 … 1 of types Resize, not 'Rezise'"),
        ("pipeline.Resize.scales", r"pipeline\.Resize has no 'scales'; did you mean 'scale'"),
        ("model.depth.x", r"model\.depth is 50, which has nothing below it"),
    ],
)
def test_a_path_that_does_not_exist_is_refused(path, message):
    content = {
        "model": {"roi_head": {"bbox_head": 1}, "depth": 50},
        "pipeline": [{}, {"type": "Resize", "scale": (1, 1)}],
    }
    with pytest.raises(DeclarationError, match=f"run x: key set: path '{path}': {message}"):
        apply_differences(content, {path: 0}, "run x")


@pytest.mark.parametrize(
    ("path", "value"),
    [("model.depth", "fifty"), ("model.depth", True), ("model.depth", 50.5), ("flag", 1)],
)
def test_a_value_of_another_type_is_refused(path, value):
    content = {"model": {"depth": 50}, "flag": False}
    with pytest.raises(DeclarationError, match=f"run x: key set: path '{path}': expected"):
        apply_differences(content, {path: value}, "run x")


def test_what_a_run_is_about_is_not_overruled_by_a_scale():
    grid = open_grid({"scale": "mini"})
    declared = grid.experiments.run("r50")
    faster = declared.model_copy(update={"set": {"optim_wrapper.optimizer.lr": 0.123}})
    job = replace(grid.job("r50", 0), run=faster)
    assert job.config.optim_wrapper.optimizer.lr == 0.123
    assert job.digest != grid.job("r50", 0).digest


def test_the_content_of_the_data_counts_and_its_place_does_not(tmp_path):
    grid = open_grid({"scale": "mini"})
    digests = []
    for folder, text in (("a", "{}"), ("b", "{}"), ("c", "{ }")):
        (tmp_path / folder).mkdir()
        for split in ("train", "val"):
            (tmp_path / folder / f"{split}.json").write_text(text)
        changes = {
            "root": str(tmp_path / folder),
            "embedded": None,
            "train": Split(annotations="train.json", images="."),
            "val": Split(annotations="val.json", images="."),
        }
        dataset = grid.dataset.model_copy(update=changes)
        digests.append(replace(grid.job("r50", 0), dataset=dataset).digest)
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("path", ["train_pipeline", "test_evaluator.metric", "data_root"])
def test_settings_without_effect_are_refused(path):
    job = open_grid({}).job("r50", 0)
    run = job.run.model_copy(update={"set": {path: "x"}}).with_origin("runs/x.yaml: run r50")
    with pytest.raises(DeclarationError, match=r"runs/x\.yaml: run r50: key set: .*has no"):
        _ = replace(job, run=run).config


def test_a_difference_replaces_and_the_declaration_stays_untouched():
    content = {"a": {"b": {"old": 1}}, "scale": (1333, 800)}
    value = {"new": [1]}
    apply_differences(content, {"a.b": value, "scale": [160, 160]}, "run x")
    assert content == {"a": {"b": {"new": [1]}}, "scale": (160, 160)}
    content["a"]["b"]["new"].append(2)
    assert value == {"new": [1]}


def test_entries_of_a_list_are_named_by_number_type_or_all_together():
    content = {"p": [{"type": "A", "x": 1}, {"type": "B", "x": 2}], "heads": [{"c": 1}, {"c": 2}]}
    apply_differences(content, {"p.B.x": 5, "p.0.x": 7, "heads.*.c": 9}, "run x")
    assert content["p"] == [{"type": "A", "x": 7}, {"type": "B", "x": 5}]
    assert content["heads"] == [{"c": 9}, {"c": 9}]


def test_sizes_in_yaml_become_the_tuples_that_mmcv_wants():
    content = {"resize": {"scale": (1333, 800)}, "any": None}
    apply_differences(content, {"any": [{"scale": [160, 160]}, {"scales": [[1, 2], 8]}]}, "run x")
    assert content["any"] == [{"scale": (160, 160)}, {"scales": [(1, 2), 8]}]


def test_the_paper_scale_follows_section_3_1():
    config = open_grid({"scale": "paper"}).job("tsd_pc", 0).config
    assert config.train_cfg.max_epochs == 13
    warmup, steps = config.param_scheduler
    optimizer = config.optim_wrapper.optimizer
    assert optimizer.type == "SGD"
    assert (optimizer.lr, optimizer.momentum, optimizer.weight_decay) == (0.04, 0.9, 0.0001)
    assert optimizer.lr * warmup.start_factor == 0.00125
    assert (warmup.begin, warmup.end, warmup.by_epoch) == (0, 1, True)
    assert (steps.milestones, steps.gamma) == ([8, 11], 0.1)
    assert config.auto_scale_lr.base_batch_size == 32
    assert config.model.backbone.norm_cfg.type == "SyncBN"
    resize = next(t for t in config.train_dataloader.dataset.pipeline if t.type == "Resize")
    assert min(resize.scale) == 800
    anchors = config.model.rpn_head.anchor_generator
    assert (anchors.scales, anchors.ratios) == ([8], [0.5, 1.0, 2.0])
    assert config.model.test_cfg.rcnn.nms.iou_threshold == 0.5
    assert config.model.roi_head.bbox_roi_extractor.output_size == 7
    constraint = config.model.roi_head.progressive_constraint
    assert (constraint.m_c, constraint.m_r) == (0.2, 0.2)


def test_what_a_submission_rests_on_is_no_part_of_the_digest_but_is_told():
    grid = open_grid({"scale": "paper"})
    job = next(job for job in grid.jobs if job.config.get("submission_augmentation"))
    split = job.dataset.test.model_copy(update={"annotations": "other.csv"})
    other = replace(job, dataset=job.dataset.model_copy(update={"test": split}))
    assert other.digest == job.digest
    assert other.submission != job.submission
    assert '"scales"' in job.submission

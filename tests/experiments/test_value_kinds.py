"""One value stands for another only if it is of its kind, at every depth."""

import copy

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tsd.experiments.compile import apply_differences
from tsd.experiments.reading import DeclarationError
from tsd.experiments.settings import open_grid
from tsd.experiments.value_kinds import first_mismatch

NUMBERS = st.integers(-5, 5) | st.floats(-5, 5)
KEYS = st.text("abc_", min_size=1, max_size=3)
OF_KIND = {
    "number": NUMBERS,
    "text": st.sampled_from(["1.0e-3", "SGD", "0", "", "none"]),
    "truth": st.booleans(),
    "numbers": st.lists(NUMBERS, min_size=1, max_size=3),
    "mapping": st.dictionaries(KEYS, NUMBERS, max_size=2),
}
LEAVES = st.sampled_from(sorted(OF_KIND)).flatmap(lambda kind: OF_KIND[kind])
CONFIGS = st.recursive(
    st.dictionaries(KEYS, LEAVES, min_size=1, max_size=3),
    lambda nested: st.dictionaries(KEYS, nested | LEAVES, min_size=1, max_size=3),
    max_leaves=8,
)


def plain_paths(config, above=()):
    """Keys that lead to each number, text and truth value below mappings."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield from plain_paths(value, (*above, key))
        elif not isinstance(value, list):
            yield (*above, key)


def at(config, keys):
    for key in keys:
        config = config[key]
    return config


@settings(deadline=None)
@given(CONFIGS)
def test_a_config_may_stand_for_itself(config):
    assert first_mismatch(config, copy.deepcopy(config), "set") is None


@settings(deadline=None)
@given(CONFIGS, st.data())
def test_a_plain_value_of_another_kind_is_found_wherever_it_is_and_one_of_its_kind_passes(
    config, data
):
    paths = list(plain_paths(config))
    assume(paths)
    keys = data.draw(st.sampled_from(paths))
    old = at(config, keys)
    kind = "truth" if isinstance(old, bool) else "text" if isinstance(old, str) else "number"
    changed = copy.deepcopy(config)

    at(changed, keys[:-1])[keys[-1]] = data.draw(OF_KIND[kind])
    assert first_mismatch(config, changed, "set") is None

    others = {"number": ["text", "truth", "mapping"], "text": ["number"], "truth": ["number"]}
    wrong = data.draw(OF_KIND[data.draw(st.sampled_from(others[kind]))])
    at(changed, keys[:-1])[keys[-1]] = wrong
    mismatch = first_mismatch(config, changed, "set")
    assert mismatch is not None
    assert mismatch.path == ".".join(("set", *keys))
    assert (mismatch.old, mismatch.new) == (old, wrong)
    # Not depending on where the replacement begins.
    for depth in range(1, len(keys)):
        path = ".".join(keys[:depth])
        content = copy.deepcopy(config)
        with pytest.raises(DeclarationError) as refused:
            apply_differences(content, {path: at(changed, keys[:depth])}, "run x")
        assert f"run x: key set: path '{'.'.join(keys)}': expected " in str(refused.value)
        assert repr(wrong) in str(refused.value)
        assert content == config


SGD = {"type": "SGD", "lr": 0.02, "momentum": 0.9}
PIPELINE = [
    {"type": "LoadImageFromFile"},
    {"type": "Resize", "scale": (1333, 800), "keep_ratio": True},
    {"type": "RandomFlip", "prob": 0.5},
]
SCHEDULE = [
    {"type": "LinearLR", "start_factor": 0.001, "by_epoch": False, "begin": 0, "end": 500},
    {"type": "MultiStepLR", "by_epoch": True, "milestones": [8, 11], "gamma": 0.1},
]


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ({"type": "OptimWrapper", "optimizer": SGD}, {"optimizer": {"lr": "1e-3"}}, "optimizer.lr"),
        (SGD, {"type": "AdamW", "lr": "1e-3"}, "lr"),
        (SGD, {**SGD, "momentum": True}, "momentum"),
        (PIPELINE, [PIPELINE[0], {**PIPELINE[1], "scale": ["1333", 800]}], "1.scale.0"),
        (PIPELINE, [{"type": "Resize", "keep_ratio": "false"}], "0.keep_ratio"),
        (PIPELINE, [{"type": "Resize", "scale": 160, "keep_ratio": 1}], "0.keep_ratio"),
        (PIPELINE, ["Resize"], "0"),
        (PIPELINE, [{"type": "RandomFlip", "prob": "0.5"}], "0.prob"),
        (SCHEDULE, [SCHEDULE[0], {**SCHEDULE[1], "milestones": [8, "11"]}], "1.milestones.1"),
        (SCHEDULE, [SCHEDULE[0], {**SCHEDULE[1], "milestones": [[8], ["11"]]}], "1.milestones.1.0"),
        (SCHEDULE, [{"type": "CosineAnnealingLR", "begin": "0"}], "0.begin"),
        ({"stages": (False, True)}, {"stages": [False, 1]}, "stages.1"),
        ({"mean": [1.0, 2.0]}, {"mean": "imagenet"}, "mean"),
        ({"clip_grad": {"max_norm": 35}}, {"clip_grad": False}, "clip_grad"),
        ({"clip_grad": {"max_norm": 35}}, {"clip_grad": 0.5}, "clip_grad"),
        ({"flag": False}, {"flag": "Yes"}, "flag"),
        ({"type": "A", "flag": False}, {"type": "B", "flag": "no"}, "flag"),
        ([1, 2], "12", ""),
        (50, 50.5, ""),
        (50, [50], ""),
        (False, "on_output", ""),
        ("pytorch", True, ""),
    ],
)
def test_what_is_refused(old, new, path):
    mismatch = first_mismatch(old, new, "x")
    assert mismatch is not None
    assert mismatch.path == ".".join(filter(None, ("x", path)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (SGD, {"type": "AdamW", "lr": 0.001, "betas": [0.9, 0.999], "weight_decay": 0.05}),
        (
            {"type": "ResNet", "depth": 50, "style": "pytorch", "norm_cfg": {"type": "BN"}},
            {"type": "MobileNetV2", "style": 2, "out_indices": [1, 2], "norm_cfg": {"type": "GN"}},
        ),
        (PIPELINE, [{"type": "Resize", "scale": 160, "keep_ratio": True}]),
        (PIPELINE, [{"type": "RandomResize", "scale": [[1333, 640], [1333, 800]]}]),
        (PIPELINE, [{"type": "RandomFlip", "prob": [0.5, 0.5], "direction": ["a", "b"]}]),
        (PIPELINE, []),
        (SCHEDULE, [{"type": "CosineAnnealingLR", "by_epoch": False, "begin": 50, "end": 672}]),
        (SCHEDULE, []),
        ([], [{"type": "LinearLR", "start_factor": 0.1}]),
        ({"max_norm": 35}, {"max_norm": 0.5}),
        ({"add_extra_convs": True}, {"add_extra_convs": "on_output"}),
        ({"add_extra_convs": "on_output"}, {"add_extra_convs": True}),
        ({"neck": {"type": "FPN"}}, {"neck": [{"type": "FPN"}, {"type": "BFP"}]}),
        ({"norm": "BN"}, {"norm": {"type": "GN"}}),
        ({"clip_grad": {"max_norm": 35}}, {"clip_grad": None}),
        ({"a": None}, {"a": "anything"}),
        ([1, "two"], [True, "three"]),
        (1.5, 2),
        ([1, 2], [1.5, None]),
    ],
)
def test_what_is_taken(old, new):
    assert first_mismatch(old, new, "x") is None


def test_every_part_of_every_declared_config_may_stand_for_that_of_every_other():
    configs = [job.config.to_dict() for job in open_grid({"scale": "paper", "only": "all"}).jobs]
    compared = 0
    for part in ("optim_wrapper", "param_scheduler", "train_cfg", "train_dataloader"):
        for one in configs[::3]:
            for other in configs:
                assert first_mismatch(one[part], other[part], part) is None
                compared += 1
    for part in ("backbone", "neck", "train_cfg", "test_cfg"):
        models = [config["model"] for config in configs if part in config["model"]]
        for one in models[::3]:
            for other in models:
                assert first_mismatch(one[part], other[part], part) is None
                compared += 1
    assert compared > 1000
